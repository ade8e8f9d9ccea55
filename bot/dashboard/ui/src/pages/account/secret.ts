/** The secret that a link brought behind its #, taken out of the address and the history. */
export function takeSecret(): string {
  const secret = location.hash.slice(1);
  if (secret) history.replaceState({}, "", location.pathname);
  return secret;
}

/** What a log-in answers: done, or a code is needed first. */
export interface LoggedIn {
  state: "signed_in" | "code_needed";
  step: string | null;
}

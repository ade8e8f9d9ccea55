/** What the checks and reasons of the server mean, in words for people. */

export const CHECKS: Record<string, string> = {
  figure: "a figure is not the same",
  link: "a link is not the same",
  name: "a name that is not there",
  denial: "turns a no into a yes, or a yes into a no",
  claim: "promises or claims more",
  deed: "promises to do something",
  words: "says something else",
  scope: "leaves out what matters",
  subject: "mixes up two things",
  binding: "puts a figure where it does not belong",
  language: "is in another language",
  length: "is much longer than the original",
  "nothing came": "did not come",
  "nothing to support it": "nothing bears it out",
};

export const REASONS: Record<string, string> = {
  evidence: "The articles answer it.",
  no_evidence: "No article surely answers this.",
  partly: "The articles answer a part of it.",
  wants_person: "The contact asked for a person.",
  failed: "Earlier answers did not help.",
  own_order: "It needs the contact’s own order, not an article.",
  serious: "A complaint, a legal matter or a danger to somebody.",
  engine: "The language model failed or took too long.",
  instructions: "The message only tries to change the bot’s instructions.",
  vague: "There was too little to answer.",
  greeting: "A greeting.",
  thanks: "Thanks.",
};

export const ACTIONS: Record<string, string> = {
  answer: "Answered",
  clarify: "Asked back",
  handoff: "Called a person",
};

export function why(check: string): string {
  return CHECKS[check] ?? check;
}

export function reason(code: string | null): string {
  if (code?.startsWith("evidence, verbatim")) return "The articles answer it, in their own words.";
  return code ? (REASONS[code] ?? code) : "";
}

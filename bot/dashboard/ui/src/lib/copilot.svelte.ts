/** What the copilot offered and somebody took over into a reply: told to the server once sent. */
import { post } from "./api";

interface Offered {
  number: number;
  run: string;
}

let taken: Offered | null = null;

/** A suggestion was put into the reply of this conversation. */
export function take(number: number, run: string): void {
  taken = { number, run };
}

/** The reply was sent: what became of the suggestion is kept. Sending never waits for it. */
export async function learn(number: number, sent: string): Promise<void> {
  if (taken?.number !== number) return;
  const { run } = taken;
  taken = null;
  await tell(number, run, sent);
}

/** A suggestion was put aside. */
export async function discard(number: number, run: string): Promise<void> {
  if (taken?.run === run) taken = null;
  await tell(number, run, "");
}

async function tell(number: number, run: string, sent: string): Promise<void> {
  try {
    await post(`/conversations/${number}/copilot/feedback`, { run_id: run, sent });
  } catch {
    // Feedback that is lost costs nobody an answer.
  }
}

/** Work that a worker does while somebody waits: posts, and reads the events of the answer. */
import { ApiError, postStream } from "./api";

export interface Handlers {
  [event: string]: (data: never) => void;
}

/**
 * Posts and hears the events until the last one; resolves with the result's data.
 * Rejects with what the server refused, and with an AbortError after `signal` said so.
 */
export async function help<Result>(
  path: string,
  body: unknown,
  handlers: Handlers = {},
  signal?: AbortSignal,
): Promise<Result> {
  const answer = await postStream(path, body, signal);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let left = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new ApiError(0, "broken", "The answer broke off. Nothing was changed; try again.");
    left += value;
    const blocks = left.split("\n\n");
    left = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = read(block);
      if (!event) continue;
      if (event.kind === "problem") {
        throw new ApiError(0, String(event.data["code"]), String(event.data["message"]));
      }
      (handlers[event.kind] as ((data: unknown) => void) | undefined)?.(event.data);
      if (event.kind === "result") return event.data as Result;
    }
  }
}

function read(block: string): { kind: string; data: Record<string, unknown> } | null {
  let kind = "";
  let data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) kind = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  return kind ? { kind, data: JSON.parse(data) as Record<string, unknown> } : null;
}

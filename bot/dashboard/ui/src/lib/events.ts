/**
 * Server-sent events that resume: after a break the stream is opened again from the last id it
 * told (the browser sends Last-Event-ID itself; after an error that ended it, we pass it on).
 */
import { API, search } from "./api";

export type StreamState = "connecting" | "open" | "lost";
type Handlers = Record<string, (data: never, id: string) => void>;

const SHORTEST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

export class EventStream {
  #source: EventSource | null = null;
  #lastId = "";
  #pause = SHORTEST_PAUSE_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** `onState` hears "open" after every connection: whoever keeps a list reads it anew then. */
  constructor(
    private readonly path: string,
    private readonly query: Record<string, string | number | null>,
    private readonly handlers: Handlers,
    private readonly onState: (state: StreamState) => void = () => {},
    lastId = "",
  ) {
    this.#lastId = lastId;
    this.#open();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #open(): void {
    this.onState("connecting");
    const query = { ...this.query, after: this.#lastId || null };
    const source = new EventSource(API + this.path + search(query));
    this.#source = source;
    source.onopen = () => {
      this.#pause = SHORTEST_PAUSE_MS;
      this.onState("open");
    };
    source.onerror = () => {
      this.onState("lost");
      // A browser reopens a stream that ended, but not one that was refused.
      if (source.readyState === EventSource.CLOSED) this.#openLater();
    };
    for (const [kind, handle] of Object.entries(this.handlers)) {
      source.addEventListener(kind, (event) => {
        if (event.lastEventId) this.#lastId = event.lastEventId;
        (handle as (data: unknown, id: string) => void)(JSON.parse(event.data), event.lastEventId);
      });
    }
  }

  #openLater(): void {
    this.#source?.close();
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#open(), this.#pause);
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE_MS);
  }
}

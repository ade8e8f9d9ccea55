/* One event stream for as long as somebody looks or listens; it comes back by itself. */
import { call, type History, Refused } from "./protocol.ts";
import type { Session } from "./session.ts";
import type { EventData, Talk } from "./talk.ts";

// A stream that is silent for three heartbeats is dead, whatever the socket thinks.
const SILENT_MS = 50_000;
// A clock that jumped so far means that the machine slept: its sockets are gone, untold.
const SLEPT_MS = 20_000;
const LONGEST_WAIT_MS = 20_000;
// Browsers allow few connections to one server: of the hidden tabs, one alone keeps its stream.
const HIDDEN_MS = 20_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Stream {
  private abort: AbortController | null = null;
  private wake: (() => void) | null = null;
  private release: (() => void) | null = null;
  private stop = new AbortController();

  constructor(
    private readonly session: Session,
    private readonly talk: Talk,
    private readonly reached: (error: unknown) => void,
    private readonly loaded: (history: History) => void,
  ) {
    const { signal } = this.stop;
    let hiding: ReturnType<typeof setTimeout> | undefined;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(hiding);
      if (document.hidden) hiding = setTimeout(() => void this.stepBack(), HIDDEN_MS);
      else this.comeBack();
    }, { signal });
    addEventListener("online", () => this.restart(), { signal });
    addEventListener("pagehide", () => this.end(), { signal });
    addEventListener("pageshow", () => this.follow(), { signal });
    let last = Date.now();
    const ticking = setInterval(() => {
      if (Date.now() - last > SLEPT_MS && !document.hidden) this.restart();
      last = Date.now();
    }, 5000);
    signal.addEventListener("abort", () => clearInterval(ticking));
  }

  /** Listen, where there is somebody to listen for. */
  follow(): void {
    if (this.abort || !this.session.token || this.stop.signal.aborted) return;
    const abort = new AbortController();
    this.abort = abort;
    void this.run(abort).finally(() => {
      if (this.abort === abort) this.abort = null;
    });
  }

  restart(): void {
    this.end();
    this.follow();
  }

  close(): void {
    this.stop.abort();
    this.release?.();
    this.end();
  }

  private end(): void {
    this.abort?.abort();
    this.abort = null;
    this.wake?.();
  }

  private comeBack(): void {
    this.release?.();
    this.release = null;
    this.wake?.();
    this.follow();
  }

  /** Keep listening for the badge, the sound and the title if no other hidden tab does. */
  private async stepBack(): Promise<void> {
    if (!navigator.locks) return this.end();
    await navigator.locks.request(`${this.session.store.place}ear`, { ifAvailable: true }, (lock) => {
      if (!lock || !document.hidden) return void (document.hidden && this.end());
      return new Promise<void>((release) => (this.release = release));
    });
  }

  private async run(abort: AbortController): Promise<void> {
    let wait = 500;
    while (!abort.signal.aborted) {
      const token = this.session.token;
      if (!token) return;
      try {
        if (!this.talk.isLoaded) await this.load(token);
        const headers = { "Last-Event-ID": this.talk.position };
        const response = await call(this.session.server, "events", { token, signal: abort.signal, headers });
        this.reached(null);
        wait = 500;
        if (response.body) await this.read(response.body, abort);
      } catch (error) {
        if (abort.signal.aborted) return;
        if (error instanceof Refused && error.status === 401) return this.session.drop(token);
        this.reached(error);
        if (error instanceof Refused) wait = Math.max(wait, error.retryAfter * 1000);
      }
      await Promise.race([pause(wait * (0.7 + 0.6 * Math.random())), new Promise<void>((go) => (this.wake = go))]);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  private async load(token: string): Promise<void> {
    const response = await call(this.session.server, "history", { token });
    this.loaded((await response.json()) as History);
    this.reached(null);
  }

  private async read(body: ReadableStream<Uint8Array>, abort: AbortController): Promise<void> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    try {
      for (;;) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => void reader.cancel().catch(() => null), SILENT_MS);
        const { value, done } = await reader.read();
        if (done || abort.signal.aborted) return;
        text += decoder.decode(value, { stream: true });
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          this.applyBlock(text.slice(0, end));
          text = text.slice(end + 2);
        }
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  private applyBlock(block: string): void {
    const fields: Record<string, string> = {};
    for (const line of block.split("\n")) {
      const at = line.indexOf(":");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1).trimStart();
    }
    if (fields.data) this.talk.apply(fields.event ?? "", JSON.parse(fields.data) as EventData, fields.id);
  }
}

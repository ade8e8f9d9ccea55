/* One visitor's side of the chat: session, outbox, talk and stream, wired together. */
import type { SignedIdentity } from "../api.ts";
import { dropFiles } from "./blobs.ts";
import { Outbox, type Waiting } from "./outbox.ts";
import { call, type History, type Message, Refused, type Status } from "./protocol.ts";
import { Session } from "./session.ts";
import { Stream } from "./stream.ts";
import { Talk } from "./talk.ts";

export interface Listener {
  changed(): void;
  arrived(message: Message): void;
  turned(status: Status): void;
}

const TYPING_EVERY_MS = 4000;

export class Client {
  readonly session: Session;
  readonly talk: Talk;
  readonly outbox: Outbox;
  isConnected = navigator.onLine !== false;
  private readonly stream: Stream;
  private readonly stop = new AbortController();
  private readonly files = new Map<string, Promise<Blob>>();
  private toldTyping = 0;

  constructor(readonly server: string, inbox: string, identity: SignedIdentity | null, private readonly heard: Listener) {
    this.session = new Session(server, inbox, identity);
    this.talk = new Talk(heard.changed, (message) => this.arrive(message), heard.turned);
    this.outbox = new Outbox(this.session, this.talk, heard.changed, (error) => this.reach(error), () => this.stream.follow());
    this.stream = new Stream(this.session, this.talk, (error) => this.reach(error), (history) => this.load(history));
    const { signal } = this.stop;
    addEventListener("online", () => (this.reach(null), this.outbox.deliver()), { signal });
    addEventListener("offline", () => this.reach(new TypeError("offline")), { signal });
    addEventListener("storage", (event) => this.noteOtherTab(event), { signal });
    addEventListener("pageshow", (event) => event.persisted && this.outbox.lookAgain(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.outbox.deliver(), { signal });
  }

  begin(): void {
    this.stream.follow();
    if (this.outbox.items.length) this.outbox.deliver();
  }

  close(): void {
    this.stop.abort();
    this.outbox.close();
    this.stream.close();
  }

  /** End the session at the server and forget everything here. */
  async forget(): Promise<void> {
    this.close();
    await dropFiles(this.session.store.place);
    await this.session.forget();
  }

  /** What waits to be sent and is not shown as sent yet. */
  get waiting(): Waiting[] {
    return this.outbox.shown.filter((item) => !this.talk.has(item.client_id));
  }

  tellTyping(): void {
    const token = this.session.token;
    if (!token || this.talk.status !== "open" || Date.now() - this.toldTyping < TYPING_EVERY_MS) return;
    this.toldTyping = Date.now();
    call(this.server, "typing", { body: {}, token }).catch(() => null); // an ornament, not a message
  }

  /** A write that needs the session; false where it did not work. */
  async tell(path: string, body: unknown): Promise<boolean> {
    const token = this.session.token;
    if (!token) return false;
    try {
      await call(this.server, path, { body, token });
      return true;
    } catch (error) {
      this.reach(error);
      return false;
    }
  }

  /** A file of a message, fetched once. */
  file(id: string): Promise<Blob> {
    const known = this.files.get(id) ?? this.fetchFile(id);
    this.files.set(id, known);
    known.catch(() => this.files.delete(id));
    return known;
  }

  private async fetchFile(id: string): Promise<Blob> {
    const response = await call(this.server, `files/${id}`, { token: this.session.token });
    return response.blob();
  }

  private arrive(message: Message): void {
    if (message.author === "contact") this.outbox.settle([message.client_id]);
    this.heard.arrived(message);
  }

  private load(history: History): void {
    this.talk.take(history);
    this.outbox.settle(history.messages.map((message) => message.client_id));
  }

  private reach(error: unknown): void {
    const isAway = error !== null && (!(error instanceof Refused) || error.status >= 500);
    const isConnected = !isAway && navigator.onLine !== false;
    if (isConnected !== this.isConnected) {
      this.isConnected = isConnected;
      this.heard.changed();
    }
  }

  private noteOtherTab(event: StorageEvent): void {
    const { place } = this.session.store;
    if (event.key === `${place}queue`) {
      const read = (told: string | null): Waiting[] => (JSON.parse(told ?? "null") as Waiting[] | null) ?? [];
      this.outbox.noteChange(read(event.oldValue), read(event.newValue));
    }
    if (event.key === `${place}session` && event.newValue) this.stream.follow();
    if (event.key === `${place}session` && !event.newValue && event.oldValue) this.restart();
  }

  /** The visitor logged out, or the session ended, in another tab. */
  private restart(): void {
    if (this.session.token) return;
    this.talk.messages.clear();
    this.talk.status = "none";
    this.talk.position = "0.0";
    this.talk.isLoaded = false;
    this.stream.restart();
    this.outbox.lookAgain();
  }
}

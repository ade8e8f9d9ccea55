/* What the visitor wrote and the server does not have yet: kept over reloads, sent once, in order. */
import { dropFiles, findFile, keepFile } from "./blobs.ts";
import { call, newClientId, Refused, type Upload, upload } from "./protocol.ts";
import type { Session } from "./session.ts";
import type { Talk } from "./talk.ts";

export interface WaitingFile {
  name: string;
  media_type: string;
  size_bytes: number;
}

export interface Waiting {
  client_id: string;
  text: string;
  wants_person: boolean;
  at: string;
  error: string | null;
  sent?: boolean;
  files?: WaitingFile[];
  /** What the visitor filled in before the chat; goes with the first message. */
  details?: Record<string, string>;
}

const FIRST_WAIT_MS = 800;
const LONGEST_WAIT_MS = 15_000;

export class Outbox {
  /** How far each upload of this tab is, 0..1. */
  readonly progress = new Map<string, number>();
  /** What was shown as waiting, and of which nobody has told yet what became of it. */
  private readonly undecided = new Map<string, Waiting>();
  private delivering: Promise<void> | null = null;
  private again: ReturnType<typeof setTimeout> | undefined;
  private running: { clientId: string; upload: Upload } | null = null;
  private wait = FIRST_WAIT_MS;
  private isClosed = false;

  /** `reached` hears whether the server answers; `opened` runs once there is a session to follow. */
  constructor(
    private readonly session: Session,
    private readonly talk: Talk,
    private readonly changed: () => void,
    private readonly reached: (error: unknown) => void,
    private readonly opened: () => void,
  ) {}

  get items(): Waiting[] {
    return this.session.store.read<Waiting[]>("queue") ?? [];
  }

  /** What waits, as one shows it: what another tab takes out stays until `noteChange` hears why. */
  get shown(): Waiting[] {
    for (const item of this.items) this.undecided.set(item.client_id, item);
    return [...this.undecided.values()];
  }

  async add(text: string, files: File[] = [], wantsPerson = false): Promise<void> {
    const details = this.session.store.read<Record<string, string>>("details");
    const item: Waiting = {
      client_id: newClientId(), text, wants_person: wantsPerson, at: new Date().toISOString(), error: null,
      ...(files.length && { files: files.map((file) => ({ name: file.name, media_type: file.type, size_bytes: file.size })) }),
      ...(details && { details }),
    };
    this.session.store.write("details", null);
    const kept = files.map((file, at) => keepFile(this.fileKey(item.client_id, at), file));
    if (files.length) await Promise.all(kept);
    this.change((queue) => [...queue, item]);
    this.deliver();
  }

  retry(clientId: string): void {
    this.change((queue) => queue.map((item) => (item.client_id === clientId ? { ...item, error: null } : item)));
    this.deliver();
  }

  /** Take back what is not sent; an upload under way is cut off. */
  remove(clientId: string): void {
    if (this.running?.clientId === clientId) this.running.upload.cancel();
    this.forget(clientId);
  }

  /** The server told that it has these. */
  settle(clientIds: Iterable<string | null>): void {
    const stored = new Set(clientIds);
    for (const id of stored) this.undecided.delete(id ?? "");
    for (const item of this.items.filter((waiting) => stored.has(waiting.client_id))) {
      if (!item.sent) this.note(item.client_id, { sent: true }); // its event may be quicker than the answer
      this.forget(item.client_id);
    }
  }

  /** Another tab changed the queue: what it took out was sent, or taken back. */
  noteChange(before: Waiting[], after: Waiting[]): void {
    const left = new Set(after.map((item) => item.client_id));
    for (const item of before) {
      if (left.has(item.client_id)) continue;
      if (item.sent && item.files) continue; // shown as it is until its own event has the files
      if (item.sent) this.talk.addSent(item.client_id, item.text, item.at);
      this.undecided.delete(item.client_id);
    }
    this.changed();
  }

  /** What the queue holds is all that is known: this page slept, or another visitor begins. */
  lookAgain(): void {
    this.undecided.clear();
    this.changed();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.again);
    this.running?.upload.cancel();
  }

  /** Send what waits, oldest first; safe to call at any time, in any tab. */
  deliver(): void {
    if (this.isClosed) return;
    this.delivering ??= this.session.inOneTab("queue", () => this.deliverAll()).finally(() => (this.delivering = null));
  }

  async fileOf(clientId: string, at: number): Promise<Blob | null> {
    return findFile(this.fileKey(clientId, at));
  }

  private async deliverAll(): Promise<void> {
    clearTimeout(this.again);
    for (;;) {
      const item = this.items.find((waiting) => !waiting.error && !waiting.sent);
      if (!item || this.isClosed) return;
      try {
        await this.send(item);
        this.wait = FIRST_WAIT_MS;
      } catch (error) {
        if (error instanceof DOMException && error.name === "AbortError") continue;
        if (error instanceof Refused && error.status === 401) continue; // the session was made anew
        if (error instanceof Refused && error.isFinal) {
          this.note(item.client_id, { error: error.message });
          continue;
        }
        this.reached(error);
        this.tryLater(error);
        return; // gives the lock back while waiting, so that another tab may send
      }
    }
  }

  private tryLater(error: unknown): void {
    const wait = (error instanceof Refused && error.retryAfter * 1000) || this.wait;
    this.again = setTimeout(() => this.deliver(), wait * (0.8 + 0.4 * Math.random()));
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  private async send(item: Waiting): Promise<void> {
    const token = await this.session.ensure();
    this.opened(); // not only once it is sent: another tab may be the one that sends
    try {
      if (item.files) await this.sendFiles(item, token);
      else await this.sendText(item, token);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.session.drop(token);
      throw error;
    }
    this.reached(null);
    // Other tabs hear of both steps, and so can tell what was sent from what was removed.
    this.note(item.client_id, { sent: true });
    if (!item.files) this.talk.addSent(item.client_id, item.text, item.at);
    if (!item.files) this.forget(item.client_id);
  }

  private async sendText(item: Waiting, token: string): Promise<void> {
    const { client_id, text, details } = item;
    const path = item.wants_person ? "person" : "messages";
    await call(this.session.server, path, { body: { client_id, text, ...(details && { details }) }, token });
  }

  private async sendFiles(item: Waiting, token: string): Promise<void> {
    const form = new FormData();
    form.append("message", JSON.stringify({ client_id: item.client_id, text: item.text, ...(item.details && { details: item.details }) }));
    for (const [at, file] of (item.files ?? []).entries()) {
      const blob = await this.fileOf(item.client_id, at);
      if (!blob) throw new Refused(410, file.name);
      form.append("file", blob, file.name);
    }
    const running = upload(this.session.server, "files", form, token, (share) => {
      this.progress.set(item.client_id, share);
      this.changed();
    });
    this.running = { clientId: item.client_id, upload: running };
    try {
      await running.done;
    } finally {
      this.running = null;
      this.progress.delete(item.client_id);
    }
  }

  private note(clientId: string, change: Partial<Waiting>): void {
    this.change((queue) => queue.map((item) => (item.client_id === clientId ? { ...item, ...change } : item)));
  }

  private forget(clientId: string): void {
    this.undecided.delete(clientId);
    this.change((queue) => queue.filter((item) => item.client_id !== clientId));
    void dropFiles(this.fileKey(clientId));
  }

  private change(change: (queue: Waiting[]) => Waiting[]): void {
    const queue = change(this.items);
    this.session.store.write("queue", queue.length ? queue : null);
    this.changed();
  }

  private fileKey(clientId: string, at?: number): string {
    return `${this.session.store.place}${clientId}:${at ?? ""}`;
  }
}

/* Who speaks: the session that the server made, and what this browser keeps under it. */
import type { SignedIdentity } from "../api.ts";
import { placeOf, Store } from "../store.ts";
import { call } from "./protocol.ts";

interface Kept {
  token: string;
  expires_at: string;
}

export class Session {
  readonly store: Store;
  private opening: Promise<void> | null = null;

  constructor(
    readonly server: string,
    readonly inbox: string,
    readonly identity: SignedIdentity | null,
  ) {
    this.store = new Store(placeOf(server, inbox, identity?.id ?? ""));
  }

  get token(): string | null {
    const kept = this.store.read<Kept>("session");
    return kept && Date.parse(kept.expires_at) > Date.now() ? kept.token : null;
  }

  /** The token, made at the server where there is none yet. Throws as `call` does. */
  async ensure(): Promise<string> {
    if (!this.token) {
      this.opening ??= this.inOneTab("session", () => this.make()).finally(() => (this.opening = null));
      await this.opening;
    }
    return this.token ?? "";
  }

  private async make(): Promise<void> {
    if (this.token) return; // another tab was first
    const body = this.identity ? { identity: this.identity } : {};
    const response = await call(this.server, `${encodeURIComponent(this.inbox)}/session`, { body });
    this.store.write("session", await response.json());
  }

  /** The server does not know this token any more. */
  drop(token: string): void {
    if (this.token === token) this.store.write("session", null);
  }

  /** Two tabs are one visitor: what must happen once runs under a lock of the browser's. */
  async inOneTab(name: string, work: () => Promise<void>): Promise<void> {
    if (navigator.locks) await navigator.locks.request(this.store.place + name, work);
    else await work();
  }

  /** End the session at the server and forget all that is kept here. */
  async forget(): Promise<void> {
    const token = this.token;
    this.store.clear();
    if (token) await call(this.server, "logout", { body: {}, token }).catch(() => null);
  }
}

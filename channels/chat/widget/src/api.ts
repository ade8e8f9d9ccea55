/* What a page says to the widget and hears from it: the JavaScript API. */

/** A signed-in customer, as the shop's own server vouches for: see docs/widget.md. */
export interface SignedIdentity {
  id: string;
  name: string;
  /** Unix seconds. */
  expires: number;
  /** Hexadecimal HMAC-SHA-256. */
  signature: string;
}

export interface Options {
  /** The origin of the Frontdesk server, such as https://desk.example */
  server: string;
  inbox: string;
  title?: string;
  language?: string;
  /** The accent colour as #rrggbb. */
  color?: string;
  identity?: SignedIdentity | null;
}

export interface Events {
  /** The launcher is on the page. */
  ready: undefined;
  open: undefined;
  close: undefined;
  /** A message came in or was sent; texts are Markdown of any origin: never put them in as HTML. */
  message: { author: "contact" | "bot" | "agent" | "system"; text: string };
  unread: { count: number };
  /** Whose turn it is: the bot's (pending), a person's (open), nobody's (resolved, none). */
  status: { status: "none" | "pending" | "open" | "resolved" };
}

export type EventName = keyof Events;

export interface FrontdeskApi {
  open(): Promise<void>;
  close(): Promise<void>;
  /** Open the chat with a question in the field; the visitor sends it. */
  ask(question: string): Promise<void>;
  /** Speak as a signed-in customer from now on; null speaks as nobody again and forgets nothing. */
  identify(identity: SignedIdentity | null): Promise<void>;
  /** Forget the visitor: the session at the server, and all that this browser keeps of them. */
  logout(): Promise<void>;
  /** Hear of an event; returns the function that stops it. */
  on<Name extends EventName>(name: Name, heard: (detail: Events[Name]) => void): () => void;
  /** Show other settings than the inbox's, until the page is left: what a live preview calls. */
  configure(widget: Record<string, unknown>): Promise<void>;
}

declare global {
  interface Window {
    Frontdesk?: FrontdeskApi;
  }
}

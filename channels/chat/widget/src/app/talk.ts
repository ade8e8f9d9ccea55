/* What was said, as far as this tab knows: history and events applied in their order. */
import { comparePositions, type History, type Message, type Status } from "./protocol.ts";

export interface EventData extends Partial<Message> {
  status?: Status;
  is_writing?: boolean;
  name?: string | null;
}

const AGENT_WRITES_MS = 6000;
const BOT_WRITES_MS = 90_000;
/** Sent, but its own event is still to come: after all that is known. */
const LAST = Number.MAX_SAFE_INTEGER;
const NOTHING = { author_name: null, text: "", client_id: null, citations: [], files: [], feedback: null };

export class Talk {
  readonly messages = new Map<string, Message>();
  position = "0.0";
  status: Status = "none";
  rating: number | null = null;
  assignee: string | null = null;
  botWrites = false;
  agentWrites: string | null = null;
  isLoaded = false;
  private timers = new Map<string, ReturnType<typeof setTimeout>>();

  /** `changed` asks for a drawing; `arrived` hears of each message that somebody else wrote. */
  constructor(
    private readonly changed: () => void,
    private readonly arrived: (message: Message) => void,
    private readonly turned: (status: Status) => void,
  ) {}

  take(history: History): void {
    const sent = [...this.messages].filter(([id]) => id.startsWith("sent:"));
    this.messages.clear();
    // The defaults serve a server that is older than this script, for the minute of an update.
    for (const message of history.messages) this.messages.set(message.id, { ...NOTHING, ...message });
    // Sent while the history was on its way: its event is still to come.
    for (const [id, message] of sent) if (!this.has(message.client_id ?? "")) this.messages.set(id, message);
    this.position = history.last_event_id;
    this.botWrites = history.bot_is_writing;
    this.assignee = history.assignee ?? null;
    this.rating = history.rating ?? null;
    this.isLoaded = true;
    this.turn(history.status);
    this.changed();
  }

  /** One server-sent event; what was told already is passed over. */
  apply(kind: string, data: EventData, id: string | undefined): void {
    if (id) {
      if (comparePositions(id, this.position) <= 0) return;
      this.position = id;
    }
    if (kind === "message" || kind === "reply") this.begin(kind, data);
    else if (kind === "sentence" || kind === "done") this.grow(kind, data);
    else if (kind === "status") this.turn(data.status ?? "none");
    else if (kind === "person") this.assignee = data.name ?? null;
    else if (kind === "typing") this.noteTyping(data);
    this.changed();
  }

  has(clientId: string): boolean {
    return [...this.messages.values()].some((message) => message.client_id === clientId);
  }

  /** Show as sent until its event comes back. */
  addSent(clientId: string, text: string, at: string): void {
    if (this.has(clientId)) return;
    this.messages.set(`sent:${clientId}`, {
      id: `sent:${clientId}`, position: `${LAST}.${Date.now()}`, author: "contact", ...NOTHING,
      text, at, client_id: clientId,
    });
  }

  get ordered(): Message[] {
    return [...this.messages.values()].sort((a, b) => comparePositions(a.position, b.position));
  }

  private begin(kind: string, data: EventData): void {
    const message = {
      ...NOTHING, ...data,
      position: this.position, is_growing: kind === "reply",
    } as unknown as Message;
    if (message.client_id) this.messages.delete(`sent:${message.client_id}`);
    this.messages.set(message.id, message);
    if (kind === "reply") return;
    if (message.author === "agent") this.agentWrites = null;
    if (message.author === "contact" && this.status !== "open") this.turn("pending");
    this.arrived(message);
  }

  private grow(kind: string, data: EventData): void {
    const known = this.messages.get(data.id ?? "");
    if (!known) return;
    if (kind === "sentence") {
      known.text = join(known.text, data.text ?? "");
      return;
    }
    known.is_growing = false;
    known.partial = data.partial;
    known.citations = data.citations ?? [];
    this.arrived(known);
  }

  private turn(status: Status): void {
    if (status !== "pending") this.botWrites = false;
    if (status === this.status) return;
    if (this.status === "resolved") this.rating = null;
    this.status = status;
    this.turned(status);
  }

  private noteTyping(data: EventData): void {
    if (data.author === "bot") {
      this.botWrites = Boolean(data.is_writing);
      this.expire("bot", BOT_WRITES_MS, () => (this.botWrites = false));
    } else {
      this.agentWrites = data.author_name ?? "";
      this.expire("agent", AGENT_WRITES_MS, () => (this.agentWrites = null));
    }
  }

  private expire(name: string, ms: number, end: () => void): void {
    clearTimeout(this.timers.get(name));
    this.timers.set(name, setTimeout(() => (end(), this.changed()), ms));
  }
}

const ENDS = /[.!?…:;。！？：；][*_`)"'”’」』）]*$/;

/** As the server joins sentences (`append_sentence` in bot/messages.py). */
export function join(text: string, sentence: string): string {
  if (!text || text.endsWith("\n") || sentence.startsWith("\n")) return text + sentence;
  if (!ENDS.test(text)) return `${text}\n\n${sentence}`;
  return (text.codePointAt(text.length - 1) ?? 0) > 0x2e80 ? text + sentence : `${text} ${sentence}`;
}

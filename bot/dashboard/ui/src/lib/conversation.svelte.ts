/** The conversation that is open: its messages, who else is there, what the model writes just now. */
import { get, post } from "./api";
import type { ConversationData, Looker, Message, Row } from "./desk";
import { EventStream, type StreamState } from "./events";
import { inbox } from "./inbox.svelte";
import { sayProblem } from "./toasts.svelte";

const CUSTOMER_TYPES_MS = 5_000;
const SAY_WRITING_MS = 3_000;

class OpenConversation {
  number: number | null = $state(null);
  data: ConversationData | null = $state(null);
  missing = $state(false);
  others: Looker[] = $state([]);
  raw = $state("");
  customerTypes = $state(false);
  stream: StreamState = $state("connecting");
  #events: EventStream | null = null;
  #run = "";
  #typing: ReturnType<typeof setTimeout> | undefined;
  #saidWritingAt = 0;

  /** Opens a conversation, or none, and follows what happens there and in the inbox. */
  async open(number: number | null): Promise<void> {
    this.#events?.close();
    this.#events = null;
    this.number = number;
    this.missing = false;
    this.others = [];
    this.raw = "";
    this.customerTypes = false;
    if (number !== this.data?.row.number) this.data = null;
    if (number === null) return this.#follow(null, "");
    try {
      const data = await get<ConversationData>(`/conversations/${number}`);
      if (this.number !== number) return;
      this.data = data;
      this.#follow(number, String(data.seq));
    } catch (problem) {
      if (this.number !== number) return;
      this.missing = true;
      sayProblem(problem);
      this.#follow(null, "");
    }
  }

  close(): void {
    this.#events?.close();
    this.#events = null;
    this.number = null;
  }

  /** Does something to the open conversation; true when it was done. */
  async act(what: string, body: unknown = {}): Promise<boolean> {
    if (this.number === null) return false;
    try {
      this.take(await post<Row>(`/conversations/${this.number}/${what}`, body));
      return true;
    } catch (problem) {
      sayProblem(problem);
      return false;
    }
  }

  /** What is told of a row, and what an action answers, may overtake each other. */
  take(row: Row): void {
    if (this.data && row.number === this.number) {
      if (row.seq < this.data.row.seq) return;
      this.data.row = row;
    }
    inbox.apply([row]);
  }

  async earlier(): Promise<void> {
    const first = this.data?.messages[0];
    if (!this.data || !first) return;
    try {
      const page = await get<{ items: Message[]; has_earlier: boolean }>(
        `/conversations/${this.number}/messages`,
        { before: first.seq },
      );
      this.data.messages.unshift(...page.items);
      this.data.has_earlier = page.has_earlier;
    } catch (problem) {
      sayProblem(problem);
    }
  }

  /** Tells colleagues, and for a reply the customer, that somebody writes; now and then. */
  sayWriting(doing: "writing" | "noting"): void {
    if (this.number === null || Date.now() - this.#saidWritingAt < SAY_WRITING_MS) return;
    this.#saidWritingAt = Date.now();
    post(`/conversations/${this.number}/presence`, { doing }).catch(() => {});
  }

  #follow(number: number | null, seq: string): void {
    this.#events = new EventStream(
      "/live",
      { conversation: number },
      {
        rows: ({ rows }: { rows: Row[] }) => rows.forEach((row) => this.take(row)),
        counts: (counts: NonNullable<typeof inbox.counts>) => (inbox.counts = counts),
        messages: ({ messages }: { messages: Message[] }) => this.#merge(messages),
        presence: ({ others }: { others: Looker[] }) => (this.others = others),
        raw: (told: { raw: string; run: string; begins: boolean }) => this.#hearRaw(told),
        typing: () => this.#hearTyping(),
      },
      (state) => {
        this.stream = state;
        if (state === "open") void inbox.refresh();
      },
      seq,
    );
  }

  #merge(messages: Message[]): void {
    if (!this.data) return;
    for (const message of messages) {
      const at = this.data.messages.findIndex((each) => each.id === message.id);
      if (at >= 0) this.data.messages[at] = message;
      else this.data.messages.push(message);
      if (message.author === "contact") this.customerTypes = false;
    }
    this.data.messages.sort((one, other) => one.seq - other.seq);
  }

  #hearRaw(told: { raw: string; run: string; begins: boolean }): void {
    if (told.begins && told.run !== this.#run) this.raw = "";
    else if (told.begins && this.raw) this.raw += "\n";
    this.#run = told.run;
    this.raw += told.raw;
  }

  #hearTyping(): void {
    this.customerTypes = true;
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => (this.customerTypes = false), CUSTOMER_TYPES_MS);
  }
}

export const open = new OpenConversation();

/* Draws the messages: one node each, changed only where something changed. */
import { button, el, icon } from "../dom.ts";
import type { Client } from "./client.ts";
import { ICONS } from "./icons.ts";
import { GrowingText, safeUrl } from "./markdown.ts";
import { drawFull, drawThumbnail, isPicture, isRecording, player, save } from "./media.ts";
import type { Waiting } from "./outbox.ts";
import type { Citation, FileInfo, Message } from "./protocol.ts";
import { fill, type Words } from "./words.ts";

/** A message of the talk, or one that waits to be sent. */
export interface Item extends Message {
  waiting?: Waiting;
  progress?: number;
}

/** What the log needs from around it. */
export interface LogParts {
  client(): Client;
  words: Words;
  locale: string;
  botName(): string;
  avatar(): Blob | null;
  enlarge(picture: HTMLCanvasElement, name: string, blob: Blob): void;
  judge(message: Message, score: number, reason: string): Promise<boolean>;
}

const GROUP_MS = 5 * 60_000;

export class Log {
  readonly node: HTMLElement;
  private readonly bubbles = new Map<string, Bubble>();
  private readonly days = new Map<string, HTMLElement>();

  constructor(private readonly parts: LogParts, label: string) {
    this.node = el("div", { class: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": label });
  }

  get items(): Item[] {
    const client = this.parts.client();
    const stored = client.talk.ordered as Item[];
    const waiting = client.waiting.map((item): Item => ({
      id: `unsent:${item.client_id}`, position: "", author: "contact", author_name: null, text: item.text, at: item.at,
      client_id: item.client_id, citations: [], files: [], feedback: null, waiting: item,
      progress: client.outbox.progress.get(item.client_id),
    }));
    // A reply shows itself with its first sentence; until then the typing dots speak for it.
    return [...stored, ...waiting].filter((item) => item.text || item.files.length || item.waiting?.files);
  }

  draw(items: Item[]): void {
    const wanted = new Set<string>();
    let before: Node | null = null;
    const place = (node: HTMLElement): void => {
      const next: ChildNode | null = before ? before.nextSibling : this.node.firstChild;
      if (next !== node) this.node.insertBefore(node, next);
      before = node;
    };
    items.forEach((item, at) => {
      const previous = items[at - 1];
      const next = items[at + 1];
      const day = dayOf(item.at);
      if (!previous || dayOf(previous.at) !== day) {
        wanted.add(day);
        place(this.day(day, item.at));
      }
      // The browser's own id keeps one node from unsent over sent to stored.
      const key = item.client_id ?? item.id;
      wanted.add(key);
      const bubble = this.bubbles.get(key) ?? new Bubble(this.parts);
      this.bubbles.set(key, bubble);
      bubble.draw(item, !isGroup(previous, item), !next || !isGroup(item, next));
      place(bubble.node);
    });
    for (const [key, bubble] of this.bubbles) if (!wanted.has(key)) (bubble.node.remove(), this.bubbles.delete(key));
    for (const [key, node] of this.days) if (!wanted.has(key)) (node.remove(), this.days.delete(key));
  }

  private day(key: string, at: string): HTMLElement {
    const known = this.days.get(key);
    if (known) return known;
    const { words, locale } = this.parts;
    const made = el("div", { class: "day" }, tellDay(at, words, locale));
    this.days.set(key, made);
    return made;
  }
}

const dayOf = (at: string): string => `day:${new Date(at).toDateString()}`;

function isGroup(one: Item | undefined, other: Item): boolean {
  return one !== undefined && one.author === other.author && one.author_name === other.author_name &&
    dayOf(one.at) === dayOf(other.at) && Date.parse(other.at) - Date.parse(one.at) < GROUP_MS;
}

function tellDay(at: string, words: Words, locale: string): string {
  const date = new Date(at);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days === 0) return words.today;
  if (days === 1) return words.yesterday;
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", year }).format(date);
}

/** The first letters of a name, as its avatar. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0]];
  return letters.map((word) => [...(word ?? "")][0] ?? "").join("").toLocaleUpperCase();
}

class Bubble {
  readonly node = el("div", { class: "message" });
  private readonly who = el("div", { class: "who" });
  private readonly bubble = el("div", { class: "bubble", dir: "auto" });
  private readonly files = el("div", { class: "files" });
  private readonly sources = el("div", { class: "sources" });
  private readonly notes = el("div", { class: "notes" });
  private readonly time = el("time");
  private readonly thumbs = el("span", { class: "thumbs" });
  private readonly reason = el("div", { class: "reason", hidden: true });
  private readonly text = new GrowingText(this.bubble);
  private readonly drawn = new Map<string, string>();
  private filesOf: Item | null = null;

  constructor(private readonly parts: LogParts) {
    this.node.append(this.who, this.files, this.bubble, this.sources, this.notes,
      el("div", { class: "meta" }, this.time, this.thumbs), this.reason);
  }

  draw(item: Item, isFirst: boolean, isLast: boolean): void {
    const isOwn = item.author === "contact";
    const failed = item.waiting?.error;
    const kinds = [isOwn ? "own" : item.author, isFirst && "first", item.waiting && "unsent", failed && "failed"];
    this.node.className = ["message", ...kinds.filter(Boolean)].join(" ");
    this.node.setAttribute("aria-busy", String(Boolean(item.is_growing)));
    this.part("who", [isFirst, item.author_name], () => this.drawWho(item, isFirst));
    this.bubble.hidden = !item.text;
    if (this.part("text", [item.text], () => null)) this.text.show(item.text, Boolean(item.is_growing));
    this.part("files", [item.files, item.waiting?.files], () => this.drawFiles(item));
    this.part("sources", [item.citations], () => this.drawSources(item.citations));
    const waits = item.waiting && [item.waiting, item.progress, this.parts.client().isConnected];
    this.part("notes", [item.partial, waits], () => this.drawNotes(item));
    this.part("time", [item.at, isLast && !item.waiting], () => this.drawTime(item, isLast && !item.waiting));
    this.part("thumbs", [item.author, item.is_growing], () => this.drawThumbs(item));
  }

  /** Draw a part if what it shows is new. */
  private part(name: string, shows: unknown, draw: () => void): boolean {
    const told = JSON.stringify(shows);
    if (this.drawn.get(name) === told) return false;
    this.drawn.set(name, told);
    draw();
    return true;
  }

  private drawWho(item: Item, isFirst: boolean): void {
    const { words } = this.parts;
    const name = { contact: words.you, agent: item.author_name ?? words.agent, bot: this.parts.botName(), system: words.system }[item.author];
    this.who.className = isFirst ? "who" : "quietly";
    const face = item.author === "agent" ? el("span", { class: "face", "aria-hidden": "true" }, initials(name)) : el("span", { class: "face", "aria-hidden": "true" }, icon(ICONS.spark, 14));
    const sender = el("span", { class: "sender" }, name);
    this.who.replaceChildren(...(item.author === "contact" || !isFirst ? [sender] : [face, sender]));
    const avatar = item.author === "bot" && isFirst ? this.parts.avatar() : null;
    if (avatar) void drawThumbnail(avatar, "").then((canvas) => (canvas.removeAttribute("role"), face.replaceChildren(canvas)), () => null);
  }

  private drawSources(citations: Citation[]): void {
    const { words } = this.parts;
    this.sources.replaceChildren(...citations.map((citation, at) => {
      const head = el("summary", {},
        el("span", { class: "number", "aria-hidden": "true" }, String(at + 1)),
        el("span", { class: "quietly" }, `${words.source} `),
        el("span", { class: "name" }, citation.title || words.source), icon(ICONS.down, 16));
      const body = el("div", { class: "quote" }, el("q", { dir: "auto" }, citation.quote));
      const href = citation.url && safeUrl(citation.url);
      if (href) body.append(el("a", { href, target: "_blank", rel: "noopener noreferrer" }, words.openArticle, icon(ICONS.out, 15)));
      const details = el("details", {}, head, body);
      details.addEventListener("toggle", () => details.open && details.scrollIntoView({ block: "nearest" }));
      return details;
    }));
  }

  /** A file that was waiting and is stored now stays as it is drawn; only where it is fetched from changes. */
  private drawFiles(item: Item): void {
    this.filesOf = item;
    const named = (item.waiting?.files ?? item.files).map(({ name, media_type, size_bytes }) => ({ name, media_type, size_bytes }));
    if (!this.part("named files", named, () => null)) return;
    this.files.replaceChildren(...named.map((file, at) => this.drawFile(file, () => this.fetchFile(at))));
  }

  private async fetchFile(at: number): Promise<Blob> {
    const client = this.parts.client();
    const stored = this.filesOf?.files[at];
    if (stored) return client.file(stored.id);
    const blob = await client.outbox.fileOf(this.filesOf?.client_id ?? "", at);
    if (!blob) throw new Error(this.parts.words.lostFile);
    return blob;
  }

  private drawFile(file: Omit<FileInfo, "id">, fetched: () => Promise<Blob>): HTMLElement {
    const { words } = this.parts;
    if (isRecording(file.media_type)) return player(words, fetched, file.name);
    const chip = button({ class: "file", title: fill(words.save, { name: file.name }) }, [
      icon(ICONS.file, 18), el("span", { class: "name" }, file.name), el("span", { class: "size" }, tellSize(file.size_bytes, this.parts.locale)),
    ], () => void fetched().then((blob) => save(blob, file.name), () => null));
    if (isPicture(file.media_type)) void this.showPicture(file, fetched, chip);
    return chip;
  }

  private async showPicture(file: Omit<FileInfo, "id">, fetched: () => Promise<Blob>, chip: HTMLElement): Promise<void> {
    const { words } = this.parts;
    try {
      const blob = await fetched();
      const thumbnail = await drawThumbnail(blob, fill(words.image, { name: file.name }));
      const label = fill(words.enlarge, { name: file.name });
      chip.replaceWith(button({ class: "picture", "aria-label": label }, [thumbnail], () => {
        void drawFull(blob, file.name).then((full) => this.parts.enlarge(full, file.name, blob));
      }));
    } catch {
      // Not a picture after all, or not to be had now: the chip stays and saves it.
    }
  }

  private drawNotes(item: Item): void {
    const partial = item.partial ? [el("div", { class: "note" }, this.parts.words.partial)] : [];
    const waiting = item.waiting ? [this.drawWaiting(item, item.waiting)] : [];
    this.notes.replaceChildren(...partial, ...waiting);
  }

  private drawTime(item: Item, isShown: boolean): void {
    const { locale } = this.parts;
    const date = new Date(item.at);
    this.time.hidden = !isShown;
    this.time.dateTime = item.at;
    this.time.title = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" }).format(date);
    this.time.textContent = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }).format(date);
  }

  private drawWaiting(item: Item, waiting: Waiting): HTMLElement {
    const { words } = this.parts;
    const { outbox, isConnected } = this.parts.client();
    const remove = (label: string): HTMLElement => button({ class: "text" }, [label], () => outbox.remove(waiting.client_id));
    if (waiting.error) {
      const retry = button({ class: "text" }, [words.retry], () => outbox.retry(waiting.client_id));
      return el("div", { class: "note bad", role: "alert" }, el("span", {}, `${words.failed} ${waiting.error}`), retry, remove(words.remove));
    }
    const told = isConnected ? words.pending : words.waiting;
    if (!waiting.files) return el("div", { class: "note" }, told);
    const share = item.progress;
    const note = el("div", { class: "note uploading" });
    if (share !== undefined && isConnected) {
      const label = fill(words.uploading, { n: Math.round(share * 100) });
      note.append(el("progress", { max: 1, value: share, "aria-label": label }), el("span", {}, label));
    } else note.append(el("span", {}, told));
    if (!waiting.sent) note.append(remove(words.cancel));
    return note;
  }

  private drawThumbs(item: Item): void {
    if (item.author !== "bot" || item.is_growing) return;
    const { words } = this.parts;
    const press = async (score: number): Promise<void> => {
      const before = item.feedback;
      if (before === score) return;
      item.feedback = score;
      show();
      if (!(await this.parts.judge(item, score, ""))) (item.feedback = before, show());
      else if (score < 0) this.askReason(item);
      else this.reason.hidden = true;
    };
    const thumb = (label: string, paths: readonly string[], score: number): HTMLButtonElement =>
      button({ class: "thumb", "aria-label": label, title: label }, [icon(paths, 16)], () => void press(score));
    const up = thumb(words.helpful, ICONS.up, 1);
    const down = thumb(words.unhelpful, ICONS.downThumb, -1);
    const show = (): void => {
      up.setAttribute("aria-pressed", String(item.feedback === 1));
      down.setAttribute("aria-pressed", String(item.feedback === -1));
    };
    show();
    this.thumbs.replaceChildren(up, down);
  }

  private askReason(item: Item): void {
    const { words } = this.parts;
    const place = this.reason;
    const field = el("textarea", { class: "field", rows: 2, maxlength: 2000, "aria-label": words.whyNot, placeholder: words.whyNotHint });
    const thank = (): void => {
      place.className = "note";
      place.replaceChildren(el("span", { role: "status" }, words.thanks));
    };
    const send = button({ class: "solid" }, [words.submit], () => {
      const text = field.value.trim();
      if (!text) return thank();
      void this.parts.judge(item, -1, text).then((isDone) => (isDone ? thank() : field.focus()));
    });
    const skip = button({ class: "text" }, [words.skip], thank);
    place.replaceChildren(el("strong", {}, words.whyNot), field, el("div", { class: "row" }, send, skip));
    place.className = "reason";
    place.hidden = false;
    place.scrollIntoView({ block: "nearest" });
    field.focus({ preventScroll: true });
  }
}

export function tellSize(bytes: number, locale: string): string {
  const [value, unit] = bytes < 1e6 ? [Math.max(1, bytes / 1e3), "kilobyte"] : [bytes / 1e6, "megabyte"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

/* The opened chat: the panel, and what happens in it. Fetched when somebody needs it. */
import type { SignedIdentity } from "../api.ts";
import type { Preview, WidgetSetting } from "../config.ts";
import { button, el, icon, sheetOf } from "../dom.ts";
import type { App, Context } from "../launcher.ts";
import css from "./app.css?inline";
import { Attention } from "./attention.ts";
import { prechatForm, ratingCard, textIn, transcriptCard } from "./cards.ts";
import { Client } from "./client.ts";
import { Composer } from "./composer.ts";
import { ICONS } from "./icons.ts";
import { drawThumbnail, save } from "./media.ts";
import { type Item, Log } from "./messages.ts";
import { Menu } from "./menu.ts";
import { Presence } from "./presence.ts";
import type { Message, Status } from "./protocol.ts";
import { fill, loadWords, type Words } from "./words.ts";

/** Build the panel, begin to listen, and return what the page's API calls. */
export async function begin(context: Context): Promise<App> {
  const words = await loadWords(context.language);
  const { config, options } = context;
  if (config.inbox === "" && !config.company) config.inbox = options.inbox;
  return new Panel(context, words);
}

class Panel implements App {
  private client: Client;
  private attention: Attention;
  private readonly presence: Presence;
  private isOpen = false;
  private isPinned = true;
  private lastTop = 0;
  private frame = 0;
  private focusedBefore: Element | null = null;
  private avatar: Blob | null = null;
  private previewed = "";
  private asksAnew = false;
  private readonly title = el("h2", { id: "title" });
  private readonly lead = el("span", { class: "lead" });
  private readonly mark = el("span", { class: "mark", "aria-hidden": "true" }, icon(ICONS.chat, 22));
  private readonly offline = el("div", { class: "offline", role: "status", hidden: true });
  private readonly hello = el("div", { class: "hello" });
  private readonly aside = el("div", { class: "aside", role: "status", hidden: true });
  private readonly typing = el("div", { class: "typing", role: "status", hidden: true });
  private readonly card = el("div", { class: "cards" });
  private readonly before = el("div", { class: "cards" });
  private readonly scroll: HTMLElement;
  private readonly jump: HTMLButtonElement;
  private readonly person: HTMLButtonElement;
  private readonly foot: HTMLElement;
  private readonly panel: HTMLElement;
  private readonly overlay = el("div", { class: "overlay", role: "dialog", "aria-modal": "true", hidden: true });
  private readonly log: Log;
  private readonly composer: Composer;
  private readonly menu: Menu;

  constructor(private readonly context: Context, private readonly words: Words) {
    // The language's own habits for times and sizes, or those of the visitor's country.
    const isTheirs = navigator.language.split("-")[0] === context.language;
    const locale = isTheirs ? navigator.language : context.language;
    this.presence = new Presence(words, locale, () => context.config);
    this.client = this.speakAs(context.options.identity ?? null);
    this.attention = new Attention(this.client.session.store);
    this.log = new Log({
      client: () => this.client, words, locale,
      botName: () => context.config.widget.bot_name || words.bot,
      avatar: () => this.avatar,
      enlarge: (picture, name, blob) => this.enlarge(picture, name, blob),
      judge: (message, score, reason) => this.client.tell("feedback", { message_id: message.id, score, reason }),
    }, words.title);
    this.composer = new Composer({
      words, locale, config: () => context.config, draft: this.client.session.store.read<string>("draft") ?? "",
      say: (text, files) => this.say(text, files),
      wrote: (text) => this.noteDraft(text),
    });
    this.menu = new Menu(words.menu);
    this.jump = button({ class: "jump", hidden: true }, [icon(ICONS.down, 16), words.newMessages], () => this.scrollDown(true));
    this.person = button({ class: "person" }, [icon(ICONS.person, 17), words.person], () => {
      void this.client.outbox.add(words.personMessage, [], true);
      this.scrollDown(true);
      this.composer.text.focus();
    });
    this.scroll = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": words.title },
      this.hello, this.before, this.log.node, this.aside, this.card, this.typing);
    this.scroll.addEventListener("scroll", () => this.noteScroll(), { passive: true });
    // Pictures and opened forms grow after they were drawn: who reads the end goes on reading it.
    const grown = new ResizeObserver(() => this.isPinned && this.scrollDown(false));
    for (const part of [this.log.node, this.card, this.scroll]) grown.observe(part);
    this.foot = el("div", { class: "foot" }, this.jump,
      el("div", { class: "tools" }, this.person, el("span", { class: "checked" }, words.powered)), this.composer.node);
    this.panel = this.build();
    this.applySettings();
    context.root.adoptedStyleSheets = [...context.root.adoptedStyleSheets, sheetOf(css)];
    context.root.append(this.panel);
    document.addEventListener("visibilitychange", () => this.changed());
    this.client.begin();
    this.render();
    if (this.client.session.store.read("open") && matchMedia("(min-width: 481px)").matches) this.open();
  }

  // -- what the page's API calls -------------------------------------------------------------

  open(): void {
    if (this.isOpen) return;
    this.focusedBefore = document.activeElement;
    this.isOpen = true;
    this.client.session.store.write("open", true);
    this.panel.hidden = false;
    this.render();
    this.scrollDown(false);
    this.composer.update();
    this.firstField().focus({ preventScroll: true });
    this.client.begin();
    this.context.emit("open", undefined);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.client.session.store.write("open", null);
    this.panel.hidden = true;
    this.menu.close();
    this.render();
    const before = this.focusedBefore;
    const isOurs = !before || before === document.body || before === this.context.root.host || !before.isConnected;
    (isOurs ? this.context.launcher.button : (before as HTMLElement)).focus({ preventScroll: true });
    this.context.emit("close", undefined);
  }

  ask(question: string): void {
    this.open();
    this.composer.text.value = question.slice(0, this.context.config.limits.chars);
    this.composer.update();
    this.composer.text.focus();
  }

  identify(identity: SignedIdentity | null): void {
    if ((identity?.id ?? "") === (this.client.session.identity?.id ?? "")) return;
    this.client.close();
    this.begin(identity);
  }

  async logout(): Promise<void> {
    this.close();
    const leaving = this.client;
    this.begin(null);
    await leaving.forget();
    if (this.client.session.store.place !== leaving.session.store.place) return;
    this.client.close(); // the visitor's own place was cleared under the new client's feet
    this.begin(null);
  }

  configure(change: Preview): void {
    const { avatar, ...widget } = change;
    this.context.config = { ...this.context.config, widget: { ...this.context.config.widget, ...widget } };
    if (avatar !== undefined) this.previewAvatar(avatar);
    this.previewPrechat(widget.prechat);
    this.context.paint(this.context.config.widget);
    this.applySettings();
    this.composer.update();
    this.render();
  }

  // -- who speaks ----------------------------------------------------------------------------

  private begin(identity: SignedIdentity | null): void {
    this.client = this.speakAs(identity);
    this.attention = new Attention(this.client.session.store);
    this.composer.text.value = this.client.session.store.read<string>("draft") ?? "";
    this.composer.update();
    this.card.replaceChildren();
    this.client.begin();
    this.applySettings();
    this.render();
  }

  private speakAs(identity: SignedIdentity | null): Client {
    const { server, inbox } = this.context.options;
    const made: Client = new Client(server, inbox, identity, {
      changed: () => made === this.client && this.changed(),
      arrived: (message) => made === this.client && this.arrived(message),
      turned: (status) => made === this.client && this.turned(status),
    });
    return made;
  }

  private say(text: string, files: File[]): void {
    void this.client.outbox.add(text, files);
    this.scrollDown(true);
  }

  private noteDraft(text: string): void {
    this.client.session.store.write("draft", text || null);
    if (text.trim()) this.client.tellTyping();
  }

  private arrived(message: Message): void {
    this.context.emit("message", { author: message.author, text: message.text });
    const isSeen = this.isOpen && !document.hidden;
    if (message.author !== "contact" && !isSeen && this.context.config.widget.sound) this.attention.ring();
  }

  private turned(status: Status): void {
    this.context.emit("status", { status });
    if (status !== "resolved") this.card.replaceChildren();
  }

  // -- building ------------------------------------------------------------------------------

  private build(): HTMLElement {
    const { words } = this;
    const shut = button({ class: "round shut", "aria-label": words.close, title: words.close }, [icon(ICONS.close)], () => this.close());
    const head = el("div", { class: "head" }, this.mark, el("div", { class: "names" }, this.title, this.lead), this.menu.button, shut);
    const panel = el("div", { class: "panel", id: "panel", role: "dialog", "aria-modal": "true", "aria-labelledby": "title", hidden: true },
      head, this.menu.list, this.offline, this.scroll, this.foot, el("div", { class: "drop", "aria-hidden": "true" }, words.dropHere), this.overlay);
    panel.addEventListener("keydown", (event) => this.keepFocus(event));
    panel.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      panel.classList.add("dropping");
    });
    panel.addEventListener("dragleave", (event) => panel.contains(event.relatedTarget as Node | null) || panel.classList.remove("dropping"));
    panel.addEventListener("drop", (event) => {
      event.preventDefault();
      panel.classList.remove("dropping");
      this.composer.add([...(event.dataTransfer?.files ?? [])]);
    });
    return panel;
  }

  private applySettings(): void {
    const { context, words } = this;
    const { widget, company, inbox } = context.config;
    const texts = widget.texts[context.language] ?? widget.texts["*"] ?? {};
    this.title.textContent = context.options.title || texts.title || company || words.title;
    this.hello.replaceChildren(el("strong", {}, texts.hello || words.hello), el("span", {}, texts.hello_more || words.helloMore));
    const note = this.presence.closedNote();
    if (note) this.hello.append(el("p", { class: "closed" }, note));
    this.composer.text.placeholder = texts.placeholder || words.placeholder;
    this.menu.fill(() => this.menuEntries());
    if (widget.has_avatar) void this.fetchAvatar(inbox);
    this.drawPrechat();
  }

  private async fetchAvatar(inbox: string): Promise<void> {
    const { server } = this.context.options;
    try {
      const response = await fetch(`${server}/chat/${encodeURIComponent(inbox)}/avatar`, { credentials: "omit" });
      if (response.ok) await this.showAvatar(await response.blob());
    } catch {
      // The mark stays as it is.
    }
  }

  private async showAvatar(avatar: Blob): Promise<void> {
    const face = await drawThumbnail(avatar, "");
    face.removeAttribute("role");
    this.avatar = avatar;
    this.mark.replaceChildren(face);
    this.render();
  }

  /** A picture that is not saved yet, as base64; an empty one takes ours. */
  private previewAvatar(picture: string): void {
    this.context.config.widget.has_avatar = false; // the saved one is not fetched over it
    if (picture) {
      const bytes = Uint8Array.from(atob(picture), (each) => each.charCodeAt(0));
      return void this.showAvatar(new Blob([bytes])).catch(() => null);
    }
    this.avatar = null;
    this.mark.replaceChildren(icon(ICONS.chat, 22));
  }

  /** Who changes the form sees it, though they have filled it in or spoken before. */
  private previewPrechat(prechat: WidgetSetting["prechat"] | undefined): void {
    const form = JSON.stringify(prechat ?? null);
    if (prechat !== undefined && form !== this.previewed) this.asksAnew = prechat !== null;
    this.previewed = form;
  }

  private drawPrechat(): void {
    const { prechat } = this.context.config.widget;
    const { store, token } = this.client.session;
    const isNew = !token && !store.read("details") && !this.client.outbox.items.length;
    const isAsked = prechat !== null && (isNew || this.asksAnew);
    this.foot.hidden = isAsked;
    if (!isAsked) return this.before.replaceChildren();
    const { language } = this.context;
    this.before.replaceChildren(prechatForm(this.words, language, textIn(prechat.intro, language), prechat.fields, (details) => {
      store.write("details", details);
      if (details.email) store.write("email", details.email);
      this.asksAnew = false;
      this.drawPrechat();
      this.composer.update();
      this.composer.text.focus();
    }));
  }

  private menuEntries(): { icon: readonly string[]; label: string; act: () => void }[] {
    const { words, attention } = this;
    const { widget } = this.context.config;
    const { status } = this.client.talk;
    const entries = [];
    if (widget.sound) {
      entries.push({
        icon: attention.isMuted ? ICONS.sound : ICONS.silent, label: attention.isMuted ? words.unmute : words.mute,
        act: () => (attention.isMuted = !attention.isMuted),
      });
    }
    if (widget.transcript && this.client.talk.messages.size) {
      entries.push({ icon: ICONS.mail, label: words.transcript, act: () => this.askTranscript() });
    }
    if (status === "pending" || status === "open") {
      entries.push({ icon: ICONS.end, label: words.endChat, act: () => void this.client.tell("end", {}) });
    }
    return entries;
  }

  private askTranscript(): void {
    const { store } = this.client.session;
    const send = async (address: string): Promise<boolean> => {
      store.write("email", address);
      return this.client.tell("transcript", { address, language: this.context.language });
    };
    this.card.replaceChildren(transcriptCard(this.words, store.read<string>("email") ?? "", send, () => this.card.replaceChildren()));
    this.scrollDown(false);
    this.card.querySelector("input")?.focus();
  }

  private enlarge(picture: HTMLCanvasElement, name: string, blob: Blob): void {
    const { words } = this;
    const back = this.context.root.activeElement as HTMLElement | null;
    const shut = (): void => {
      this.overlay.hidden = true;
      this.overlay.replaceChildren();
      back?.focus();
    };
    const close = button({ class: "round", "aria-label": words.shut }, [icon(ICONS.close)], shut);
    const keep = button({ class: "round", "aria-label": fill(words.save, { name }) }, [icon(ICONS.save)], () => save(blob, name));
    this.overlay.setAttribute("aria-label", name);
    this.overlay.replaceChildren(el("div", { class: "row" }, keep, close), picture);
    this.overlay.hidden = false;
    close.focus();
  }

  // -- drawing -------------------------------------------------------------------------------

  private changed(): void {
    // A hidden page draws no frames, but its title and the badge must still tell.
    if (document.hidden) return this.render();
    this.frame ||= requestAnimationFrame(() => this.render());
  }

  private render(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const items = this.log.items;
    this.log.draw(items);
    const { talk, isConnected } = this.client;
    if (this.isOpen && !document.hidden) this.attention.see(talk.position);
    this.tellUnread();
    this.offline.hidden = isConnected;
    this.offline.textContent = navigator.onLine === false ? this.words.offline : this.words.noAnswer;
    this.hello.hidden = talk.messages.size > 3;
    this.person.hidden = talk.status === "open" || !this.context.config.widget.person;
    this.lead.textContent = this.presence.lead(talk);
    this.drawAside();
    this.drawTyping(items);
    this.drawRating();
    if (talk.messages.size && !this.before.childElementCount !== !this.foot.hidden) this.drawPrechat();
    if (this.isPinned) this.scrollDown(false);
    else this.jump.hidden = !this.isOpen || this.isAtBottom;
  }

  private unread = -1;

  private tellUnread(): void {
    const count = this.isOpen && !document.hidden ? 0 : this.attention.unread(this.client.talk.messages.values());
    this.context.launcher.show(this.isOpen, count);
    this.attention.hint(count);
    if (count !== this.unread) this.context.emit("unread", { count });
    this.unread = count;
  }

  private drawAside(): void {
    const told = this.presence.aside(this.client.talk);
    this.aside.hidden = !told;
    if (this.aside.textContent !== told) this.aside.textContent = told;
  }

  private drawTyping(items: Item[]): void {
    const { talk } = this.client;
    const last = items[items.length - 1];
    const botWrites = talk.botWrites && talk.status !== "open" && !(last?.author === "bot" && last.is_growing);
    const agent = talk.agentWrites === null ? null : talk.agentWrites || this.words.agent;
    const name = agent ?? (botWrites ? this.context.config.widget.bot_name || this.words.bot : null);
    this.typing.hidden = name === null;
    if (name === null || this.typing.dataset.name === name) return;
    this.typing.dataset.name = name;
    this.typing.replaceChildren(el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), el("span", {}, fill(this.words.writes, { name })));
  }

  private drawRating(): void {
    const { talk } = this.client;
    const isAsked = this.context.config.widget.rating && talk.status === "resolved" && talk.rating === null;
    if (!isAsked || this.card.childElementCount) return;
    this.card.replaceChildren(ratingCard(this.words, async (score, comment) => {
      const isDone = await this.client.tell("rating", { score, comment });
      if (isDone) talk.rating = score;
      return isDone;
    }));
  }

  // -- focus and scrolling -------------------------------------------------------------------

  private firstField(): HTMLElement {
    return this.before.querySelector<HTMLElement>("input, select") ?? this.composer.text;
  }

  private keepFocus(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      event.stopPropagation();
      if (!this.overlay.hidden) this.overlay.querySelector<HTMLElement>(".round:last-child")?.click();
      else if (!this.menu.close()) this.close();
    } else if (event.key === "Tab") this.cycleFocus(event);
  }

  private cycleFocus(event: KeyboardEvent): void {
    const inside = this.overlay.hidden ? this.panel : this.overlay;
    const stops = [...inside.querySelectorAll<HTMLElement>("button:not([disabled]), a[href], textarea, summary, input, select, [tabindex='0']")]
      .filter((stop) => stop.tabIndex >= 0 && stop.checkVisibility());
    const current = this.context.root.activeElement;
    const [first, last] = [stops[0], stops[stops.length - 1]];
    if (event.shiftKey && (current === first || current === null)) (event.preventDefault(), last?.focus());
    else if (!event.shiftKey && current === last) (event.preventDefault(), first?.focus());
  }

  private get isAtBottom(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.scroll;
    return scrollHeight - scrollTop - clientHeight < 90;
  }

  /** Only who scrolls up leaves the end; on its way down a smooth scroll is there already. */
  private noteScroll(): void {
    const { scrollTop } = this.scroll;
    if (this.isAtBottom) this.isPinned = true;
    else if (scrollTop < this.lastTop) this.isPinned = false;
    this.lastTop = scrollTop;
    if (this.isPinned) this.jump.hidden = true;
  }

  private scrollDown(isSmooth: boolean): void {
    this.isPinned = true;
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.scroll.scrollTo({ top: this.scroll.scrollHeight, behavior: isSmooth && !isCalm ? "smooth" : "instant" });
    this.jump.hidden = true;
  }
}

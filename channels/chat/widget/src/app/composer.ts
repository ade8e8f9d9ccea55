/* Where the visitor writes: text, files by button, paste and drop, and a voice message. */
import type { Config } from "../config.ts";
import { button, el, icon } from "../dom.ts";
import { ICONS } from "./icons.ts";
import { clock, drawThumbnail, isPicture } from "./media.ts";
import { tellSize } from "./messages.ts";
import { canRecord, LONGEST_SECONDS, Recording } from "./recorder.ts";
import { fill, type Words } from "./words.ts";

export interface ComposerParts {
  words: Words;
  locale: string;
  config(): Config;
  draft: string;
  say(text: string, files: File[]): void;
  wrote(text: string): void;
}

export class Composer {
  readonly text: HTMLTextAreaElement;
  readonly node: HTMLElement;
  private readonly send: HTMLButtonElement;
  private readonly attach: HTMLButtonElement;
  private readonly microphone: HTMLButtonElement;
  private readonly input = el("input", { type: "file", multiple: true, class: "quietly", tabindex: -1, "aria-hidden": "true" });
  private readonly tray = el("div", { class: "tray", hidden: true });
  private readonly line: HTMLElement;
  private readonly note = el("div", { class: "count", role: "status", hidden: true });
  private readonly recorder = el("div", { class: "recorder", hidden: true });
  private files: File[] = [];
  private recording: Recording | null = null;

  constructor(private readonly parts: ComposerParts) {
    const { words } = parts;
    this.text = el("textarea", { rows: 1, placeholder: words.placeholder, "aria-label": words.label, enterkeyhint: "send", dir: "auto" });
    this.text.value = parts.draft;
    this.text.addEventListener("input", () => this.update());
    this.text.addEventListener("keydown", (event) => this.pressed(event));
    this.text.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) (event.preventDefault(), this.add(files));
    });
    this.input.addEventListener("change", () => {
      this.add([...(this.input.files ?? [])]);
      this.input.value = "";
    });
    this.attach = button({ class: "tool attach", "aria-label": words.attach, title: words.attach }, [icon(ICONS.clip)], () => this.input.click());
    this.microphone = button({ class: "tool microphone", "aria-label": words.record, title: words.record }, [icon(ICONS.microphone)], () => void this.record());
    this.send = button({ class: "send", "aria-label": words.send, title: words.send }, [icon(ICONS.send)], () => this.submit());
    this.line = el("div", { class: "composer" }, this.attach, this.text, this.microphone, this.send, this.input);
    this.node = el("div", { class: "writing" }, this.tray, this.line, this.recorder, this.note);
    this.update();
  }

  /** Take what was dropped or chosen, within the limits. */
  add(files: File[]): void {
    const { config, words } = this.parts;
    const { limits, widget } = config();
    if (!widget.files || !files.length) return;
    let trouble = "";
    for (const file of files) {
      const all = this.files.reduce((sum, one) => sum + one.size, file.size);
      if (this.files.length >= limits.files) trouble = fill(words.tooMany, { n: limits.files });
      else if (file.size > limits.file_bytes || all > limits.all_bytes) {
        trouble = fill(words.tooLarge, { name: file.name, max: Math.floor(Math.min(limits.file_bytes, limits.all_bytes) / 2 ** 20) });
      } else this.files.push(file);
    }
    this.drawTray();
    this.update(trouble);
    this.text.focus();
  }

  update(trouble = ""): void {
    const { config, words } = this.parts;
    const { limits, widget } = config();
    const length = this.text.value.trim().length;
    const isTooLong = length > limits.chars;
    this.text.style.height = "0px"; // so that the field also shrinks
    this.text.style.height = `${Math.max(this.text.scrollHeight, 36)}px`;
    this.send.disabled = isTooLong || (!length && !this.files.length);
    const told = isTooLong ? fill(words.tooLong, { n: length, max: limits.chars }) : trouble;
    this.note.hidden = !told;
    this.note.textContent = told;
    this.attach.hidden = !widget.files;
    this.microphone.hidden = !widget.voice || !widget.files || length > 0 || this.files.length > 0 || !canRecord();
    this.parts.wrote(this.text.value);
  }

  private pressed(event: KeyboardEvent): void {
    // While an input method composes, Enter chooses a word (keyCode 229 where isComposing lies).
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.submit();
  }

  private submit(): void {
    if (this.send.disabled) return;
    const text = this.text.value.trim();
    const files = this.files;
    this.text.value = "";
    this.files = [];
    this.drawTray();
    this.update();
    this.parts.say(text, files);
    this.text.focus();
  }

  private drawTray(): void {
    const { words, locale } = this.parts;
    this.tray.hidden = !this.files.length;
    this.tray.replaceChildren(...this.files.map((file) => {
      const face = el("span", { class: "thumb-small", "aria-hidden": "true" }, icon(ICONS.file, 18));
      if (isPicture(file.type)) void drawThumbnail(file, "").then((canvas) => face.replaceChildren(canvas), () => null);
      const remove = button({ class: "small", "aria-label": `${words.remove}: ${file.name}` }, [icon(ICONS.close, 14)], () => {
        this.files = this.files.filter((one) => one !== file);
        this.drawTray();
        this.update();
        this.text.focus();
      });
      return el("div", { class: "chosen" }, face, el("span", { class: "name" }, file.name), el("span", { class: "size" }, tellSize(file.size, locale)), remove);
    }));
  }

  private async record(): Promise<void> {
    const { words } = this.parts;
    try {
      this.recording = await Recording.begin();
    } catch {
      return this.update(words.noMicrophone);
    }
    const recording = this.recording;
    const time = el("span", { class: "time-left" }, "0:00");
    const finish = button({ class: "send", "aria-label": words.sendVoice, title: words.sendVoice }, [icon(ICONS.send)], () => void this.finish(true));
    const discard = button({ class: "tool", "aria-label": words.discard, title: words.discard }, [icon(ICONS.close)], () => void this.finish(false));
    this.recorder.replaceChildren(discard, el("span", { class: "red", "aria-hidden": "true" }), el("span", { role: "status" }, words.recording), time, finish);
    this.recorder.hidden = false;
    this.line.hidden = true;
    finish.focus();
    const ticking = setInterval(() => {
      const seconds = (Date.now() - recording.startedAt) / 1000;
      time.textContent = clock(seconds);
      if (this.recording !== recording) clearInterval(ticking);
      else if (seconds >= LONGEST_SECONDS) void this.finish(true);
    }, 250);
  }

  private async finish(isSent: boolean): Promise<void> {
    const recording = this.recording;
    this.recording = null;
    this.recorder.hidden = true;
    this.line.hidden = false;
    this.text.focus();
    if (!recording) return;
    if (isSent) this.parts.say("", [await recording.finish()]);
    else recording.discard();
  }
}

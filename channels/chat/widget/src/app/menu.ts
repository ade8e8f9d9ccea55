/* The panel's few other things to do, behind one button. */
import { button, el, icon } from "../dom.ts";
import { ICONS } from "./icons.ts";

export interface Entry {
  icon: readonly string[];
  label: string;
  act: () => void;
}

export class Menu {
  readonly list = el("div", { class: "menu", id: "menu", hidden: true });
  readonly button: HTMLButtonElement;
  private entries: () => Entry[] = () => [];

  constructor(label: string) {
    this.button = button({ class: "round", "aria-label": label, title: label, "aria-expanded": "false", "aria-controls": "menu" }, [icon(ICONS.more)], () =>
      this.list.hidden ? this.open() : void this.close());
    this.list.addEventListener("keydown", (event) => this.move(event));
    this.list.addEventListener("focusout", (event) => {
      const to = event.relatedTarget as Node | null;
      if (to && to !== this.button && !this.list.contains(to)) this.hide();
    });
  }

  fill(entries: () => Entry[]): void {
    this.entries = entries;
  }

  /** False if it was closed already. */
  close(): boolean {
    if (this.list.hidden) return false;
    this.hide();
    this.button.focus();
    return true;
  }

  private open(): void {
    this.list.replaceChildren(...this.entries().map((entry) =>
      button({ class: "entry" }, [icon(entry.icon, 18), el("span", {}, entry.label)], () => {
        this.close();
        entry.act();
      })));
    this.list.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.list.querySelector("button")?.focus();
  }

  private hide(): void {
    this.list.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
  }

  private move(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...this.list.querySelectorAll("button")];
    const at = all.indexOf((this.list.getRootNode() as ShadowRoot).activeElement as HTMLButtonElement);
    all[(at + step + all.length) % all.length]?.focus();
  }
}

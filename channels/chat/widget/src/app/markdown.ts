/* Markdown as DOM nodes, safely: no text ever becomes markup, and nothing is fetched.
 *
 * Texts grow while they are shown. What stands already is left alone, node for node; only what is
 * new is added, and fades in. So nothing flickers, and a selection survives.
 */
import { el } from "../dom.ts";

export interface Block {
  kind: "p" | "h" | "ul" | "ol" | "quote" | "pre";
  lines: string[];
  /** The first number of an ordered list. */
  start?: number;
}

const ITEM = /^\s*(?:([-*•+])|(\d{1,3})[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*)$/;
const QUOTE = /^>\s?(.*)$/;
const FENCE = /^\s*```/;

export function parseBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  let current: Block | null = null;
  const add = (kind: Block["kind"], line: string, start?: number): void => {
    if (current?.kind === kind && kind !== "h") current.lines.push(line);
    else blocks.push((current = { kind, lines: [line], start }));
  };
  let inCode = false;
  for (const line of text.split("\n")) {
    if (FENCE.test(line)) {
      inCode = !inCode;
      current = null;
      if (inCode) blocks.push((current = { kind: "pre", lines: [] }));
      continue;
    }
    if (inCode) {
      add("pre", line);
      continue;
    }
    const item = ITEM.exec(line);
    const heading = HEADING.exec(line);
    const quote = QUOTE.exec(line);
    if (item) add(item[2] ? "ol" : "ul", item[3] ?? "", Number(item[2] ?? 1));
    else if (heading) add("h", heading[1] ?? "");
    else if (quote) add("quote", quote[1] ?? "");
    else if (line.trim()) add("p", line);
    else current = null;
  }
  return blocks;
}

const INLINE =
  /\*\*([^*\n]+)\*\*|(?<![\w*])\*([^*\s][^*\n]*)\*(?!\w)|`([^`\n]+)`|!?\[([^\]\n]+)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>"')\]]+[^\s<>"')\].,;:!?，。；：！？])/g;

/** Text with its inline marks as elements, appended to a node. */
export function appendInline<Parent extends Node & ParentNode>(parent: Parent, text: string): Parent {
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    parent.append(text.slice(from, match.index));
    const [whole, bold, italic, code, label, target, bare] = match;
    if (bold) parent.append(el("strong", {}, bold));
    else if (italic) parent.append(el("em", {}, italic));
    else if (code) parent.append(el("code", {}, code));
    else parent.append(link(target ?? bare ?? "", label ?? bare ?? "") ?? whole);
    from = match.index + whole.length;
  }
  parent.append(text.slice(from));
  return parent;
}

/** The address if it leads to a web page, resolved against the page; else null. */
export function safeUrl(target: string): string | null {
  try {
    const url = new URL(target, location.href);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

function link(target: string, label: string): HTMLAnchorElement | null {
  const href = safeUrl(target);
  return href ? el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, label) : null;
}

/** One text in one node; `show` may be called again and again with a longer text. */
export class GrowingText {
  private blocks: Block[] = [];
  private nodes: HTMLElement[] = [];

  constructor(readonly node: HTMLElement) {}

  show(text: string, isGrowing: boolean): void {
    const blocks = parseBlocks(text);
    blocks.forEach((block, at) => {
      const old = this.blocks[at];
      const node = this.nodes[at];
      if (old && node && grow(node, old, block, isGrowing)) return;
      const made = draw(block);
      if (isGrowing) made.classList.add("sentence");
      if (node) node.replaceWith(made);
      else this.node.append(made);
      this.nodes[at] = made;
    });
    for (const left of this.nodes.splice(blocks.length)) left.remove();
    this.blocks = blocks;
  }
}

/** Add what is new in a block; false if it has to be drawn anew. */
function grow(node: HTMLElement, old: Block, block: Block, isGrowing: boolean): boolean {
  if (old.kind !== block.kind) return false;
  const before = old.lines.join("\n");
  const after = block.lines.join("\n");
  if (before === after) return true;
  if (block.kind === "ul" || block.kind === "ol") {
    if (!old.lines.every((line, at) => line === block.lines[at])) return false;
    for (const line of block.lines.slice(old.lines.length)) {
      node.append(appendInline(el("li", { class: isGrowing ? "sentence" : null }), line));
    }
    return true;
  }
  if (block.kind !== "p" || !after.startsWith(before)) return false;
  const fresh = el("span", { class: isGrowing ? "sentence" : null });
  appendLines(fresh, after.slice(before.length).split("\n"));
  node.append(fresh);
  return true;
}

function draw(block: Block): HTMLElement {
  if (block.kind === "pre") return el("pre", { tabindex: 0 }, block.lines.join("\n"));
  if (block.kind === "h") return appendInline(el("p", { class: "heading" }), block.lines[0] ?? "");
  if (block.kind === "ul" || block.kind === "ol") {
    const list = el(block.kind, block.start && block.start !== 1 ? { start: block.start } : {});
    list.append(...block.lines.map((line) => appendInline(el("li"), line)));
    return list;
  }
  return appendLines(el(block.kind === "quote" ? "blockquote" : "p"), block.lines);
}

function appendLines(parent: HTMLElement, lines: string[]): HTMLElement {
  lines.forEach((line, at) => {
    if (at) parent.append(el("br"));
    appendInline(parent, line);
  });
  return parent;
}

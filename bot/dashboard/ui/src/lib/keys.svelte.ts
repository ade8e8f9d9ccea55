/** Keyboard shortcuts: pages register commands; the palette lists what is possible just now. */
import { untrack } from "svelte";
import { SvelteMap } from "svelte/reactivity";

export interface Command {
  /** Names it for good, such as `conversation.take-over`. */
  id: string;
  label: string;
  group: string;
  /** One key (`t`), a key with modifiers (`mod+Enter`) or two in a row (`g i`). */
  keys?: string;
  /** Also while somebody types in a field. */
  whileTyping?: boolean;
  run: () => void;
}

const SEQUENCE_MS = 900;

export const commands = new SvelteMap<string, Command>();
/** How many dialogs and menus are open. Not reactive: whoever counts must not run again for it. */
export const layers = { open: 0 };
let first = "";
let firstAt = 0;

/** Offers commands while a component lives; use as `$effect(() => offer([...]))`. */
export function offer(offered: Command[]): () => void {
  untrack(() => {
    for (const command of offered) commands.set(command.id, command);
  });
  return () =>
    untrack(() => {
      for (const command of offered) {
        if (commands.get(command.id) === command) commands.delete(command.id);
      }
    });
}

export function handleKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.repeat) return;
  const typing = isTyping(event.target);
  // A dialog or menu has the keys to itself; only what works while typing still does.
  if (layers.open > 0) return;
  const pressed = pressedKeys(event);
  const sequence = event.timeStamp - firstAt < SEQUENCE_MS ? `${first} ${pressed}` : "";
  const command = find(sequence, typing) ?? find(pressed, typing);
  first = command ? "" : pressed;
  firstAt = event.timeStamp;
  if (command) {
    event.preventDefault();
    command.run();
  }
}

/** A shortcut as people read it: parts of it, one a key. */
export function keyNames(keys: string): string[] {
  const mac = navigator.platform.startsWith("Mac");
  return keys.split(/[ +]/).map((key) => {
    if (key === "mod") return mac ? "⌘" : "Ctrl";
    if (key === "shift") return mac ? "⇧" : "Shift";
    if (key === "Enter") return mac ? "↩" : "Enter";
    return key.length === 1 ? key.toUpperCase() : key;
  });
}

/** The command of these keys; a page's own goes before the shell's, which was there first. */
function find(keys: string, typing: boolean): Command | undefined {
  if (!keys) return undefined;
  let found: Command | undefined;
  for (const command of commands.values()) {
    if (command.keys === keys && (!typing || command.whileTyping)) found = command;
  }
  return found;
}

function pressedKeys(event: KeyboardEvent): string {
  const modifiers = [];
  if (event.metaKey || event.ctrlKey) modifiers.push("mod");
  if (event.altKey) modifiers.push("alt");
  const letter = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isLetter = /^[a-z]$/.test(letter) || event.key.length > 1;
  if (event.shiftKey && isLetter) modifiers.push("shift");
  return [...modifiers, letter].join("+");
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

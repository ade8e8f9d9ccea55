/* The words of the opened chat; each language but English is a file of its own, fetched when spoken. */
import type { Language } from "../language.ts";
import english, { type Words } from "./words/en.ts";

export type { Words } from "./words/en.ts";

const OTHERS: Record<Exclude<Language, "en">, () => Promise<{ default: Words }>> = {
  zh: () => import("./words/zh.ts"),
  de: () => import("./words/de.ts"),
  es: () => import("./words/es.ts"),
  fr: () => import("./words/fr.ts"),
  ja: () => import("./words/ja.ts"),
  ar: () => import("./words/ar.ts"),
};

export async function loadWords(language: Language): Promise<Words> {
  if (language === "en") return english;
  const found = await OTHERS[language]().catch(() => null);
  return found?.default ?? english;
}

/** `{name}` and the like replaced by what they stand for. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

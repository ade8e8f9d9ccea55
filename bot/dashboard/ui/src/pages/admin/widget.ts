/** The widget's settings as the dashboard edits them; docs/widget.md tells what each is. */
export interface Texts {
  title: string;
  hello: string;
  hello_more: string;
  placeholder: string;
}

export interface Asked {
  key: string;
  kind: "text" | "email" | "choice";
  label: Record<string, string>;
  required: boolean;
  choices: string[];
}

export interface PrechatSetting {
  intro: Record<string, string>;
  fields: Asked[];
}

export interface Setting {
  accent: string;
  accent_dark: string;
  scheme: string;
  position: string;
  bot_name: string;
  texts: Record<string, Partial<Texts>>;
  prechat: PrechatSetting | null;
  avatar: string;
  [toggle: string]: unknown;
}

export const MAX_ASKED = 8;

// What most companies ask, in the languages that the widget speaks.
const NAME = { "*": "Your name", en: "Your name", zh: "您的姓名", de: "Ihr Name", es: "Su nombre", fr: "Votre nom", ja: "お名前", ar: "اسمك" };
const EMAIL = { "*": "E-mail", en: "E-mail", zh: "电子邮箱", de: "E-Mail", es: "Correo electrónico", fr: "E-mail", ja: "メールアドレス", ar: "البريد الإلكتروني" };

export const askName = (): Asked => ({ key: "name", kind: "text", label: { ...NAME }, required: true, choices: [] });
export const askEmail = (): Asked => ({ key: "email", kind: "email", label: { ...EMAIL }, required: false, choices: [] });

/** A question of the company's own; its key is new among these. */
export function askOther(kind: "text" | "choice", among: Asked[]): Asked {
  const taken = new Set(among.map((each) => each.key));
  let number = 1;
  while (taken.has(`question_${number}`)) number += 1;
  return { key: `question_${number}`, kind, label: {}, required: false, choices: [] };
}

/** What a visitor could not answer, told so that it can be mended; empty where all is well. */
export function problemOf(prechat: PrechatSetting | null): string {
  for (const [at, each] of (prechat?.fields ?? []).entries()) {
    if (!Object.values(each.label).some((label) => label.trim())) return `Question ${at + 1} has no words yet.`;
    if (each.kind === "choice" && each.choices.length < 2) return `Question ${at + 1} needs two answers to choose from.`;
  }
  return prechat && prechat.fields.length === 0 ? "The form asks nothing yet: add a question, or leave the form out." : "";
}

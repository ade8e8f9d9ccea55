/* What the visitor is asked outside of messages: before the chat, at its end, and where to mail it. */
import type { FieldSetting } from "../config.ts";
import { button, el } from "../dom.ts";
import { fill, type Words } from "./words.ts";

const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

/** One of a setting's texts: in the visitor's language, else in any ("*"), else in English. */
export function textIn(texts: Record<string, string> | undefined, language: string): string {
  return texts?.[language] || texts?.["*"] || texts?.en || Object.values(texts ?? {})[0] || "";
}

/** The form before the chat; `begun` gets what was filled in. */
export function prechatForm(
  words: Words, language: string, intro: string, fields: FieldSetting[], begun: (details: Record<string, string>) => void,
): HTMLElement {
  const rows = fields.map((field) => fieldRow(words, language, field));
  const form = el("form", { class: "card prechat", novalidate: true, "aria-label": words.before },
    el("strong", {}, intro || words.before), ...rows.map((row) => row.node),
    el("button", { class: "solid", type: "submit" }, words.begin));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wrong = rows.filter((row) => !row.check());
    if (wrong[0]) return wrong[0].control.focus();
    const filled = rows.map((row) => [row.key, row.control.value.trim()]).filter(([, value]) => value);
    begun(Object.fromEntries(filled) as Record<string, string>);
  });
  return form;
}

interface Row {
  key: string;
  node: HTMLElement;
  control: HTMLInputElement | HTMLSelectElement;
  check(): boolean;
}

function fieldRow(words: Words, language: string, field: FieldSetting): Row {
  const id = `before-${field.key}`;
  const known = { id, class: "field", "aria-describedby": `${id}-trouble`, required: field.required };
  const control = field.kind === "choice"
    ? el("select", known, el("option", { value: "" }, words.choose), ...field.choices.map((choice) => el("option", {}, choice)))
    : el("input", { ...known, type: field.kind, maxlength: 200, autocomplete: field.key === "name" ? "name" : field.kind === "email" ? "email" : "on" });
  const trouble = el("span", { class: "trouble", id: `${id}-trouble`, role: "alert" });
  const label = el("label", { for: id }, textIn(field.label, language) || field.key);
  if (!field.required) label.append(el("span", { class: "quiet" }, ` (${words.optional})`));
  const check = (): boolean => {
    const value = control.value.trim();
    const told = field.required && !value ? words.required : value && field.kind === "email" && !EMAIL.test(value) ? words.wrongEmail : "";
    trouble.textContent = told;
    control.setAttribute("aria-invalid", String(Boolean(told)));
    return !told;
  };
  return { key: field.key, node: el("div", { class: "row-field" }, label, control, trouble), control, check };
}

/** The rating at the end; `rate` returns whether it was stored. */
export function ratingCard(words: Words, rate: (score: number, comment: string) => Promise<boolean>): HTMLElement {
  const card = el("div", { class: "card rating", role: "group", "aria-label": words.rate });
  const faces = el("div", { class: "rates" }, ...words.rates.map((label, at) =>
    button({ class: "rate", "aria-label": label, title: label, "aria-pressed": "false" }, [String(at + 1)], () => void choose(at + 1))));
  const ends = el("div", { class: "ends", "aria-hidden": "true" }, el("span", {}, words.rates[0] ?? ""), el("span", {}, words.rates[4] ?? ""));
  const more = el("div", { class: "more", hidden: true });
  const told = el("span", { role: "status" });
  card.append(el("strong", {}, words.rate), faces, ends, more, told);

  async function choose(score: number): Promise<void> {
    [...faces.children].forEach((one, at) => one.setAttribute("aria-pressed", String(at + 1 === score)));
    if (!(await rate(score, ""))) return void (told.textContent = words.notDone);
    told.textContent = words.rateThanks;
    const field = el("textarea", { class: "field", rows: 2, maxlength: 2000, "aria-label": words.rateMore, placeholder: words.rateMore });
    const send = button({ class: "solid" }, [words.submit], () => void rate(score, field.value.trim()).then((isDone) => {
      if (isDone) card.replaceChildren(el("strong", { role: "status" }, words.rateThanks));
    }));
    more.replaceChildren(field, el("div", { class: "row" }, send));
    more.hidden = false;
    card.scrollIntoView({ block: "nearest" });
  }
  return card;
}

/** Asks where to mail the chat to; `send` returns whether it is on its way. */
export function transcriptCard(words: Words, known: string, send: (address: string) => Promise<boolean>, done: () => void): HTMLElement {
  const field = el("input", { class: "field", type: "email", id: "transcript-address", autocomplete: "email", maxlength: 200, value: known });
  const told = el("span", { role: "status", class: "trouble" });
  const form = el("form", { class: "card transcript", novalidate: true },
    el("label", { for: "transcript-address" }, words.transcriptAddress), field,
    el("div", { class: "row" }, el("button", { class: "solid", type: "submit" }, words.send), button({ class: "text" }, [words.cancel], done)), told);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const address = field.value.trim();
    if (!EMAIL.test(address)) {
      told.textContent = words.wrongEmail;
      return field.focus();
    }
    void send(address).then((isDone) => {
      if (isDone) form.replaceChildren(el("strong", { role: "status" }, fill(words.transcriptSent, { address })));
      else told.textContent = words.notDone;
    });
  });
  return form;
}

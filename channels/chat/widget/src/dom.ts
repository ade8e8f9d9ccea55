/* Elements and icons. No markup is ever parsed: text stays text, whoever wrote it. */

type Attributes = Record<string, string | number | boolean | null | undefined>;

export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/** A button that does something; `label` names it where its content is a drawing. */
export function button(
  attributes: Attributes,
  content: (Node | string)[],
  pressed: (event: MouseEvent) => void,
): HTMLButtonElement {
  const made = el("button", { type: "button", ...attributes }, ...content);
  made.addEventListener("click", pressed);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** A line drawing on a grid of 24. */
export function icon(paths: readonly string[], size = 20): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = {
    viewBox: "0 0 24 24", width: size, height: size, fill: "none", stroke: "currentColor",
    "stroke-width": 1.8, "stroke-linecap": "round", "stroke-linejoin": "round",
    "aria-hidden": "true", focusable: "false",
  };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, String(value));
  for (const d of paths) {
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("d", d);
    svg.append(line);
  }
  return svg;
}

export function sheetOf(css: string): CSSStyleSheet {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  return sheet;
}

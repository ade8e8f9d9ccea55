/* The accent colour: checked, and the colour of what is written on it. */

const isColour = (text: string | null | undefined): text is string => /^#[0-9a-f]{6}$/i.test(text ?? "");

/** Relative luminance, 0..1 (WCAG 2.2, "relative luminance"). */
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// Above this, black has the greater contrast: (L + .05) / .05 = 1.05 / (L + .05).
const on = (colour: string): string => (luminance(colour) > 0.179 ? "#10160f" : "#ffffff");

/** A dark accent would sink into a dark page: it is mixed with white there. */
function lifted(colour: string): string {
  if (luminance(colour) > 0.07) return colour;
  const part = (at: number): string => Math.round(parseInt(colour.slice(at, at + 2), 16) * 0.78 + 255 * 0.22).toString(16);
  return `#${[1, 3, 5].map((at) => part(at).padStart(2, "0")).join("")}`;
}

/** A style sheet's text that sets the accent, in light and in dark; "" for no colour at all. */
export function accentRule(light: string | null | undefined, dark: string | null | undefined): string {
  if (!isColour(light)) return "";
  const night = isColour(dark) ? dark : lifted(light);
  return `:host{--fd-accent:light-dark(${light},${night});--fd-on-accent:light-dark(${on(light)},${on(night)})}`;
}

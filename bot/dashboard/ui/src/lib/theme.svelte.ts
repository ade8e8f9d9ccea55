/** Light, dark, or as the machine says; kept in this browser. */
export type Theme = "auto" | "light" | "dark";
const KEY = "frontdesk.theme";

export const theme = $state<{ chosen: Theme }>({ chosen: read() });

export function chooseTheme(chosen: Theme): void {
  theme.chosen = chosen;
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // Storage may be closed to us; then the choice lasts as long as the page.
  }
  apply();
}

export function apply(): void {
  if (theme.chosen === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.chosen;
}

function read(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : "auto";
  } catch {
    return "auto";
  }
}

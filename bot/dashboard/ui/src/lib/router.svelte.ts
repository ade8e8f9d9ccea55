/** A history router of one level: patterns such as `/inbox/:view` below /desk. */

export const BASE = "/desk";
export type Params = Record<string, string>;

export const place = $state({ path: currentPath(), query: new URLSearchParams(location.search) });

/** Goes to a path of the desk, such as `/inbox/mine?tag=vip`. */
export function go(path: string, options: { replace?: boolean } = {}): void {
  history[options.replace ? "replaceState" : "pushState"]({}, "", BASE + path);
  look();
}

/** The address of a path, for `href`. */
export function href(path: string): string {
  return BASE + path;
}

/** The parameters of a path that fits the pattern, else null. */
export function match(pattern: string, path: string): Params | null {
  const wanted = pattern.split("/");
  const found = path.split("/");
  const rest = wanted.at(-1) === "*";
  if (rest ? found.length < wanted.length - 1 : found.length !== wanted.length) return null;
  const params: Params = {};
  for (const [at, part] of wanted.entries()) {
    if (part === "*") break;
    if (part.startsWith(":")) params[part.slice(1)] = decodeURIComponent(found[at] ?? "");
    else if (part !== found[at]) return null;
  }
  return params;
}

/** Follows links of the desk without loading a page; modified clicks stay the browser's. */
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.("a");
  if (!link || link.target || link.hasAttribute("download")) return;
  const url = new URL(link.href, location.href);
  if (url.origin !== location.origin || !isOurs(url.pathname)) return;
  event.preventDefault();
  go(url.pathname.slice(BASE.length) + url.search);
}

function isOurs(path: string): boolean {
  return (path === BASE || path.startsWith(`${BASE}/`)) && !path.startsWith(`${BASE}/api/`);
}

function currentPath(): string {
  const path = location.pathname.slice(BASE.length).replace(/\/+$/, "");
  return path || "/";
}

function look(): void {
  place.path = currentPath();
  place.query = new URLSearchParams(location.search);
}

addEventListener("popstate", look);

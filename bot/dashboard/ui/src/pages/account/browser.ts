/** What a User-Agent header says in words people use. */
export function browserName(header: string): string {
  const name = find(header, [
    ["Edg/", "Edge"],
    ["OPR/", "Opera"],
    ["Firefox/", "Firefox"],
    ["Chrome/", "Chrome"],
    ["Safari/", "Safari"],
  ]);
  const system = find(header, [
    ["Android", "Android"],
    ["iPhone", "iPhone"],
    ["iPad", "iPad"],
    ["Windows", "Windows"],
    ["Mac OS X", "macOS"],
    ["Linux", "Linux"],
  ]);
  if (name && system) return `${name} on ${system}`;
  return name || system || header.slice(0, 60) || "Unknown browser";
}

function find(text: string, marks: [string, string][]): string {
  return marks.find(([mark]) => text.includes(mark))?.[1] ?? "";
}

/** What `/desk/api/insights` tells, and how its numbers are read. */

export type Unit = "text" | "day" | "count" | "seconds" | "share" | "score" | "money";
export type Cell = string | number | null;

export interface Column {
  key: string;
  label: string;
  unit: Unit;
}

export interface Table {
  name: string;
  title: string;
  columns: Column[];
  rows: Cell[][];
}

export interface Summary {
  conversations: number;
  alone_share: number | null;
  confirmed_share: number | null;
  first_reply_s: number | null;
  score: number | null;
  ratings: number;
  tokens: number;
  cost: number | null;
}

export interface Insights {
  first: string;
  last: string;
  inboxes: { id: string; name: string; channel: string }[];
  counted_at: string | null;
  currency: string | null;
  summary: Summary;
  before: Summary;
  tables: Table[];
}

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const money = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const longDay = new Intl.DateTimeFormat(undefined, {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZone: "UTC",
});

/** A cell as people read it; a dash where there is nothing to tell. */
export function shown(cell: Cell | undefined, unit: Unit): string {
  if (cell === null || cell === undefined) return "–";
  if (typeof cell === "string") return unit === "day" ? longDay.format(new Date(cell)) : cell;
  if (unit === "seconds") return seconds(cell);
  if (unit === "share") return `${(100 * cell).toFixed(0)} %`;
  if (unit === "score") return cell.toFixed(1);
  if (unit === "money") return money.format(cell);
  return whole.format(cell);
}

const languages = new Intl.DisplayNames(undefined, { type: "language" });

/** A language's name in the reader's own; the code where there is none. */
export function languageName(code: string): string {
  try {
    return languages.of(code) ?? code;
  } catch {
    return code;
  }
}

/** A mark of an axis: short. */
export function marked(value: number, unit: Unit): string {
  if (unit === "seconds") return seconds(value);
  if (unit === "score") return String(value);
  return short.format(value);
}

export function dayMark(iso: string): string {
  return day.format(new Date(iso));
}

export function compact(value: number): string {
  return short.format(value);
}

export function seconds(value: number): string {
  if (value === 0) return "0 s";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return `${Math.round(value / 3600)} h`;
}

/** A round number that is at least the value: what an axis ends with. */
export function ceiling(value: number): number {
  if (value <= 0) return 1;
  const step = 10 ** Math.floor(Math.log10(value));
  for (const factor of [1, 1.2, 1.5, 2, 3, 4, 5, 6, 8, 10]) if (factor * step >= value) return factor * step;
  return 10 * step;
}

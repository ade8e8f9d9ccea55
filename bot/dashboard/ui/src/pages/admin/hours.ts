/** Business hours as the desk writes them (`mon-fri 09:00-17:00, sat 10:00-14:00`), by weekday. */
export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export const DAY_NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

export interface Span {
  from: string;
  to: string;
}
/** The opening times of each weekday, Monday first. */
export type Week = Span[][];

const PART = /^([a-z]{3})(?:-([a-z]{3}))?\s+(\d\d?:\d\d)\s*-\s*(\d\d?:\d\d)$/;

export function readWeek(text: string): Week {
  const week: Week = DAYS.map(() => []);
  for (const part of text.toLowerCase().split(",")) {
    const found = PART.exec(part.trim());
    if (!found) continue;
    const first = DAYS.indexOf(found[1] as (typeof DAYS)[number]);
    const last = DAYS.indexOf((found[2] ?? found[1]) as (typeof DAYS)[number]);
    if (first < 0 || last < 0) continue;
    for (let offset = 0; offset <= (last - first + 7) % 7; offset += 1) {
      week[(first + offset) % 7]?.push({ from: clock(found[3]), to: clock(found[4]) });
    }
  }
  return week;
}

/** Equal days that follow each other are written as one part. */
export function writeWeek(week: Week): string {
  const parts: string[] = [];
  let at = 0;
  while (at < 7) {
    const spans = tell(week[at]);
    let end = at;
    while (end + 1 < 7 && spans && tell(week[end + 1]) === spans) end += 1;
    const days = end > at ? `${DAYS[at]}-${DAYS[end]}` : `${DAYS[at]}`;
    for (const span of week[at] ?? []) parts.push(`${days} ${span.from}-${span.to}`);
    at = end + 1;
  }
  return parts.join(", ");
}

function tell(spans: Span[] | undefined): string {
  return (spans ?? []).map((span) => `${span.from}-${span.to}`).join("+");
}

/** What an `input type=time` takes; a day's end at 24:00 is its next day's 00:00. */
function clock(text: string | undefined): string {
  const padded = (text ?? "").padStart(5, "0");
  return padded === "24:00" ? "00:00" : padded;
}

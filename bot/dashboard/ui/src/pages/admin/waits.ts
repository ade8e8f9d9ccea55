/** How long somebody waits, as the settings hold it (minutes; 0 never, null as usual) and as people say it. */
export const UNITS = [
  { value: "1", label: "minutes" },
  { value: "60", label: "hours" },
  { value: "1440", label: "days" },
];
export const MAX_MINUTES = 30 * 1440;

/** The largest unit that says it in whole numbers: 240 is 4 hours, 90 is 90 minutes. */
export function unitOf(minutes: number): number {
  return [1440, 60].find((unit) => minutes >= unit && minutes % unit === 0) ?? 1;
}

export function waitWords(minutes: number): string {
  if (minutes === 0) return "never";
  const unit = unitOf(minutes);
  const [count, words] = [minutes / unit, UNITS.find((each) => each.value === String(unit))?.label ?? ""];
  return `after ${count} ${count === 1 ? words.slice(0, -1) : words}`;
}

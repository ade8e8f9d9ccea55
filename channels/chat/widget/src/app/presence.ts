/* What the panel says of who is there: in its head, at its end, and outside office hours. */
import type { Config } from "../config.ts";
import type { Talk } from "./talk.ts";
import { fill, type Words } from "./words.ts";

const SOON_MS = 6 * 86_400_000;

export class Presence {
  constructor(
    private readonly words: Words,
    private readonly locale: string,
    private readonly config: () => Config,
  ) {}

  /** The line under the title. */
  lead(talk: Talk): string {
    const { words } = this;
    const { hours } = this.config();
    if (talk.status === "open" && talk.assignee) return fill(words.leadPerson, { name: talk.assignee });
    if (!hours.is_open) return hours.opens_at ? fill(words.leadClosed, { when: this.when() }) : words.leadClosedSoon;
    return talk.status === "open" ? words.leadQueue : words.lead;
  }

  /** The line after the last message; "" while it is the bot's turn. */
  aside(talk: Talk): string {
    const { words } = this;
    const { hours } = this.config();
    if (talk.status === "resolved") return words.resolved;
    if (talk.status !== "open") return "";
    if (talk.assignee) return fill(words.personTook, { name: talk.assignee });
    return hours.is_open || !hours.opens_at ? words.personAsked : fill(words.personAskedClosed, { when: this.when() });
  }

  /** What a newcomer is told outside office hours; "" within them. */
  closedNote(): string {
    const { hours } = this.config();
    if (hours.is_open) return "";
    const told = hours.opens_at ? fill(this.words.closedNote, { when: this.when() }) : this.words.closedNoteSoon;
    return `${hours.text} ${told}`.trim();
  }

  /** When somebody is back, on the visitor's own clock: a weekday, or a date if it is far. */
  private when(): string {
    const date = new Date(this.config().hours.opens_at ?? 0);
    const isSoon = date.getTime() - Date.now() < SOON_MS;
    const day = isSoon ? { weekday: "long" as const } : { day: "numeric" as const, month: "long" as const };
    return new Intl.DateTimeFormat(this.locale, { ...day, hour: "numeric", minute: "2-digit" }).format(date);
  }
}

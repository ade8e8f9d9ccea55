/** The inbox's list: read in pages, kept up to date by rows that the stream tells. */
import { get } from "./api";
import type { Counts, Person, Row, ViewName } from "./desk";
import { session } from "./session.svelte";
import { sayProblem } from "./toasts.svelte";

export interface Filters {
  channel: string;
  tag: string;
  language: string;
  /** Minutes that somebody waits at least; "" for all. */
  waiting: string;
}

interface Page {
  items: Row[];
  next_cursor: string | null;
}

const WAITING_FIRST: ViewName[] = ["unassigned", "mine"];
export const NO_FILTERS: Filters = { channel: "", tag: "", language: "", waiting: "" };

class Inbox {
  view: ViewName = $state("unassigned");
  filters: Filters = $state({ ...NO_FILTERS });
  rows: Row[] = $state([]);
  cursor: string | null = $state(null);
  loading = $state(true);
  counts: Counts | null = $state(null);
  people: Person[] = $state([]);
  tags: string[] = $state([]);
  #asked = 0;

  /** Shows a list from its beginning. */
  async show(view: ViewName, filters: Filters): Promise<void> {
    const isOther = view !== this.view || JSON.stringify(filters) !== JSON.stringify(this.filters);
    this.view = view;
    this.filters = { ...filters };
    if (isOther) this.rows = [];
    this.loading = isOther || !this.rows.length;
    await this.refresh();
  }

  /** Reads the first page anew; what stood below it stays until then. */
  async refresh(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const page = await get<Page>("/inbox", { view: this.view, ...this.filters });
      if (asked !== this.#asked) return;
      this.rows = page.items;
      this.cursor = page.next_cursor;
    } catch (problem) {
      if (asked === this.#asked) sayProblem(problem);
    } finally {
      if (asked === this.#asked) this.loading = false;
    }
  }

  async more(): Promise<void> {
    if (!this.cursor || this.loading) return;
    this.loading = true;
    const asked = this.#asked;
    try {
      const page = await get<Page>("/inbox", { view: this.view, ...this.filters, cursor: this.cursor });
      if (asked !== this.#asked) return;
      const known = new Set(this.rows.map((row) => row.number));
      this.rows.push(...page.items.filter((row) => !known.has(row.number)));
      this.cursor = page.next_cursor;
    } catch (problem) {
      sayProblem(problem);
    } finally {
      this.loading = false;
    }
  }

  async readCompany(): Promise<void> {
    try {
      const [people, tags] = await Promise.all([
        get<{ items: Person[] }>("/inbox/people"),
        get<{ items: { name: string }[] }>("/tags"),
      ]);
      this.people = people.items;
      this.tags = tags.items.map((tag) => tag.name);
    } catch (problem) {
      sayProblem(problem);
    }
  }

  /** Takes in rows that moved: they come, go or change their place. */
  apply(moved: Row[]): void {
    for (const row of moved) {
      const at = this.rows.findIndex((each) => each.number === row.number);
      if (at >= 0 && row.seq < (this.rows[at]?.seq ?? 0)) continue;
      if (at >= 0) this.rows.splice(at, 1);
      if (this.#fits(row)) this.#insert(row, at >= 0);
      for (const tag of row.tags) if (!this.tags.includes(tag)) this.tags.push(tag);
    }
  }

  #fits(row: Row): boolean {
    const me = session.me?.agent_id ?? "";
    const { channel, tag, language, waiting } = this.filters;
    if (channel && row.channel !== channel) return false;
    if (tag && !row.tags.includes(tag)) return false;
    if (language && row.language !== language) return false;
    if (waiting) {
      if (!row.waiting_since) return false;
      if (Date.now() - Date.parse(row.waiting_since) < Number(waiting) * 60_000) return false;
    }
    switch (this.view) {
      case "unassigned":
        return row.status === "open" && !row.assignee;
      case "mine":
        return row.status === "open" && row.assignee?.id === me;
      case "mentions":
        return row.calls.includes(me);
      case "bot":
        return row.status === "pending";
      case "all":
        return row.status === "open" || row.status === "pending";
      case "resolved":
        return row.status === "resolved" && !row.is_spam;
      case "spam":
        return row.is_spam;
      default:
        return row.status === this.view;
    }
  }

  #insert(row: Row, wasHere: boolean): void {
    const before = (one: Row, other: Row): boolean => {
      if (!WAITING_FIRST.includes(this.view)) return one.updated_at > other.updated_at;
      const [a, b] = [one.waiting_since ?? "9999", other.waiting_since ?? "9999"];
      return a === b ? one.number < other.number : a < b;
    };
    const at = this.rows.findIndex((each) => before(row, each));
    if (at >= 0) this.rows.splice(at, 0, row);
    else if (!this.cursor || wasHere) this.rows.push(row);
  }
}

export const inbox = new Inbox();

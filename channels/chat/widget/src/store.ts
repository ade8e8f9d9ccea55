/* What this browser keeps. Where it may keep nothing, the page's life is all there is. */

export class Store {
  private readonly memory = new Map<string, unknown>();

  constructor(readonly place: string) {}

  read<T>(name: string): T | null {
    const key = this.place + name;
    try {
      if (this.memory.has(key)) return this.memory.get(key) as T;
      return JSON.parse(localStorage.getItem(key) ?? "null") as T | null;
    } catch {
      return null;
    }
  }

  write(name: string, value: unknown): void {
    const key = this.place + name;
    try {
      if (value == null) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(value));
      this.memory.delete(key);
    } catch {
      this.memory.set(key, value ?? null);
    }
  }

  /** Everything under this place goes. */
  clear(): void {
    this.memory.clear();
    try {
      for (const key of Object.keys(localStorage)) {
        if (key.startsWith(this.place)) localStorage.removeItem(key);
      }
    } catch {
      // Nothing was kept, so nothing is left.
    }
  }
}

/** The prefix of everything that this browser keeps for one inbox and one customer. */
export function placeOf(server: string, inbox: string, customer: string): string {
  return `frontdesk:${server}:${inbox}:${customer}:`;
}

/* Tells somebody who looks elsewhere that a message came: the badge, the title, a quiet sound. */
import type { Store } from "../store.ts";
import { audio } from "./media.ts";
import { comparePositions, type Message } from "./protocol.ts";

export class Attention {
  private title = "";
  private hinted = "";

  constructor(private readonly store: Store) {}

  get isMuted(): boolean {
    return Boolean(this.store.read("muted"));
  }

  set isMuted(muted: boolean) {
    this.store.write("muted", muted || null);
  }

  /** How many messages of others came after what was last looked at. */
  unread(messages: Iterable<Message>): number {
    const seen = this.store.read<string>("seen") ?? "0.0";
    let count = 0;
    for (const message of messages) {
      const isTheirs = message.author !== "contact" && !message.is_growing;
      if (isTheirs && comparePositions(message.position, seen) > 0) count += 1;
    }
    return count;
  }

  /** Everything up to here was looked at. */
  see(position: string): void {
    if (comparePositions(position, this.store.read<string>("seen") ?? "0.0") > 0) this.store.write("seen", position);
  }

  /** The page's title says so while the page is hidden; what the page itself writes is left alone. */
  hint(count: number): void {
    if (this.hinted && document.title === this.hinted) document.title = this.title;
    this.hinted = "";
    if (!count || !document.hidden) return;
    this.title = document.title;
    this.hinted = document.title = `(${count}) ${this.title}`;
  }

  /** Two short notes, in one tab alone; browsers allow them once the page was used. */
  ring(): void {
    if (this.isMuted || navigator.userActivation?.hasBeenActive === false) return;
    if (!navigator.locks) return chime();
    void navigator.locks.request(`${this.store.place}bell`, { ifAvailable: true }, async (lock) => {
      if (!lock) return;
      chime();
      await new Promise((done) => setTimeout(done, 1500));
    });
  }
}

function chime(): void {
  const context = audio();
  void context.resume();
  [660, 880].forEach((frequency, at) => {
    const begin = context.currentTime + at * 0.12;
    const tone = context.createOscillator();
    const loudness = context.createGain();
    tone.frequency.value = frequency;
    loudness.gain.setValueAtTime(0.0001, begin);
    loudness.gain.exponentialRampToValueAtTime(0.08, begin + 0.02);
    loudness.gain.exponentialRampToValueAtTime(0.0001, begin + 0.3);
    tone.connect(loudness).connect(context.destination);
    tone.start(begin);
    tone.stop(begin + 0.32);
  });
}

/** What a form or a button asks of the server: whether it is under way, and what was wrong with it. */
import { told } from "./api";

export class Attempt {
  busy = $state(false);
  /** In words, for the person who tried; empty while nothing is wrong. */
  problem = $state("");
  readonly #failed: (error: unknown) => void;

  constructor(failed: (error: unknown) => void = () => {}) {
    this.#failed = failed;
  }

  /** Do it, unless it is under way. What it throws is told as the problem. */
  async run(action: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.problem = "";
    try {
      await action();
    } catch (error) {
      this.problem = told(error);
      this.#failed(error);
    } finally {
      this.busy = false;
    }
  }

  /** For a form's `onsubmit`. */
  submits(action: () => Promise<void>): (event: SubmitEvent) => void {
    return (event) => {
      event.preventDefault();
      void this.run(action);
    };
  }
}

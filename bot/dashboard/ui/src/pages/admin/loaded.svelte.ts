/** What a page of administration reads from the server: the value, or why it is not there. */
import { told } from "../../lib/api";

export class Loaded<T> {
  value = $state<T | null>(null);
  problem = $state("");

  constructor(private readonly read: () => Promise<T>) {
    void this.again();
  }

  async again(): Promise<void> {
    try {
      this.value = await this.read();
      this.problem = "";
    } catch (error) {
      this.problem = told(error);
    }
  }
}

/** Short messages in a corner; screen readers hear them. */
import { told } from "./api";

export interface Toast {
  id: number;
  text: string;
  kind: "done" | "problem";
  action?: { label: string; run: () => void } | undefined;
}

const STAYS_MS = 6_000;
const PROBLEM_STAYS_MS = 12_000;
let counter = 0;

export const toasts = $state<Toast[]>([]);

export function say(text: string, action?: Toast["action"]): void {
  show({ id: ++counter, text, kind: "done", action }, STAYS_MS);
}

/** Tells what went wrong: a sentence, or an error whose sentence is told. */
export function sayProblem(problem: unknown): void {
  const text = typeof problem === "string" ? problem : told(problem);
  show({ id: ++counter, text, kind: "problem" }, PROBLEM_STAYS_MS);
}

export function dismiss(id: number): void {
  const at = toasts.findIndex((toast) => toast.id === id);
  if (at >= 0) toasts.splice(at, 1);
}

function show(toast: Toast, stays: number): void {
  toasts.push(toast);
  setTimeout(() => dismiss(toast.id), stays);
}

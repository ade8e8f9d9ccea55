/** What the desk's API says, as types. */
export type Author = "contact" | "bot" | "agent" | "system";
export type Status = "pending" | "open" | "snoozed" | "resolved";
export type ViewName = "unassigned" | "mine" | "bot" | "all" | "snoozed" | "resolved" | "mentions" | "spam";

export interface Person {
  id: string;
  name: string;
}

export interface Row {
  number: number;
  /** Its newest event: a row with a lower one is out of date. */
  seq: number;
  inbox: string;
  channel: string;
  contact: Person;
  status: Status;
  assignee: Person | null;
  tags: string[];
  language: string;
  waiting_since: string | null;
  snoozed_until: string | null;
  updated_at: string;
  is_spam: boolean;
  is_reminded: boolean;
  handoff_reason: string | null;
  has_draft: boolean;
  calls: string[];
  preview: { author: Author; text: string; private: boolean; at: string } | null;
}

export interface Counts {
  unassigned: number;
  mine: number;
  bot: number;
  all: number;
  snoozed: number;
  mentions: number;
}

export interface MessageFile {
  id: string;
  name: string;
  media_type: string;
  size_bytes: number;
  warning: string | null;
}

export interface Citation {
  title: string;
  quote: string;
  url?: string | null;
  used: boolean;
  suggested?: boolean;
}

export interface Message {
  id: string;
  seq: number;
  author: Author;
  author_name: string | null;
  text: string;
  private: boolean;
  partial: boolean;
  state: string;
  client_id: string | null;
  citations: Citation[];
  at: string;
  is_automatic: boolean;
  has_original: boolean;
  files: MessageFile[];
  delivery: string | null;
  delivery_error: string | null;
}

export interface ConversationData {
  row: Row;
  summary: string;
  company: string;
  created_at: string;
  messages: Message[];
  has_earlier: boolean;
  seq: number;
  previous: number | null;
  is_contact_blocked: boolean;
}

export interface Contact {
  id: string;
  name: string;
  is_named: boolean;
  created_at: string;
  is_blocked: boolean;
  merged: Person[];
  identities: {
    id: string;
    contact_id: string;
    inbox: string;
    channel: string;
    address: string;
    is_bounced: boolean;
  }[];
  conversations: Row[];
}

export interface Looker {
  id: string;
  name: string;
  doing: "writing" | "noting" | "looking";
}

export interface Macro {
  id: string;
  name: string;
  text: string;
}

export const VIEWS: { name: ViewName; label: string }[] = [
  { name: "unassigned", label: "Unassigned" },
  { name: "mine", label: "Mine" },
  { name: "mentions", label: "Mentions" },
  { name: "bot", label: "Bot" },
  { name: "all", label: "All" },
  { name: "snoozed", label: "Snoozed" },
  { name: "resolved", label: "Resolved" },
  { name: "spam", label: "Spam" },
];

export const CHANNELS: Record<string, string> = { chat: "Chat", email: "E-mail", slack: "Slack", api: "API" };

const REASONS: Record<string, string> = {
  requested: "Asked for a person",
  wants_person: "Asked for a person",
  no_evidence: "No article answers this",
  taken_over: "Taken over",
  draft: "A draft waits",
  repeated_failure: "The bot failed",
  failed: "The answer did not help",
  partly: "Answered in part",
  own_order: "About their own order",
  serious: "Serious matter",
  engine: "The model was away",
};

export function reasonOf(row: Row): string {
  const reason = row.handoff_reason ?? "";
  return REASONS[reason] ?? reason.replaceAll("_", " ");
}

export function languageName(code: string): string {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** An id that makes sending again harmless. */
export function newClientId(): string {
  return crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16).padStart(8, "0")).join("");
}

/** What the knowledge's API tells. */

export interface ArticleRow {
  id: string;
  collection: string;
  external_id: string;
  title: string;
  language: string;
  url: string | null;
  is_indexed: boolean;
  index_error: string | null;
  passages: number;
  updated_at: string;
}

export interface Article extends ArticleRow {
  body: string;
  html: string;
  content_hash: string;
}

export interface ArticlePage {
  items: ArticleRow[];
  total: number;
  next_offset: number | null;
}

export interface Collections {
  items: { name: string; articles: number; inboxes: string[] }[];
  inboxes: { id: string; name: string }[];
}

export interface Draft {
  id: string;
  origin: "message" | "correction" | "gap" | "editor";
  state: "open" | "published" | "discarded";
  collection: string;
  article_id: string | null;
  article_title: string | null;
  conversation: number | null;
  author: string;
  language: string;
  title: string;
  body: string;
  note: string;
  questions: string[];
  created_at: string;
}

export interface Gap {
  questions: { run_id: string; text: string; conversation: number | null; at: string }[];
  count: number;
  run_ids: string[];
  languages: string[];
  nearest: { article_id: string | null; title: string; score: number | null } | null;
  staff_replies: number;
  draft_id: string | null;
}

export interface Gaps {
  items: Gap[];
  since: string;
  unanswered: number;
  is_stale: boolean;
}

export interface Source {
  passage_id: string;
  article_id: string | null;
  external_id: string;
  title: string;
  heading: string;
  text: string | null;
  score: number | null;
  cosine: number | null;
  lexical: number | null;
}

export interface Sentence {
  text: string;
  passage: number | null;
  quote: string;
  verbatim?: boolean;
}

export interface Side {
  action: string;
  reason: string;
  confidence: number;
  language: string;
  query: string;
  model: string | null;
  sentences: Sentence[];
  sources: Source[];
  rejected: { text: string; check: string }[];
  retrieval_ms: number;
  first_sentence_ms: number | null;
  ttft_ms: number | null;
  total_ms: number;
  output_tokens: number;
}

export const ORIGINS: Record<Draft["origin"], string> = {
  message: "From a message",
  correction: "Correction",
  gap: "From a gap",
  editor: "Draft",
};

const LANGUAGES = new Intl.DisplayNames(undefined, { type: "language", fallback: "code" });

/** "English" of "en"; nothing of nothing. */
export function languageName(code: string): string {
  return code ? (LANGUAGES.of(code) ?? code) : "";
}

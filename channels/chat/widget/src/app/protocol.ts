/* The browser's side of the HTTP protocol: requests, refusals, and what the server tells. */

export interface Citation {
  title: string;
  quote: string;
  url: string | null;
}

export interface FileInfo {
  id: string;
  name: string;
  media_type: string;
  size_bytes: number;
}

export type Author = "contact" | "bot" | "agent" | "system";
export type Status = "none" | "pending" | "open" | "resolved";

export interface Message {
  id: string;
  /** Conversation number and sequence number in it, `12.7`: the order of all that is shown. */
  position: string;
  author: Author;
  author_name: string | null;
  text: string;
  at: string;
  client_id: string | null;
  citations: Citation[];
  files: FileInfo[];
  /** The visitor's own judgement: 1 or -1. */
  feedback: number | null;
  partial?: boolean;
  is_growing?: boolean;
}

export interface History {
  messages: Message[];
  last_event_id: string;
  status: Status;
  bot_is_writing: boolean;
  assignee: string | null;
  rating: number | null;
}

export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfter = 0,
  ) {
    super(message);
  }

  /** Trying the same again cannot help. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500 && ![401, 408, 429].includes(this.status);
  }
}

export interface CallOptions {
  body?: unknown;
  token?: string | null;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** One request to the chat's routes. Throws Refused, or TypeError where nothing answers. */
export async function call(server: string, path: string, options: CallOptions = {}): Promise<Response> {
  const { body, token, signal, headers } = options;
  const response = await fetch(`${server}/chat/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      ...headers,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
    signal,
  });
  if (!response.ok) throw await refusalOf(response);
  return response;
}

async function refusalOf(response: Response): Promise<Refused> {
  const told = (await response.json().catch(() => null)) as { error?: { message?: string } } | null;
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  return new Refused(response.status, told?.error?.message ?? `HTTP ${response.status}`, retryAfter);
}

export interface Upload {
  readonly done: Promise<void>;
  cancel(): void;
}

/** Send a form with files; `told` hears how far it is, 0..1. (fetch tells no progress.) */
export function upload(
  server: string, path: string, form: FormData, token: string, told: (share: number) => void,
): Upload {
  const request = new XMLHttpRequest();
  const done = new Promise<void>((resolve, reject) => {
    request.open("POST", `${server}/chat/${path}`);
    request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.upload.onprogress = (event) => told(event.lengthComputable ? event.loaded / event.total : 0);
    request.onload = () => (request.status < 300 ? resolve() : reject(refusalOfText(request)));
    request.onerror = () => reject(new TypeError("The network failed."));
    request.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
    request.send(form);
  });
  return { done, cancel: () => request.abort() };
}

function refusalOfText(request: XMLHttpRequest): Refused {
  let message = `HTTP ${request.status}`;
  try {
    message = (JSON.parse(request.responseText) as { error: { message: string } }).error.message;
  } catch {
    // A proxy in between answered in words of its own.
  }
  return new Refused(request.status, message, Number(request.getResponseHeader("Retry-After")) || 0);
}

export function comparePositions(a: string, b: string): number {
  const [an = 0, as = 0] = a.split(".").map(Number);
  const [bn = 0, bs = 0] = b.split(".").map(Number);
  return an - bn || as - bs;
}

export function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

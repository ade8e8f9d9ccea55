/** Calls the desk's JSON API: same origin, with the session's cookie and, for writes, its CSRF token. */

export const API = "/desk/api";
const CSRF_HEADER = "X-Frontdesk-CSRF";

/** A refusal of the server: `message` is a sentence for people, `code` is for programs. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfter: number | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

type Query = Record<string, string | number | boolean | null | undefined>;

let csrf = "";
let onSignedOut: () => void = () => {};

/** Keeps the token that `GET /desk/api/me` gave; every write sends it. */
export function useCsrf(token: string): void {
  csrf = token;
}

/** What to do when the server says that this session is over. */
export function whenSignedOut(action: () => void): void {
  onSignedOut = action;
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return call<T>("GET", path + search(query), { signal });
}

export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  return call<T>("POST", path, json(body));
}

export async function put<T>(path: string, body: unknown = {}): Promise<T> {
  return call<T>("PUT", path, json(body));
}

export async function patch<T>(path: string, body: unknown = {}): Promise<T> {
  return call<T>("PATCH", path, json(body));
}

export async function del<T>(path: string): Promise<T> {
  return call<T>("DELETE", path, {});
}

/** Sends a form with files. */
export async function upload<T>(path: string, form: FormData): Promise<T> {
  return call<T>("POST", path, { body: form });
}

/** A write whose answer is a stream of events; see `helping.ts`, which reads it. */
export async function postStream(
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  const headers = new Headers({ "Content-Type": "application/json", [CSRF_HEADER]: csrf });
  const answer = await fetch(API + path, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
    credentials: "same-origin",
    signal: signal ?? null,
  });
  if (answer.ok) return answer;
  const error = refusal(answer, await answer.json().catch(() => null));
  if (error.status === 401) onSignedOut();
  throw error;
}

/** Sends a form with files and tells how much of it is on its way, 0..1. */
export function uploadWithProgress<T>(
  path: string,
  form: FormData,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", API + path);
    request.setRequestHeader(CSRF_HEADER, csrf);
    request.responseType = "json";
    request.upload.onprogress = (event) => onProgress(event.loaded / Math.max(1, event.total));
    request.onload = () => {
      const answer = new Response(null, { status: request.status });
      if (answer.ok) resolve(request.response as T);
      else reject(refusal(answer, request.response));
    };
    request.onerror = () => reject(new TypeError("network"));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/** What to tell a person about whatever went wrong. */
export function told(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return "The server cannot be reached. Nothing was changed; try again in a moment.";
}

export function search(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value != null && value !== "");
  const parameters = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]));
  return pairs.length ? `?${parameters}` : "";
}

function json(body: unknown): RequestInit {
  return { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

async function call<T>(method: string, path: string, init: RequestInit): Promise<T> {
  const headers = new Headers(init.headers);
  if (method !== "GET") headers.set(CSRF_HEADER, csrf);
  const answer = await fetch(API + path, { ...init, method, headers, credentials: "same-origin" });
  if (answer.status === 204) return undefined as T;
  const body: unknown = await answer.json().catch(() => null);
  if (answer.ok) return body as T;
  const error = refusal(answer, body);
  if (error.status === 401 && !path.startsWith("/log-in")) onSignedOut();
  throw error;
}

function refusal(answer: Response, body: unknown): ApiError {
  const found = (body as { error?: { code?: string; message?: string } } | null)?.error;
  const retry = Number(answer.headers.get("Retry-After")) || null;
  const message = found?.message ?? `The server answered ${answer.status}. Try again in a moment.`;
  return new ApiError(answer.status, found?.code ?? "error", message, retry);
}

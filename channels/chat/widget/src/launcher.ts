/* What stands on the page before anybody opened the chat: a button, and the API that calls the app. */
import type { EventName, Events, FrontdeskApi, Options, SignedIdentity } from "./api.ts";
import { accentRule } from "./colour.ts";
import { type Config, DEFAULTS, type Preview, type WidgetSetting } from "./config.ts";
import { button, el, icon, sheetOf } from "./dom.ts";
import { directionOf, LAUNCHER, type Language, pickLanguage } from "./language.ts";
import css from "./launcher.css?inline";
import { placeOf, Store } from "./store.ts";

declare const __APP_VERSION__: string;

const CONFIG_TIMEOUT_MS = 4000;
const CHAT = ["M20 11.5a7.5 7.5 0 0 1-7.5 7.5H5l1.6-2.6A7.5 7.5 0 1 1 20 11.5Z", "M9 10.5h7", "M9 13.5h4.5"];
const DOWN = ["M6 9.5 12 15.5 18 9.5"];

/** What the app does once it is there; the API hands its calls on. */
export interface App {
  open(): void;
  close(): void;
  ask(question: string): void;
  identify(identity: SignedIdentity | null): void;
  logout(): Promise<void>;
  configure(change: Preview): void;
}

/** What the app is given: the page's wishes, the inbox's settings, and where to draw. */
export interface Context {
  readonly options: Options;
  readonly language: Language;
  readonly root: ShadowRoot;
  readonly launcher: Launcher;
  config: Config;
  emit<Name extends EventName>(name: Name, detail: Events[Name]): void;
  /** Draw with these settings, where the page's own wishes do not differ. */
  paint(widget: WidgetSetting): void;
}

class ChatElement extends HTMLElement {}

export class Launcher {
  readonly badge = el("span", { class: "badge", "aria-hidden": "true", hidden: true });
  readonly button: HTMLButtonElement;
  private drawn = "";

  constructor(private readonly language: Language, pressed: () => void) {
    this.button = button({ class: "launcher", "aria-haspopup": "dialog" }, [icon(CHAT, 27), this.badge], pressed);
    this.show(false, 0);
  }

  show(isOpen: boolean, unread: number): void {
    const [open, close, fresh] = LAUNCHER[this.language];
    const told = isOpen ? close : unread ? `${open} (${fresh.replace("{n}", String(unread))})` : open;
    this.button.setAttribute("aria-label", told);
    this.button.setAttribute("aria-expanded", String(isOpen));
    this.badge.hidden = isOpen || !unread;
    this.badge.textContent = unread > 9 ? "9+" : String(unread);
    if (this.drawn !== String(isOpen)) {
      this.drawn = String(isOpen);
      this.button.querySelector("svg")?.replaceWith(icon(isOpen ? DOWN : CHAT, 27));
    }
  }
}

/** Put the launcher on the page; the app is fetched when somebody needs it. */
export function start(options: Options): FrontdeskApi {
  const language = pickLanguage(options.language, document.documentElement.lang, navigator.language);
  const heard = new Map<EventName, Set<(detail: never) => void>>();
  let current: Options = options;
  let loading: Promise<App> | null = null;

  if (!customElements.get("frontdesk-chat")) customElements.define("frontdesk-chat", ChatElement);
  const host = el("frontdesk-chat" as "div", { lang: language, dir: directionOf(language) });
  const root = host.attachShadow({ mode: "open" });
  const base = sheetOf(css);
  // What the button showed counts: a press is no wish to shut an app that then comes up open by itself.
  const launcher = new Launcher(language, () => {
    const wasOpen = launcher.button.getAttribute("aria-expanded") === "true";
    void app().then((one) => (wasOpen ? one.close() : one.open()));
  });

  const context: Context = {
    get options() {
      return current;
    },
    language,
    root,
    launcher,
    config: DEFAULTS,
    emit(name, detail) {
      for (const one of heard.get(name) ?? []) (one as (told: typeof detail) => void)(detail);
    },
    paint(widget) {
      const accent = options.color ? accentRule(options.color, "") : accentRule(widget.accent, widget.accent_dark);
      host.dataset.scheme = widget.scheme;
      host.dataset.position = widget.position;
      const others = root.adoptedStyleSheets.filter((sheet) => sheet !== base && !accents.has(sheet));
      const made = sheetOf(accent);
      accents.add(made);
      root.adoptedStyleSheets = [base, made, ...others];
    },
  };
  const accents = new WeakSet<CSSStyleSheet>();

  const placed = (async (): Promise<void> => {
    context.config = await readConfig(options);
    if (document.readyState === "loading") await new Promise((done) => addEventListener("DOMContentLoaded", done));
    context.paint(context.config.widget);
    root.append(launcher.button);
    document.body.append(host);
    context.emit("ready", undefined);
    for (const near of ["pointerenter", "focus"]) launcher.button.addEventListener(near, () => void app());
    if (isKnown(current)) whenIdle(() => void app());
  })();

  function app(): Promise<App> {
    loading ??= placed
      .then(() => import(/* @vite-ignore */ `${options.server}/chat/widget/app.js?v=${__APP_VERSION__}`))
      .then((module: { begin(context: Context): Promise<App> }) => module.begin(context))
      .catch((error: unknown) => {
        loading = null; // the next press tries again
        throw error;
      });
    return loading;
  }

  const api: FrontdeskApi = Object.freeze<FrontdeskApi>({
    open: async () => (await app()).open(),
    close: async () => (loading ? (await loading).close() : undefined),
    ask: async (question) => (await app()).ask(String(question)),
    async identify(identity) {
      current = { ...current, identity };
      if (loading) (await loading).identify(identity);
      else if (isKnown(current)) await app();
    },
    logout: async () => {
      await (await app()).logout();
      current = { ...current, identity: null };
    },
    on(name, hear) {
      const all = heard.get(name) ?? new Set();
      heard.set(name, all.add(hear as (detail: never) => void));
      return () => void all.delete(hear as (detail: never) => void);
    },
    configure: async (widget) => (await app()).configure(widget as Preview),
  });
  return api;
}

async function readConfig({ server, inbox }: Options): Promise<Config> {
  try {
    const response = await fetch(`${server}/chat/${encodeURIComponent(inbox)}`, {
      credentials: "omit",
      signal: AbortSignal.timeout(CONFIG_TIMEOUT_MS),
    });
    const told = (await response.json()) as Config;
    return response.ok ? { ...DEFAULTS, ...told, widget: { ...DEFAULTS.widget, ...told.widget } } : DEFAULTS;
  } catch {
    return DEFAULTS; // the button is there all the same, and what is written waits
  }
}

/** Whether somebody spoke here before: then there may be an answer to show. */
function isKnown({ server, inbox, identity }: Options): boolean {
  const store = new Store(placeOf(server, inbox, identity?.id ?? ""));
  return Boolean(store.read("session") ?? store.read("queue"));
}

function whenIdle(work: () => void): void {
  if ("requestIdleCallback" in window) requestIdleCallback(work, { timeout: 2000 });
  else setTimeout(work, 200);
}

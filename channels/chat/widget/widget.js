/* Frontdesk's chat widget: one script, no dependency, nothing but this file.
 *
 *   <script src="https://desk.example/chat/widget.js" data-inbox="website" async></script>
 *
 * data-inbox      the chat inbox (needed)
 * data-title      the heading of the panel; otherwise the company's name
 * data-language   "en" or "zh"; otherwise the page's language, then the browser's
 * data-color      the accent colour as #rrggbb
 * data-identity   JSON {id, name, expires, signature} of a signed-in customer
 *
 * The page may call window.Frontdesk.open(), .close() and .ask("a question").
 */
(() => {
  "use strict";

  const script = document.currentScript;
  if (!script || window.Frontdesk) return;
  const server = new URL(script.src, location.href).origin;
  const inbox = script.dataset.inbox || "website";

  // -- words -----------------------------------------------------------------------------

  const WORDS = {
    en: {
      open: "Open the chat",
      close: "Close the chat",
      title: "Chat",
      lead: "Here at any hour",
      leadQueue: "A colleague will answer here",
      leadPerson: "You are talking to a colleague",
      hello: "Hello! How can we help?",
      helloMore: "Ask in your own words. I answer from our help articles and show you where it says so. If I cannot, a colleague can.",
      placeholder: "Write a message…",
      label: "Your message",
      send: "Send",
      person: "Talk to a person",
      personMessage: "I would like to talk to a person.",
      personAsked: "You are in the queue. A colleague will answer here.",
      personTook: "A colleague is looking after this conversation.",
      botBack: "The assistant is back.",
      resolved: "This conversation was closed. Write to begin again.",
      bot: "Assistant",
      agent: "Colleague",
      you: "You",
      pending: "Sending…",
      waiting: "Waiting for the connection…",
      failed: "Not sent.",
      retry: "Try again",
      drop: "Remove",
      offline: "No connection. What you write is kept and sent later.",
      writes: "is writing",
      sources: "Sources",
      source: "Source",
      openArticle: "Open the article",
      partial: "A colleague took over here.",
      newMessages: "New messages",
      tooLong: "That is too long: {n} characters, {max} fit.",
      noAnswer: "The chat cannot be reached. Nothing was lost; it tries again by itself.",
      today: "Today",
      powered: "Answers with their sources",
    },
    zh: {
      open: "打开聊天",
      close: "关闭聊天",
      title: "在线咨询",
      lead: "随时从帮助中心为您解答",
      leadQueue: "同事会在这里回复您",
      leadPerson: "您正在与同事沟通",
      hello: "您好！有什么可以帮您？",
      helloMore: "请直接提问。我会根据帮助文章回答，并注明出处；答不上来时，可以转给同事。",
      placeholder: "请输入消息…",
      label: "您的消息",
      send: "发送",
      person: "转人工",
      personMessage: "我想和人工客服沟通。",
      personAsked: "已为您排队，同事会在这里回复您。",
      personTook: "同事正在处理这个对话。",
      botBack: "助手已恢复服务。",
      resolved: "这个对话已结束。继续发消息即可重新开始。",
      bot: "助手",
      agent: "客服",
      you: "您",
      pending: "正在发送…",
      waiting: "等待网络连接…",
      failed: "未发送。",
      retry: "重试",
      drop: "删除",
      offline: "网络已断开。您写的内容会保留，恢复后发送。",
      writes: "正在输入",
      sources: "出处",
      source: "出处",
      openArticle: "打开文章",
      partial: "同事从这里接手。",
      newMessages: "新消息",
      tooLong: "内容过长：{n} 个字符，最多 {max} 个。",
      noAnswer: "暂时连接不上。内容没有丢失，会自动重试。",
      today: "今天",
      powered: "回答均注明出处",
    },
  };
  const language = pickLanguage();
  const t = WORDS[language];

  function pickLanguage() {
    const wanted = [script.dataset.language, document.documentElement.lang, navigator.language];
    const found = wanted.find(Boolean) || "en";
    return found.toLowerCase().startsWith("zh") ? "zh" : "en";
  }

  // -- small tools -------------------------------------------------------------------------

  const SVG = "http://www.w3.org/2000/svg";

  function el(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) made.setAttribute(name, "");
      else if (value !== false && value != null) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  function icon(path, size = 20) {
    const svg = document.createElementNS(SVG, "svg");
    const attributes = {
      viewBox: "0 0 24 24", width: size, height: size, fill: "none", stroke: "currentColor",
      "stroke-width": "1.8", "stroke-linecap": "round", "stroke-linejoin": "round",
      "aria-hidden": "true", focusable: "false",
    };
    for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
    for (const d of [].concat(path)) {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("d", d);
      svg.append(line);
    }
    return svg;
  }

  const ICONS = {
    chat: ["M20 11.5a7.5 7.5 0 0 1-7.5 7.5H5l1.6-2.6A7.5 7.5 0 1 1 20 11.5Z", "M9 10.5h7", "M9 13.5h4.5"],
    down: ["M6 9.5 12 15.5 18 9.5"],
    close: ["M6.5 6.5 17.5 17.5", "M17.5 6.5 6.5 17.5"],
    send: ["M12 19V5.5", "M6 11.2 12 5.2 18 11.2"],
    person: ["M12 12a3.6 3.6 0 1 0 0-7.2 3.6 3.6 0 0 0 0 7.2Z", "M4.8 19.5c1-3.2 3.7-4.9 7.2-4.9s6.2 1.7 7.2 4.9"],
    out: ["M9 6H6.5A1.5 1.5 0 0 0 5 7.5v10A1.5 1.5 0 0 0 6.5 19h10a1.5 1.5 0 0 0 1.5-1.5V15", "M13 5h6v6", "M19 5l-8.5 8.5"],
    spark: ["M12 4.5l1.7 5 5 1.8-5 1.8-1.7 5-1.7-5-5-1.8 5-1.8z"],
  };

  // Private windows may refuse to keep anything: then the page's life is all there is.
  const memory = new Map();
  const store = {
    read(key) {
      try {
        return memory.has(key) ? memory.get(key) : JSON.parse(localStorage.getItem(key));
      } catch {
        return null;
      }
    },
    write(key, value) {
      try {
        memory.delete(key);
        if (value == null) localStorage.removeItem(key);
        else localStorage.setItem(key, JSON.stringify(value));
      } catch {
        memory.set(key, value);
      }
    },
  };

  function newClientId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const comparePositions = (a, b) => {
    const [an, as] = a.split(".").map(Number);
    const [bn, bs] = b.split(".").map(Number);
    return an - bn || as - bs;
  };

  // -- who speaks: the session -------------------------------------------------------------

  const identity = readIdentity();
  const place = `frontdesk:${server}:${inbox}:${identity ? identity.id : ""}`;
  const KEYS = { session: `${place}:session`, queue: `${place}:queue`, open: `${place}:open`, draft: `${place}:draft` };
  const MAX_CHARS = 20000;

  function readIdentity() {
    try {
      return script.dataset.identity ? JSON.parse(script.dataset.identity) : null;
    } catch {
      return null;
    }
  }

  class Refused extends Error {
    constructor(status, body, retryAfter) {
      super((body && body.error && body.error.message) || `HTTP ${status}`);
      this.status = status;
      this.code = body && body.error && body.error.code;
      this.retryAfter = retryAfter;
    }
  }

  async function call(path, { body, token, signal, headers = {} } = {}) {
    const response = await fetch(`${server}/chat/${path}`, {
      method: body ? "POST" : "GET",
      headers: {
        ...headers,
        ...(body ? { "Content-Type": "application/json" } : {}),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
      },
      body: body ? JSON.stringify(body) : undefined,
      cache: "no-store",
      credentials: "omit",
      signal,
    });
    if (!response.ok) {
      const told = await response.json().catch(() => null);
      throw new Refused(response.status, told, Number(response.headers.get("Retry-After")) || 0);
    }
    return response;
  }

  let opening = null;

  function sessionToken() {
    const kept = store.read(KEYS.session);
    if (kept && kept.token && Date.parse(kept.expires_at) > Date.now()) return kept.token;
    return null;
  }

  async function ensureSession() {
    if (sessionToken()) return sessionToken();
    opening = opening || inOneTab(async () => {
      if (sessionToken()) return; // another tab was first
      const body = identity ? { identity } : {};
      const response = await call(`${encodeURIComponent(inbox)}/session`, { body });
      const made = await response.json();
      store.write(KEYS.session, made);
    }).finally(() => { opening = null; });
    await opening;
    return sessionToken();
  }

  function forgetSession(token) {
    if (sessionToken() !== token) return;
    store.write(KEYS.session, null);
  }

  // Two tabs share one visitor: what must happen once runs under a lock of the browser's.
  function inOneTab(work, name = "session") {
    if (navigator.locks) return navigator.locks.request(`${place}:${name}`, work);
    return Promise.resolve().then(work);
  }

  // -- what is said: the state ---------------------------------------------------------------

  /** Messages by id, in the order of their positions; unsent ones wait in the queue below. */
  const state = {
    messages: new Map(),
    position: "0.0",
    status: "none",
    botWrites: false,
    agentWrites: null,
    connected: true,
    isOpen: false,
    unseen: 0,
    loaded: false,
  };

  function unsent() {
    return store.read(KEYS.queue) || [];
  }

  function changeUnsent(change) {
    const queue = change(unsent());
    store.write(KEYS.queue, queue.length ? queue : null);
    render();
  }

  function say(text, wantsPerson = false) {
    const item = { client_id: newClientId(), text, wants_person: wantsPerson, at: new Date().toISOString(), error: null };
    changeUnsent((queue) => [...queue, item]);
    deliver();
  }

  let delivering = null;
  let again = null;

  /** Send what waits, oldest first; safe to call at any time, in any tab. */
  function deliver() {
    delivering = delivering || inOneTab(deliverAll, "queue").finally(() => { delivering = null; });
    return delivering;
  }

  async function deliverAll() {
    clearTimeout(again);
    let wait = 800;
    for (;;) {
      const item = unsent().find((waiting) => !waiting.error && !waiting.sent);
      if (!item) return;
      const token = await ensureSession().catch((error) => noteTrouble(error));
      if (token) {
        try {
          const { client_id, text } = item;
          await call(item.wants_person ? "person" : "messages", { body: { client_id, text }, token });
          setConnected(true);
          // Other tabs hear of both steps, and so can tell what was sent from what was removed.
          changeUnsent((queue) => queue.map((q) => (q.client_id === client_id ? { ...q, sent: true } : q)));
          keepAsSent(unsent().filter((q) => q.client_id === client_id));
          changeUnsent((queue) => queue.filter((q) => q.client_id !== client_id));
          follow();
          wait = 800;
          continue;
        } catch (error) {
          if (error instanceof Refused && error.status === 401) {
            forgetSession(token);
            continue;
          }
          const isFinal = error instanceof Refused && error.status >= 400 && error.status < 500 && ![408, 429].includes(error.status);
          if (isFinal) {
            changeUnsent((queue) => queue.map((q) => (q.client_id === item.client_id ? { ...q, error: error.message } : q)));
            continue;
          }
          noteTrouble(error);
          if (error.retryAfter) wait = error.retryAfter * 1000;
        }
      }
      // Give the lock back while waiting, so that another tab may send.
      again = setTimeout(deliver, wait * (0.8 + 0.4 * Math.random()));
      wait = Math.min(wait * 2, 15000);
      return;
    }
  }

  function isShown(clientId) {
    for (const message of state.messages.values()) if (message.client_id === clientId) return true;
    return false;
  }

  /** A stored message stays on screen as sent until its event comes back. */
  function keepAsSent(items) {
    for (const { client_id, text, at } of items) {
      if (isShown(client_id)) continue;
      state.messages.set(`sent:${client_id}`, {
        id: `sent:${client_id}`, position: `${Number.MAX_SAFE_INTEGER}.${Date.now()}`, author: "contact",
        text, client_id, citations: [], at,
      });
    }
  }

  function noteTrouble(error) {
    setConnected(!(error instanceof TypeError) && navigator.onLine !== false && !(error instanceof Refused && error.status >= 500));
    return null;
  }

  function setConnected(connected) {
    if (state.connected === connected) return;
    state.connected = connected;
    render();
  }

  // -- what comes back: history and the stream -----------------------------------------------

  let stream = null;

  async function loadHistory() {
    const token = sessionToken();
    if (!token) {
      state.loaded = true;
      return;
    }
    try {
      const history = await (await call("history", { token })).json();
      state.messages.clear();
      for (const message of history.messages) state.messages.set(message.id, message);
      state.position = history.last_event_id;
      state.status = history.status;
      state.botWrites = history.bot_is_writing;
      state.loaded = true;
      const known = new Set(history.messages.map((message) => message.client_id));
      changeUnsent((queue) => queue.filter((q) => !known.has(q.client_id)));
      setConnected(true);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) {
        forgetSession(token);
        state.loaded = true;
      } else {
        noteTrouble(error);
        throw error;
      }
    }
  }

  /** Keep one stream open for as long as somebody looks; it comes back by itself. */
  function follow() {
    if (stream || !sessionToken() || document.hidden) return;
    const abort = new AbortController();
    stream = abort;
    followUntilAborted(abort).finally(() => {
      if (stream === abort) stream = null;
    });
  }

  function unfollow() {
    if (stream) stream.abort();
    stream = null;
  }

  async function followUntilAborted(abort) {
    let wait = 500;
    while (!abort.signal.aborted) {
      const token = sessionToken();
      if (!token) return;
      try {
        if (!state.loaded) await loadHistory();
        const response = await call("events", { token, signal: abort.signal, headers: { "Last-Event-ID": state.position } });
        setConnected(true);
        wait = 500;
        await readEvents(response.body, abort);
      } catch (error) {
        if (abort.signal.aborted) return;
        if (error instanceof Refused && error.status === 401) {
          forgetSession(token);
          return;
        }
        noteTrouble(error);
        if (error.retryAfter) wait = Math.max(wait, error.retryAfter * 1000);
      }
      await pause(wait * (0.7 + 0.6 * Math.random()));
      wait = Math.min(wait * 2, 20000);
    }
  }

  async function readEvents(body, abort) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    // A stream that is silent for three heartbeats is dead, whatever the socket thinks.
    let watchdog = null;
    const feed = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => reader.cancel().catch(() => {}), 50000);
    };
    try {
      for (;;) {
        feed();
        const { value, done } = await reader.read();
        if (done || abort.signal.aborted) return;
        text += value;
        let end;
        while ((end = text.indexOf("\n\n")) >= 0) {
          applyBlock(text.slice(0, end));
          text = text.slice(end + 2);
        }
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  function applyBlock(block) {
    const fields = {};
    for (const line of block.split("\n")) {
      const at = line.indexOf(":");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1).trimStart();
    }
    if (!fields.data) return;
    if (fields.id) {
      if (comparePositions(fields.id, state.position) <= 0) return; // told already
      state.position = fields.id;
    }
    apply(fields.event, JSON.parse(fields.data), fields.id || state.position);
    render();
  }

  function apply(kind, data, position) {
    const known = state.messages.get(data.id);
    if (kind === "message") {
      if (data.client_id) {
        state.messages.delete(`sent:${data.client_id}`);
        changeUnsent((queue) => queue.filter((q) => q.client_id !== data.client_id));
      }
      state.messages.set(data.id, { citations: [], ...data, position });
      if (data.author !== "contact") {
        state.agentWrites = null;
        noteUnseen();
      } else if (state.status === "none" || state.status === "resolved") {
        state.status = "pending";
      }
    } else if (kind === "reply") {
      state.messages.set(data.id, { ...data, text: "", citations: [], is_growing: true, position });
    } else if (kind === "sentence" && known) {
      known.text = join(known.text, data.text);
    } else if (kind === "done" && known) {
      known.is_growing = false;
      known.partial = data.partial;
      known.citations = data.citations;
      noteUnseen();
    } else if (kind === "status") {
      state.status = data.status;
      if (data.status !== "pending") state.botWrites = false;
    } else if (kind === "typing") {
      if (data.author === "bot") state.botWrites = data.is_writing;
      else showAgentWrites(data.author_name || t.agent);
      if (data.author === "bot" && data.is_writing) expireBotWrites();
    }
  }

  /** As the server joins sentences: Chinese ones follow each other without a space. */
  function join(text, sentence) {
    if (!text || text.endsWith("\n") || sentence.startsWith("\n")) return text + sentence;
    return text.codePointAt(text.length - 1) > 0x2e80 ? text + sentence : `${text} ${sentence}`;
  }

  let agentTimer = null;
  let botTimer = null;

  function showAgentWrites(name) {
    state.agentWrites = name;
    clearTimeout(agentTimer);
    agentTimer = setTimeout(() => {
      state.agentWrites = null;
      render();
    }, 6000);
  }

  function expireBotWrites() {
    clearTimeout(botTimer);
    botTimer = setTimeout(() => {
      state.botWrites = false;
      render();
    }, 90000);
  }

  function noteUnseen() {
    if (!state.isOpen || document.hidden) state.unseen += 1;
  }

  // -- safe text -----------------------------------------------------------------------------

  /** Markdown's bold, lists, code and links as elements; everything else is text. */
  function renderText(text) {
    const fragment = document.createDocumentFragment();
    let list = null;
    let paragraph = null;
    for (const line of text.split("\n")) {
      const item = /^\s*(?:([-*•])|(\d{1,3})[.)])\s+(.*)$/.exec(line);
      if (item) {
        paragraph = null;
        const tag = item[2] ? "ol" : "ul";
        if (!list || list.localName !== tag) {
          list = el(tag, item[2] && item[2] !== "1" ? { start: item[2] } : {});
          fragment.append(list);
        }
        list.append(appendInline(el("li"), item[3]));
      } else if (!line.trim()) {
        list = paragraph = null;
      } else {
        list = null;
        if (paragraph) paragraph.append(el("br"));
        else fragment.append((paragraph = el("p")));
        appendInline(paragraph, line);
      }
    }
    return fragment;
  }

  const INLINE = /\*\*([^*\n]+)\*\*|`([^`\n]+)`|\[([^\]\n]+)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>"')\]]+[^\s<>"')\].,;:!?，。；：！？])/g;

  function appendInline(parent, text) {
    let from = 0;
    for (const match of text.matchAll(INLINE)) {
      parent.append(text.slice(from, match.index));
      const [whole, bold, code, label, target, bare] = match;
      if (bold) parent.append(el("strong", {}, bold));
      else if (code) parent.append(el("code", {}, code));
      else parent.append(link(target || bare, label || bare) || whole);
      from = match.index + whole.length;
    }
    parent.append(text.slice(from));
    return parent;
  }

  function safeUrl(target) {
    try {
      const url = new URL(target, location.href);
      return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
    } catch {
      return null;
    }
  }

  function link(target, label) {
    const href = safeUrl(target);
    return href && el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, label);
  }

  // -- what is seen --------------------------------------------------------------------------

  const STYLE = `
    :host { all: initial; --accent: #24483b; --on-accent: #ffffff; color-scheme: light dark;
      --paper: #ffffff; --ground: #f6f5f1; --ink: #1d2321; --quiet: #66706c; --line: #e4e2da;
      --bubble: #ffffff; --tint: color-mix(in srgb, var(--accent) 9%, var(--paper));
      --warn: #a4372b; --shadow: 0 1px 2px rgb(20 30 26 / .08), 0 18px 48px -12px rgb(20 30 26 / .28);
      --radius: 20px; }
    @media (prefers-color-scheme: dark) { :host { --paper: #1a1f1d; --ground: #131715; --ink: #ecefed;
      --quiet: #9aa5a0; --line: #2c3431; --bubble: #222927; --tint: color-mix(in srgb, var(--accent) 34%, var(--paper));
      --warn: #ff9d90; --shadow: 0 0 0 1px #2c3431, 0 18px 48px -8px rgb(0 0 0 / .7); } }
    *, *::before, *::after { box-sizing: border-box; }
    [hidden] { display: none !important; }
    :host, button, textarea { font: 400 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
    button { all: unset; box-sizing: border-box; cursor: pointer; -webkit-tap-highlight-color: transparent; }
    button:focus-visible, a:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 8px; }
    @media (prefers-color-scheme: dark) { button:focus-visible, a:focus-visible, summary:focus-visible { outline-color: #fff; } }

    .launcher { position: fixed; z-index: 2147483000; right: max(22px, env(safe-area-inset-right)); bottom: max(22px, env(safe-area-inset-bottom));
      width: 60px; height: 60px; border-radius: 50%; display: grid; place-items: center; color: var(--on-accent); background: var(--accent);
      box-shadow: 0 2px 4px rgb(20 30 26 / .2), 0 10px 28px -6px color-mix(in srgb, var(--accent) 60%, transparent); transition: transform .18s ease, box-shadow .18s ease; }
    .launcher:hover { transform: translateY(-2px); }
    .launcher:active { transform: scale(.96); }
    .launcher:focus-visible { outline: 3px solid var(--on-accent); outline-offset: -6px; border-radius: 50%; }
    .badge { position: absolute; top: -3px; right: -3px; min-width: 21px; height: 21px; padding: 0 6px; border-radius: 11px; background: #c8452f; color: #fff;
      font-size: 12px; font-weight: 650; line-height: 21px; text-align: center; box-shadow: 0 0 0 2px var(--paper); }

    .panel { position: fixed; z-index: 2147483001; right: max(22px, env(safe-area-inset-right)); bottom: 96px; width: 396px; height: min(660px, calc(100dvh - 120px));
      display: flex; flex-direction: column; background: var(--ground); color: var(--ink); border-radius: var(--radius); box-shadow: var(--shadow); overflow: hidden;
      transform-origin: bottom right; animation: rise .24s cubic-bezier(.2, .9, .3, 1); }
    @keyframes rise { from { opacity: 0; transform: translateY(14px) scale(.98); } }
    header { flex: none; display: flex; align-items: center; gap: 12px; padding: 16px 14px 16px 18px; color: var(--on-accent); background: var(--accent);
      background-image: radial-gradient(120% 160% at 100% 0, rgb(255 255 255 / .16), transparent 55%); }
    .mark { flex: none; width: 40px; height: 40px; border-radius: 13px; display: grid; place-items: center; background: rgb(255 255 255 / .16); }
    .names { flex: 1; min-width: 0; }
    h2 { all: unset; display: block; font-weight: 650; font-size: 16px; line-height: 1.3; letter-spacing: -.005em; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
    .lead { display: block; font-size: 13px; line-height: 1.35; opacity: .82; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
    .round { width: 38px; height: 38px; border-radius: 12px; display: grid; place-items: center; transition: background .15s; }
    .round:hover { background: rgb(255 255 255 / .16); }
    .round:focus-visible { outline-color: var(--on-accent); }

    .scroll { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding: 20px 16px 8px; scrollbar-width: thin; scrollbar-color: var(--line) transparent; }
    .log { display: flex; flex-direction: column; gap: 3px; }
    .hello { padding: 4px 2px 16px; }
    .hello strong { display: block; font-size: 21px; font-weight: 660; letter-spacing: -.018em; line-height: 1.25; margin-bottom: 6px; }
    .hello span { color: var(--quiet); font-size: 14.5px; display: block; }
    .message { display: flex; flex-direction: column; align-items: flex-start; max-width: 88%; }
    .message.own { align-self: flex-end; align-items: flex-end; }
    .message.first { margin-top: 13px; }
    .message.first:first-child { margin-top: 0; }
    .who { display: flex; align-items: center; gap: 6px; margin: 0 0 5px 2px; font-size: 12.5px; font-weight: 600; color: var(--quiet); }
    .who svg { color: var(--accent); } @media (prefers-color-scheme: dark) { .who svg { color: #9cc7b4; } }
    .own .who { display: none; }
    .bubble { padding: 10px 14px; border-radius: 5px 18px 18px 18px; background: var(--bubble); box-shadow: 0 0 0 1px var(--line); overflow-wrap: anywhere; text-wrap: pretty; }
    .message:not(.first) .bubble { border-radius: 18px; }
    .own .bubble { background: var(--accent); color: var(--on-accent); box-shadow: none; border-radius: 18px 18px 5px 18px; }
    .agent .bubble { background: var(--tint); }
    .bubble.growing { white-space: pre-wrap; }
    .sentence { animation: appear .45s ease both; }
    @keyframes appear { from { opacity: 0; filter: blur(2px); } }
    .bubble p { margin: 0; } .bubble p + *, .bubble ul + *, .bubble ol + * { margin-top: 8px; }
    .bubble ul, .bubble ol { margin: 0; padding-inline-start: 20px; } .bubble * + ul, .bubble * + ol { margin-top: 6px; }
    .bubble li { margin: 2px 0; }
    .bubble code { font: 13px/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace; background: rgb(128 128 128 / .16); padding: 1px 5px; border-radius: 5px; }
    .bubble a { color: inherit; text-decoration: underline; text-underline-offset: 2px; text-decoration-thickness: 1px; }
    .note { margin: 5px 4px 0; font-size: 12.5px; color: var(--quiet); display: flex; gap: 8px; align-items: center; flex-wrap: wrap; justify-content: flex-end; }
    .message:not(.own) .note { justify-content: flex-start; }
    .note.bad { color: var(--warn); }
    .note button { font-size: 12.5px; line-height: 1.5; font-weight: 600; text-decoration: underline; text-underline-offset: 2px; color: inherit; padding: 2px 0; }
    .own.unsent .bubble { opacity: .62; }
    .own.failed .bubble { opacity: 1; background: var(--bubble); color: var(--ink); box-shadow: 0 0 0 1.5px var(--warn); }

    .sources { display: flex; flex-direction: column; gap: 5px; margin-top: 7px; width: 100%; }
    details { scroll-margin-block: 10px; border-radius: 13px; background: transparent; box-shadow: 0 0 0 1px var(--line); overflow: hidden; font-size: 13.5px; transition: background .15s; }
    details[open] { background: var(--paper); }
    summary { display: flex; align-items: center; gap: 8px; padding: 7px 12px 7px 9px; cursor: pointer; list-style: none; font-weight: 550; }
    summary::-webkit-details-marker { display: none; }
    summary:hover { background: var(--tint); }
    summary .number { flex: none; min-width: 20px; height: 20px; border-radius: 7px; display: grid; place-items: center; font-size: 11.5px; font-weight: 700; background: var(--tint); color: var(--ink); }
    summary .name { flex: 1; min-width: 0; line-height: 1.35; overflow-wrap: anywhere; }
    summary svg { flex: none; color: var(--quiet); transition: transform .18s; } details[open] summary svg { transform: rotate(180deg); }
    .quote { margin: 0; padding: 9px 14px 11px; } .quote q { display: block; quotes: none; padding-left: 11px; border-left: 2.5px solid color-mix(in srgb, var(--accent) 55%, var(--line)); color: var(--quiet); line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere; }
    .quote a { display: inline-flex; gap: 6px; align-items: center; margin-top: 9px; font-weight: 600; color: var(--ink); text-decoration: none; } .quote a:hover { text-decoration: underline; text-underline-offset: 3px; }

    .aside { align-self: center; width: fit-content; max-width: 92%; margin: 14px auto 6px; padding: 6px 14px; border-radius: 12px; font-size: 13px; color: var(--quiet); background: var(--tint); text-align: center; text-wrap: balance; }
    .typing { display: flex; align-items: center; gap: 9px; margin: 12px 2px 4px; font-size: 13px; color: var(--quiet); min-height: 21px; }
    .dots { display: inline-flex; gap: 4px; } .dots i { width: 6px; height: 6px; border-radius: 50%; background: currentColor; animation: breathe 1.3s infinite; } .dots i:nth-child(2) { animation-delay: .16s; } .dots i:nth-child(3) { animation-delay: .32s; }
    @keyframes breathe { 0%, 60%, 100% { opacity: .28; transform: none; } 30% { opacity: 1; transform: translateY(-3px); } }
    .offline { flex: none; padding: 7px 16px; font-size: 13px; color: var(--ink); background: color-mix(in srgb, #e0a13a 26%, var(--paper)); text-align: center; }
    .jump { position: absolute; left: 50%; bottom: calc(100% + 10px); transform: translateX(-50%); display: flex; gap: 6px; align-items: center; padding: 6px 13px 6px 10px; border-radius: 16px; font-size: 13px; font-weight: 600; color: var(--on-accent); background: var(--accent); box-shadow: var(--shadow); white-space: nowrap; }

    footer { position: relative; flex: none; padding: 8px 12px calc(12px + env(safe-area-inset-bottom)); }
    .tools { display: flex; align-items: center; justify-content: space-between; gap: 10px; padding: 0 4px 8px; font-size: 12.5px; color: var(--quiet); }
    .person { display: inline-flex; align-items: center; gap: 6px; padding: 5px 12px 5px 8px; border-radius: 14px; font-size: 13px; line-height: 1.4; font-weight: 600; color: var(--ink); box-shadow: inset 0 0 0 1px var(--line); background: var(--paper); transition: background .15s; white-space: nowrap; }
    .person:hover { background: var(--tint); }
    .checked { text-align: right; line-height: 1.3; }
    .composer { display: flex; align-items: flex-end; gap: 6px; padding: 5px 5px 5px 15px; border-radius: 22px; background: var(--paper); box-shadow: inset 0 0 0 1.5px var(--line); transition: box-shadow .15s; }
    .composer:focus-within { box-shadow: inset 0 0 0 2px var(--accent); } @media (prefers-color-scheme: dark) { .composer:focus-within { box-shadow: inset 0 0 0 2px color-mix(in srgb, var(--accent) 50%, #fff); } }
    textarea { all: unset; box-sizing: border-box; flex: 1; min-width: 0; height: 36px; max-height: 132px; padding: 6.5px 0; overflow: hidden auto; white-space: pre-wrap; overflow-wrap: anywhere; color: var(--ink); caret-color: currentColor; scrollbar-width: thin; font: 400 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
    textarea::placeholder { color: var(--quiet); opacity: 1; }
    .send { flex: none; width: 36px; height: 36px; border-radius: 50%; display: grid; place-items: center; background: var(--accent); color: var(--on-accent); transition: opacity .15s, transform .15s; }
    .send[disabled] { opacity: .32; cursor: default; } .send:not([disabled]):hover { transform: scale(1.06); }
    .count { padding: 4px 8px 0; font-size: 12.5px; color: var(--warn); }
    .quietly { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

    @media (max-width: 480px), (max-height: 480px) {
      .panel { inset: 0; width: auto; height: 100dvh; border-radius: 0; box-shadow: none; }
      header { padding-top: calc(12px + env(safe-area-inset-top)); padding-bottom: 12px; }
      textarea { font-size: 16px; } .checked { display: none; }
    }
    @media (prefers-reduced-motion: reduce) { *, *::before, *::after { animation: none !important; transition: none !important; } }
    @media print { :host { display: none; } }
  `;

  const view = {};

  function build() {
    const host = el("frontdesk-chat");
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const color = script.dataset.color;
    if (color && /^#[0-9a-f]{6}$/i.test(color)) {
      const accent = new CSSStyleSheet();
      accent.replaceSync(`:host { --accent: ${color}; --on-accent: ${isLight(color) ? "#16201c" : "#ffffff"}; }`);
      root.adoptedStyleSheets = [sheet, accent];
    }
    view.root = root;
    view.host = host;
    host.lang = language;
    buildLauncher();
    buildPanel();
    document.body.append(host);
    render();
  }

  function isLight(color) {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.36;
  }

  function buildLauncher() {
    view.badge = el("span", { class: "badge", "aria-hidden": "true", hidden: true });
    view.launcher = el("button", { class: "launcher", type: "button", "aria-expanded": "false", "aria-controls": "panel" }, icon(ICONS.chat, 27), view.badge);
    view.launcher.addEventListener("click", () => (state.isOpen ? close() : open()));
    view.root.append(view.launcher);
  }

  function buildPanel() {
    view.title = el("h2", { id: "title" }, script.dataset.title || t.title);
    view.lead = el("span", { class: "lead" }, t.lead);
    const shut = el("button", { class: "round", type: "button", "aria-label": t.close }, icon(ICONS.close));
    shut.addEventListener("click", close);
    const head = el("header", {}, el("span", { class: "mark", "aria-hidden": "true" }, icon(ICONS.chat, 22)), el("div", { class: "names" }, view.title, view.lead), shut);

    view.offline = el("div", { class: "offline", role: "status", hidden: true }, t.offline);
    view.log = el("div", { class: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": t.title });
    view.hello = el("div", { class: "hello" }, el("strong", {}, t.hello), el("span", {}, t.helloMore));
    view.aside = el("div", { class: "aside", role: "status", hidden: true });
    view.typing = el("div", { class: "typing", hidden: true });
    view.scroll = el("div", { class: "scroll", tabindex: "-1" }, view.hello, view.log, view.aside, view.typing);
    view.scroll.addEventListener("scroll", noteScroll, { passive: true });

    view.jump = el("button", { class: "jump", type: "button", hidden: true }, icon(ICONS.down, 16), t.newMessages);
    view.jump.addEventListener("click", () => scrollDown(true));
    view.person = el("button", { class: "person", type: "button" }, icon(ICONS.person, 17), t.person);
    view.person.addEventListener("click", () => {
      say(t.personMessage, true);
      view.text.focus();
    });
    view.tools = el("div", { class: "tools" }, view.person, el("span", { class: "checked" }, t.powered));
    view.text = el("textarea", { rows: "1", placeholder: t.placeholder, "aria-label": t.label, enterkeyhint: "send", dir: "auto" });
    view.text.value = store.read(KEYS.draft) || "";
    view.text.addEventListener("input", noteInput);
    view.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
        event.preventDefault();
        submit();
      }
    });
    view.send = el("button", { class: "send", type: "button", "aria-label": t.send, disabled: true }, icon(ICONS.send));
    view.send.addEventListener("click", submit);
    view.count = el("div", { class: "count", role: "status", hidden: true });
    const composer = el("div", { class: "composer" }, view.text, view.send);
    const foot = el("footer", {}, view.jump, view.tools, composer, view.count);
    view.panel = el("div", { class: "panel", id: "panel", role: "dialog", "aria-modal": "true", "aria-labelledby": "title", hidden: true }, head, view.offline, view.scroll, foot);
    view.panel.addEventListener("keydown", keepFocus);
    view.root.append(view.panel);
    nameCompany();
  }

  async function nameCompany() {
    if (script.dataset.title) return;
    try {
      const door = await (await call(encodeURIComponent(inbox))).json();
      if (door.company) view.title.textContent = door.company;
    } catch {
      view.title.textContent = t.title; // the name is an ornament: it comes with the next page
    }
  }

  // -- opening, closing, writing ---------------------------------------------------------------

  let focusedBefore = null;

  function open() {
    if (state.isOpen) return;
    focusedBefore = document.activeElement;
    state.isOpen = true;
    state.unseen = 0;
    store.write(KEYS.open, true);
    view.panel.hidden = false;
    render();
    scrollDown(false);
    noteInput();
    view.text.focus({ preventScroll: true });
    follow();
    deliver();
  }

  function close() {
    if (!state.isOpen) return;
    state.isOpen = false;
    store.write(KEYS.open, null);
    view.panel.hidden = true;
    render();
    const target = focusedBefore && focusedBefore !== document.body && focusedBefore !== view.host && focusedBefore.isConnected ? focusedBefore : view.launcher;
    target.focus({ preventScroll: true });
  }

  function keepFocus(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Tab") {
      const stops = [...view.panel.querySelectorAll("button:not([disabled]), a[href], textarea, summary")].filter((stop) => stop.checkVisibility ? stop.checkVisibility() : stop.offsetParent !== null);
      const first = stops[0];
      const last = stops[stops.length - 1];
      const current = view.root.activeElement;
      if (event.shiftKey && (current === first || current === view.scroll)) {
        event.preventDefault();
        last.focus();
      } else if (!event.shiftKey && current === last) {
        event.preventDefault();
        first.focus();
      }
    }
  }

  function submit() {
    const text = view.text.value.trim();
    if (!text || text.length > MAX_CHARS) return;
    view.text.value = "";
    noteInput();
    say(text);
    scrollDown(true);
    view.text.focus();
  }

  let toldTyping = 0;

  function noteInput() {
    const text = view.text.value;
    const length = text.trim().length;
    view.text.style.height = "0px"; // so that the field also shrinks
    view.text.style.height = `${Math.max(view.text.scrollHeight, 36)}px`;
    view.send.toggleAttribute("disabled", !length || length > MAX_CHARS);
    view.count.hidden = length <= MAX_CHARS;
    if (length > MAX_CHARS) view.count.textContent = t.tooLong.replace("{n}", length).replace("{max}", MAX_CHARS);
    store.write(KEYS.draft, text || null);
    if (length && Date.now() - toldTyping > 4000 && sessionToken() && state.status === "open") {
      toldTyping = Date.now();
      call("typing", { body: {}, token: sessionToken() }).catch(() => {}); // an ornament, not a message
    }
  }

  // -- rendering: one node a message, changed only where something changed ----------------------

  const nodes = new Map();
  let frame = null;

  function render() {
    if (frame || !view.root) return;
    frame = requestAnimationFrame(() => {
      frame = null;
      renderNow();
    });
    // A hidden page draws no frames; what it missed is drawn when it is shown again.
  }

  function shown() {
    const stored = [...state.messages.values()].sort((a, b) => comparePositions(a.position, b.position));
    const waiting = unsent().filter((q) => !isShown(q.client_id)).map((q) => ({
      id: `unsent:${q.client_id}`, author: "contact", text: q.text, client_id: q.client_id, citations: [],
      at: q.at, error: q.error, is_unsent: true,
    }));
    // A reply shows itself with its first sentence; until then the typing dots speak for it.
    return [...stored.filter((m) => m.text || !m.is_growing), ...waiting].filter((m) => m.text);
  }

  function renderNow() {
    const atBottom = isAtBottom();
    const messages = shown();
    renderMessages(messages);
    view.hello.hidden = messages.length > 0 && state.messages.size > 3;
    view.badge.hidden = !state.unseen;
    view.badge.textContent = state.unseen > 9 ? "9+" : String(state.unseen);
    view.launcher.setAttribute("aria-label", state.isOpen ? t.close : state.unseen ? `${t.open} (${state.unseen})` : t.open);
    view.launcher.setAttribute("aria-expanded", String(state.isOpen));
    swapLauncherIcon();
    view.offline.hidden = state.connected;
    view.offline.textContent = navigator.onLine === false ? t.offline : t.noAnswer;
    view.person.hidden = state.status === "open";
    const hasAgent = messages.some((message) => message.author === "agent");
    view.lead.textContent = state.status !== "open" ? t.lead : hasAgent ? t.leadPerson : t.leadQueue;
    renderAside(messages);
    renderTyping(messages);
    if (atBottom) scrollDown(false);
    else view.jump.hidden = !state.isOpen || isAtBottom();
  }

  function swapLauncherIcon() {
    const wanted = state.isOpen ? "down" : "chat";
    if (view.launcherIcon === wanted) return;
    view.launcherIcon = wanted;
    view.launcher.querySelector("svg").replaceWith(icon(ICONS[wanted], 27));
  }

  function renderMessages(messages) {
    const wanted = new Set();
    let previous = null;
    let before = null;
    for (const message of messages) {
      // The browser's own id keeps one node from unsent over sent to stored.
      const key = message.client_id || message.id;
      wanted.add(key);
      const first = !previous || previous.author !== message.author || previous.author_name !== message.author_name;
      const signature = JSON.stringify([message.text, message.is_growing, message.partial, message.error, message.is_unsent, message.citations, first, message.is_unsent && state.connected]);
      let entry = nodes.get(key);
      if (!entry) {
        entry = { node: el("div"), signature: null, told: 0 };
        nodes.set(key, entry);
      }
      if (entry.signature !== signature) {
        drawMessage(entry, message, first);
        entry.signature = signature;
      }
      const place = before ? before.nextSibling : view.log.firstChild;
      if (place !== entry.node) view.log.insertBefore(entry.node, place);
      before = entry.node;
      previous = message;
    }
    for (const [key, entry] of nodes) {
      if (!wanted.has(key)) {
        entry.node.remove();
        nodes.delete(key);
      }
    }
  }

  function drawMessage(entry, message, first) {
    const own = message.author === "contact";
    const { node } = entry;
    node.className = ["message", own ? "own" : message.author, first ? "first" : "", message.is_unsent ? "unsent" : "", message.error ? "failed" : ""].filter(Boolean).join(" ");
    node.setAttribute("aria-busy", message.is_growing ? "true" : "false");
    const name = own ? t.you : message.author === "agent" ? message.author_name || t.agent : t.bot;
    const who = first ? el("div", { class: "who" }, icon(message.author === "agent" ? ICONS.person : ICONS.spark, 15), name) : el("span", { class: "quietly" }, name);
    const bubble = el("div", { class: message.is_growing ? "bubble growing" : "bubble", dir: "auto" });
    if (message.is_growing) drawGrowing(entry, bubble, message.text);
    else bubble.append(renderText(message.text));
    const opened = new Set([...node.querySelectorAll("details[open]")].map((one) => one.dataset.at));
    node.replaceChildren(who, bubble);
    if (message.citations && message.citations.length) node.append(drawSources(message.citations, opened));
    if (message.partial) node.append(el("div", { class: "note" }, t.partial));
    if (message.error) node.append(drawFailure(message));
    else if (message.is_unsent) node.append(el("div", { class: "note" }, state.connected ? t.pending : t.waiting));
  }

  /** What was shown stays still; what is new fades in. */
  function drawGrowing(entry, bubble, text) {
    const told = text.slice(0, entry.told);
    if (told) appendInline(bubble, told);
    const fresh = el("span", { class: "sentence" });
    appendInline(fresh, text.slice(entry.told));
    bubble.append(fresh);
    entry.told = text.length;
  }

  function drawSources(citations, opened) {
    const list = el("div", { class: "sources", role: "group", "aria-label": t.sources });
    citations.forEach((citation, index) => {
      const at = String(index);
      const head = el("summary", {}, el("span", { class: "number", "aria-hidden": "true" }, String(index + 1)), el("span", { class: "quietly" }, `${t.source} `), el("span", { class: "name" }, citation.title || t.source), icon(ICONS.down, 16));
      const body = el("div", { class: "quote" }, el("q", {}, citation.quote || ""));
      const href = citation.url && safeUrl(citation.url);
      if (href) body.append(el("a", { href, target: "_blank", rel: "noopener noreferrer" }, t.openArticle, icon(ICONS.out, 15)));
      const details = el("details", { "data-at": at, open: opened.has(at) }, head, body);
      details.addEventListener("toggle", () => details.open && details.scrollIntoView({ block: "nearest" }));
      list.append(details);
    });
    return list;
  }

  function drawFailure(message) {
    const retry = el("button", { type: "button" }, t.retry);
    retry.addEventListener("click", () => {
      changeUnsent((queue) => queue.map((q) => (q.client_id === message.client_id ? { ...q, error: null } : q)));
      deliver();
    });
    const drop = el("button", { type: "button" }, t.drop);
    drop.addEventListener("click", () => changeUnsent((queue) => queue.filter((q) => q.client_id !== message.client_id)));
    return el("div", { class: "note bad", role: "alert" }, el("span", {}, `${t.failed} ${message.error}`), retry, drop);
  }

  function renderAside(messages) {
    let words = "";
    if (state.status === "open") words = messages.some((m) => m.author === "agent") ? t.personTook : t.personAsked;
    else if (state.status === "resolved") words = t.resolved;
    view.aside.hidden = !words;
    if (view.aside.textContent !== words) view.aside.textContent = words;
  }

  function renderTyping(messages) {
    const last = messages[messages.length - 1];
    const botWrites = state.botWrites && state.status !== "open" && !(last && last.author === "bot" && last.is_growing);
    const name = state.agentWrites || (botWrites ? t.bot : null);
    view.typing.hidden = !name;
    if (name && view.typing.dataset.name !== name) {
      view.typing.dataset.name = name;
      view.typing.replaceChildren(el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), el("span", {}, language === "zh" ? `${name}${t.writes}` : `${name} ${t.writes}`));
    }
  }

  // -- scrolling -------------------------------------------------------------------------------

  const isAtBottom = () => view.scroll.scrollHeight - view.scroll.scrollTop - view.scroll.clientHeight < 90;

  function scrollDown(smoothly) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    view.scroll.scrollTo({ top: view.scroll.scrollHeight, behavior: smoothly && !calm ? "smooth" : "instant" });
    view.jump.hidden = true;
  }

  function noteScroll() {
    if (isAtBottom()) view.jump.hidden = true;
  }

  // -- begin -----------------------------------------------------------------------------------

  /** Messages that were sent in another tab, or another life of this one. */
  function begin() {
    build();
    addEventListener("online", () => { setConnected(true); deliver(); unfollow(); follow(); });
    addEventListener("offline", () => setConnected(false));
    addEventListener("storage", (event) => {
      if (event.key === KEYS.queue) {
        const before = JSON.parse(event.oldValue || "[]");
        const left = new Set(unsent().map((item) => item.client_id));
        keepAsSent(before.filter((item) => item.sent && !left.has(item.client_id)));
        render();
      }
      if (event.key === KEYS.session) follow();
    });
    let hiding = null;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(hiding);
      // Browsers allow few connections to one server: hidden tabs give theirs back.
      if (document.hidden) hiding = setTimeout(unfollow, 20000);
      else {
        if (state.isOpen) state.unseen = 0;
        render();
        follow();
        deliver();
      }
    });
    addEventListener("pagehide", unfollow);
    addEventListener("pageshow", follow);
    if (store.read(KEYS.open) && matchMedia("(min-width: 481px)").matches) open();
    loadHistory().catch(() => null).finally(() => {
      render();
      follow();
      if (unsent().length) deliver();
    });
  }

  window.Frontdesk = Object.freeze({
    open,
    close,
    /** Open the chat with a question in the field; the visitor sends it. */
    ask(question) {
      open();
      view.text.value = String(question).slice(0, MAX_CHARS);
      noteInput();
      view.text.focus();
    },
  });

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();

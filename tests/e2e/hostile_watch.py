"""Notes what a window did that hostile text must not make it do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, Dialog, Page

# What a browser runs, fetches or follows by itself, wherever it stands; shadow roots included.
FIND_LIVE = """() => {
  const found = [];
  const bad = /^(javascript:|vbscript:|data:text|data:image\\/svg)/i;
  const plain = (value) => value.replace(/[\\x00-\\x20]/g, '');
  const look = (root) => {
    for (const each of root.querySelectorAll('*')) {
      const name = each.localName;
      if (/^(iframe|frame|object|embed|applet|base|portal|plaintext|marquee|math)$/.test(name)) {
        found.push(name);
      }
      if (name === 'script' && !(each.src || '').startsWith(location.origin + '/')) {
        found.push('script');
      }
      for (const { name: attribute, value } of each.attributes) {
        if (/^on/.test(attribute)) found.push(`${name} ${attribute}`);
        if (/^(href|src|action|formaction|data|xlink:href|poster|srcset)$/.test(attribute)) {
          if (bad.test(plain(value))) found.push(`${name} ${attribute}=${value.slice(0, 60)}`);
          if (/^(src|srcset|poster|data)$/.test(attribute) && value.includes('evil.example')) {
            found.push(`${name} ${attribute}=${value.slice(0, 60)}`);
          }
        }
      }
      if (each.shadowRoot) look(each.shadowRoot);
    }
  };
  look(document);
  return found;
}"""


def batched(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Parts of so many texts (itertools has this from Python 3.12 on)."""
    return (texts[start : start + size] for start in range(0, len(texts), size))


@dataclass
class Watch:
    """What a window did that it must not do."""

    origin: str
    trouble: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        context.expose_binding("fdHit", lambda _source, *_: self.trouble.append("executed"))
        context.on("request", lambda request: self._ask(request.url))
        context.on("dialog", self._close)
        context.on("console", lambda message: self._hear(message.text))

    def look(self, page: Page, where: str) -> None:
        self.trouble += [f"{where}: {live}" for live in page.evaluate(FIND_LIVE)]

    def _ask(self, url: str) -> None:
        if not url.startswith((f"{self.origin}/", "data:image/png", "blob:", "about:")):
            self.trouble.append(f"asked {url[:80]}")

    def _close(self, dialog: Dialog) -> None:
        self.trouble.append("dialog")
        dialog.dismiss()

    def _hear(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.trouble.append(f"the policy stopped: {text[:200]}")


def storable(text: str) -> str:
    """Postgres keeps no NUL in plain columns; the doors refuse it."""
    return text.replace("\x00", "")

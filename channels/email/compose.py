"""Writes a reply as a mail: pure, from a value that holds all that is needed.

Nothing of a customer's or a model's text can become a header, a tag or a fetched image.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import nh3
from markdown_it import MarkdownIt

MAX_QUOTED_CHARS = 20_000
MAX_REFERENCES = 12
MAX_HEADER_CHARS = 400
TAGS = {
    *("p", "br", "ul", "ol", "li", "strong", "em", "code", "pre", "blockquote", "a", "hr"),
    *("h1", "h2", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td", "div"),
}
_MESSAGE_ID = re.compile(r"[!-;=?-~]{1,120}@[!-;=?-~]{1,120}|[!-;=?-~]{3,240}")
_SOURCES = {
    "en": "From our help centre:", "zh": "来自帮助中心：", "de": "Aus unserem Hilfebereich:",
    "fr": "Dans notre centre d'aide :", "es": "De nuestro centro de ayuda:",
    "ja": "ヘルプセンターより：",
}  # fmt: skip
_BY_A_MACHINE = {
    "en": "This answer was written automatically. Reply to this mail to ask for a person.",
    "zh": "此回复由系统自动生成。如需人工服务，请直接回复本邮件。",
    "de": "Diese Antwort wurde automatisch verfasst. Antworten Sie auf diese Mail, um einen "
    "Menschen zu erreichen.",
    "fr": "Cette réponse a été rédigée automatiquement. Répondez à ce message pour joindre une "
    "personne.",
    "es": "Esta respuesta se ha escrito automáticamente. Responda a este correo para hablar con "
    "una persona.",
    "ja": "この返信は自動で作成されました。担当者をご希望の場合は、このメールにご返信ください。",
}
_WROTE = {
    "en": "On {date}, {name} wrote:",
    "zh": "在 {date}，{name} 写道：",
    "de": "Am {date} schrieb {name}:",
    "fr": "Le {date}, {name} a écrit :",
    "es": "El {date}, {name} escribió:",
    "ja": "{date} {name} のメール：",
}


@dataclass(frozen=True, slots=True)
class Quoted:
    """What the reply answers, as it is quoted below."""

    name: str
    sent_at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A reply, ready to be written. Ids are without angle brackets; texts are plain."""

    from_address: str
    from_name: str
    to_address: str
    reply_to: str
    subject: str
    message_id: str
    in_reply_to: str | None
    references: tuple[str, ...]
    sent_at: datetime
    text: str
    is_automatic: bool
    language: str = ""
    sources: tuple[tuple[str, str], ...] = ()
    quoted: Quoted | None = None
    list_unsubscribe: str = ""
    is_reply: bool = True


def compose(mail: OutgoingMail) -> EmailMessage:
    """The mail; the same value gives the same mail. Raises ValueError for an unusable address."""
    # Longer than any id: the standard library breaks what does not fit a line.
    message = EmailMessage(policy=SMTP.clone(max_line_length=500))
    message["From"] = _address(mail.from_address, mail.from_name)
    message["To"] = _address(mail.to_address, "")
    if mail.reply_to and mail.reply_to != mail.from_address:
        message["Reply-To"] = _address(mail.reply_to, mail.from_name)
    subject = one_line(mail.subject)
    message["Subject"] = f"Re: {subject}".rstrip() if mail.is_reply else subject
    message["Date"] = format_datetime(mail.sent_at)
    message["Message-ID"] = f"<{mail.message_id}>"
    _add_thread(message, mail)
    if mail.is_automatic:
        message["Auto-Submitted"] = "auto-replied"  # RFC 3834 section 5.2
        message["X-Auto-Response-Suppress"] = "All"  # Exchange's word for the same
        if mail.list_unsubscribe:
            message["List-Unsubscribe"] = f"<{one_line(mail.list_unsubscribe)}>"
    message.set_content(_plain(mail), cte="quoted-printable")
    message.add_alternative(_html(mail), subtype="html", cte="quoted-printable")
    del message["MIME-Version"]
    message["MIME-Version"] = "1.0"
    _fix_boundary(message, mail)
    return message


def one_line(text: str) -> str:
    """Text that is safe in a header: no line ends, no controls, not without an end."""
    visible = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(visible.encode("utf-8", "replace").decode().split())[:MAX_HEADER_CHARS]


def usable_ids(message_ids: Iterable[str]) -> tuple[str, ...]:
    """Those that can stand in References; a customer's program may have written anything."""
    bare = (message_id.strip().strip("<>") for message_id in message_ids)
    return tuple(dict.fromkeys(each for each in bare if _MESSAGE_ID.fullmatch(each)))


def _add_thread(message: EmailMessage, mail: OutgoingMail) -> None:
    parents = usable_ids([mail.in_reply_to] if mail.in_reply_to else [])
    if parents:
        message["In-Reply-To"] = f"<{parents[0]}>"
    known = usable_ids((*mail.references, *parents))
    # The first names the conversation and the last the parent (RFC 5322 section 3.6.4).
    if len(known) > MAX_REFERENCES:
        known = (known[0], *known[1 - MAX_REFERENCES :])
    if known:
        message["References"] = " ".join(f"<{each}>" for each in known)


def _address(address: str, name: str) -> Address:
    local, at, domain = address.rpartition("@")
    if (
        not at
        or not local
        or not domain
        or not address.isprintable()
        or set(address) & set(' <>,;"')
    ):
        raise ValueError("The address cannot be written to.")
    return Address(one_line(name), local, domain)


def _plain(mail: OutgoingMail) -> str:
    parts = [mail.text.strip()]
    if mail.sources:
        parts.append(_sources_heading(mail) + "\n" + "\n".join(_source_lines(mail)))
    parts.append("\n".join(["-- ", *_signature(mail)]))
    if mail.quoted is not None:
        lines = _cut(mail.quoted.text).split("\n")
        parts.append("\n".join([_attribution(mail, mail.quoted), *map(_quote_line, lines)]))
    return _clean("\n\n".join(parts)) + "\n"


def _html(mail: OutgoingMail) -> str:
    parts = [render(mail.text.strip())]
    if mail.sources:
        items = "".join(f"<li>{_link(title, url)}</li>" for title, url in mail.sources)
        parts.append(f"<p>{html.escape(_sources_heading(mail))}</p><ul>{items}</ul>")
    parts.append(f"<div>-- <br>{'<br>'.join(html.escape(line) for line in _signature(mail))}</div>")
    if mail.quoted is not None:
        quoted = "<br>".join(html.escape(line) for line in _cut(mail.quoted.text).split("\n"))
        parts.append(
            f"<div>{html.escape(_attribution(mail, mail.quoted))}</div>"
            f'<blockquote type="cite">{quoted}</blockquote>'
        )
    language = html.escape(mail.language or "en", quote=True)
    body = _clean("\n".join(parts))
    return f'<!DOCTYPE html><html lang="{language}"><body>\n{body}\n</body></html>\n'


def render(text: str) -> str:
    """A reply's text as HTML that can neither run nor fetch anything (promise 18)."""
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table")
    parser.disable("image")
    return nh3.clean(
        parser.render(text),
        tags=TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


def _link(title: str, url: str) -> str:
    text = html.escape(one_line(title))
    if not url.startswith(("https://", "http://")):
        return text
    return f'<a href="{html.escape(url, quote=True)}">{text}</a>'


def _source_lines(mail: OutgoingMail) -> list[str]:
    return [f"- {one_line(title)}{f': {url}' if url else ''}" for title, url in mail.sources]


def _sources_heading(mail: OutgoingMail) -> str:
    return _SOURCES.get(mail.language, _SOURCES["en"])


def _signature(mail: OutgoingMail) -> list[str]:
    lines = [one_line(mail.from_name)]
    if mail.is_automatic and mail.is_reply:
        lines.append(_BY_A_MACHINE.get(mail.language, _BY_A_MACHINE["en"]))
    return lines


def _attribution(mail: OutgoingMail, quoted: Quoted) -> str:
    wrote = _WROTE.get(mail.language, _WROTE["en"])
    name = one_line(quoted.name) or one_line(mail.to_address)
    return wrote.format(date=f"{quoted.sent_at:%Y-%m-%d %H:%M} UTC", name=name)


def _quote_line(line: str) -> str:
    return f">{line}" if line.startswith(">") else f"> {line}".rstrip()


def _cut(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    return text if len(text) <= MAX_QUOTED_CHARS else text[:MAX_QUOTED_CHARS] + "\n[…]"


def _clean(text: str) -> str:
    """Without what no mail may hold: NUL, other controls, halves of characters."""
    kept = "".join(c for c in text if c in "\n\t" or (c >= " " and c != "\x7f"))
    return kept.encode("utf-8", "replace").decode()


def _fix_boundary(message: EmailMessage, mail: OutgoingMail) -> None:
    """A boundary of the Message-ID's, so that a retry is the same mail byte for byte."""
    unique = re.sub(r"[^A-Za-z0-9]", "", mail.message_id)[:50]
    message.set_boundary(f"=_fd_{unique}_=")

"""Delivery reports: RFC 3464, and what qmail, Exim, Exchange, Domino and Chinese "
"providers write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from channels.email.automatic_words import BOUNCE_PHRASE, BOUNCE_SUBJECT, EXACT_BOUNCE_SUBJECT
from channels.email.charsets import decode_text
from channels.email.headers import Headers, read_headers, read_ids
from channels.email.mail import Bounce, BounceKind
from channels.email.mime import Part
from channels.email.threading_tokens import ThreadTokens

MAX_TEXT = 20_000
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY_CODE = re.compile(r"(?:^|[\s(:#>\[])([45]\d\d)(?=[\s:;#,.)-])", re.MULTILINE)
_ADDRESS = re.compile(r"[A-Za-z0-9][\w.+=&'/-]{0,63}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}")
_MESSAGE_ID = re.compile(r"(?im)^[>\s]*Message-ID:\s*(<[^<>\s]{1,500}>)")
_COPY = re.compile(
    r"(?im)^[ \t]*(?:-{2,}.{0,20}(?:below this line is a copy|this is a copy of|"
    r"original message|returned message|transcript|copy of (?:the|your) message|以下为|"
    r"原始邮件)"
    r"|received: (?:from|by)|return-path:|here are the headers|original message headers|"
    r"--- message header)"
)
_DELAYED = re.compile(
    r"(?i)(?:\bdelayed\b|will (?:be )?(?:retr|continue|keep|tried)|still (?:being "
    r")?retr|no action is required|this is a warning|temporary (?:error|failure|"
    r"problem)|verzöger|wird erneut versucht|retard|retras|延迟|延遲|重试|再送)"
)
_SENDERS = re.compile(
    r"(?i)^(?:mailer[-_.]?daemon|mail-?daemon|postmaster|mailerdaemon|double-bounce|"
    r"mdaemon|bounces?(?=[+=])|mail\.?delivery|microsoftexchange\w*|"
    r"mail-system)(?:[+=.-].*)?$"
)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a report says; `bounce` is None for one of success."""

    is_standard: bool
    bounce: Bounce | None


@dataclass(frozen=True, slots=True)
class BounceHints:
    """Signs of a report without the standard's form."""

    sender: bool
    subject: bool
    exact_subject: bool
    phrase: bool

    @property
    def count(self) -> int:
        return self.sender + (self.subject or self.exact_subject) + self.phrase


def find_hints(headers: Headers, from_address: str | None, text: str) -> BounceHints:
    """Which signs of a delivery report a mail without the standard form shows."""
    local = (from_address or headers.first("from").strip(' <>"')).partition("@")[0]
    return BounceHints(
        sender=_SENDERS.match(local) is not None,
        subject=BOUNCE_SUBJECT.match(headers.text("subject")) is not None,
        exact_subject=EXACT_BOUNCE_SUBJECT.match(headers.text("subject")) is not None,
        phrase=BOUNCE_PHRASE.search(text[:MAX_TEXT]) is not None,
    )


def read_report(root: Part, tokens: ThreadTokens | None) -> DeliveryReport | None:
    """The report of a multipart/report (RFC 3464, RFC 6522); None for any other mail."""
    status = next(
        (
            p
            for p in _near(root)
            if p.media_type in ("message/delivery-status", "message/global-delivery-status")
        ),
        None,
    )
    if status is None:
        return None
    groups = _groups(status)
    failed = next((g for g in groups if _action(g) in ("failed", "delayed")), None)
    if failed is None:
        return DeliveryReport(is_standard=True, bounce=None)
    code = _STATUS.search(failed.first("status")) or _STATUS.search(failed.first("diagnostic-code"))
    recipient = _recipient(failed.first("original-recipient")) or _recipient(
        failed.first("final-recipient")
    )
    return DeliveryReport(
        is_standard=True,
        bounce=_bounce(
            code[0] if code else None,
            recipient or _first_address(_failed_header(root)),
            "temporary"
            if _action(failed) == "delayed" or (code and code[1] == "4")
            else "permanent",
            _returned_ids(root),
            tokens,
        ),
    )


def read_loose_report(
    root: Part, text: str, tokens: ThreadTokens | None, known: Iterable[str]
) -> Bounce:
    """What can be read from a report that follows no standard; `known` addresses are ours."""
    text = text[: MAX_TEXT * 2]
    copy = _COPY.search(text)
    told = text[: copy.start()] if copy and copy.start() > 40 else text[:MAX_TEXT]
    code = _STATUS.search(told)
    reply = _REPLY_CODE.search(told)
    status = code[0] if code else f"{reply[1][0]}.0.0" if reply else None
    recipient = _first_address(_failed_header(root)) or _told_recipient(told, known)
    is_delayed = _DELAYED.search(told) is not None and (status or "4").startswith("4")
    is_temporary = is_delayed or (status or "5").startswith("4")
    ids = [*_returned_ids(root), *(i for raw in _MESSAGE_ID.findall(text) for i in read_ids(raw))]
    return _bounce(status, recipient, "temporary" if is_temporary else "permanent", ids, tokens)


def _bounce(
    status: str | None,
    recipient: str | None,
    kind: BounceKind,
    ids: list[str],
    tokens: ThreadTokens | None,
) -> Bounce:
    thread = next((t for i in ids if tokens and (t := tokens.verify_message_id(i))), None)
    own = next((i for i in ids if tokens and tokens.verify_message_id(i)), None)
    return Bounce(status, recipient, kind, own or (ids[0] if ids else None), thread)


def _near(root: Part) -> Iterator[Part]:
    """The parts of a mail, but none of a mail that it carries."""
    return (
        part
        for part in root.walk()
        if not part.is_attachment or part.media_type.startswith("message/")
    )


def _groups(status: Part) -> list[Headers]:
    """The fields per message and per recipient (RFC 3464 section 2.1)."""
    text = status.content().replace(b"\r\n", b"\n").strip(b"\n")
    blocks = [block for block in re.split(rb"\n[ \t]*\n", text[:200_000]) if block.strip()]
    read = [read_headers(block + b"\n\n")[0] for block in blocks[:100]]
    return [
        group
        for group in read
        if group.has("action") or group.has("status") or group.has("final-recipient")
    ]


def _action(group: Headers) -> str:
    action = group.first("action").strip().lower().partition(" ")[0]
    if action:
        return action
    status = group.first("status").strip()
    return "failed" if status.startswith("5") else "delayed" if status.startswith("4") else ""


def _recipient(value: str) -> str | None:
    """The address of "rfc822; ada@..." (RFC 3464 section 2.3.2)."""
    address = value.rpartition(";")[2].strip().strip("<>").lower()
    return address if "@" in address and len(address) < 320 else None


def _failed_header(root: Part) -> str:
    return root.headers.first("x-failed-recipients")


def _first_address(text: str, known: Iterable[str] = ()) -> str | None:
    ours = set(known)
    found = (address.lower().strip(".'") for address in _ADDRESS.findall(text[:MAX_TEXT]))
    return next(
        (
            address
            for address in found
            if address not in ours and not _SENDERS.match(address.partition("@")[0])
        ),
        None,
    )


def _told_recipient(told: str, known: Iterable[str]) -> str | None:
    """The first foreign address after the words of failure, else before them."""
    known = list(known)
    phrase = BOUNCE_PHRASE.search(told)
    after = told[phrase.start() :] if phrase else told
    return _first_address(after, known) or _first_address(told, known)


def _returned_ids(root: Part) -> list[str]:
    """The Message-IDs of the mail that came back, whole or as its header alone."""
    ids: list[str] = []
    for part in root.walk():
        if part.media_type in (
            "message/rfc822",
            "text/rfc822-headers",
            "message/rfc822-headers",
            "message/global",
            "message/global-headers",
        ):
            content = part.content()
            headers, _ = read_headers(content.lstrip())
            ids += read_ids(headers.first("message-id"))
            if not ids:
                ids += read_ids(" ".join(_MESSAGE_ID.findall(decode_text(content[:8000]))))
    for name in ("in-reply-to", "references"):
        ids += read_ids(root.headers.first(name))
    return ids

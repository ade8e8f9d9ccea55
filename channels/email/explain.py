"""What Frontdesk would do with a mail and why, as `frontdesk mail explain` shows it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from channels.email.automatic import DISCUSSION_LIST, FOR_SOMEBODY, ROBOT_SENDER
from channels.email.mail import MailMessage, OwnMail
from channels.email.reading import NO_MESSAGE_ID
from channels.email.threading_tokens import without_token

Would = Literal["answer", "draft", "store"]


def decide(mail: MailMessage, own: OwnMail) -> tuple[Would, str]:
    """What becomes of a mail in an inbox that answers by itself, and the reason in words.

    "store" is for programs: kept and shown, never answered. "draft" is for what a person should
    look at before anything goes out.
    """
    if mail.automatic:
        return "store", "a program wrote it"
    if not (mail.visible_text or mail.subject or mail.attachments):
        return "store", "there is nothing in it"
    if mail.from_address is None:
        return "draft", f"nobody can be answered: {mail.from_doubt}"
    if "encrypted" in mail.defects:
        return "draft", "its words are encrypted"
    if not (mail.visible_text or mail.subject):
        return "draft", "there are files and no words"
    if f"weak: {FOR_SOMEBODY}" in mail.reasons:
        return "draft", "it was sent in our name for somebody else"
    if f"weak: {ROBOT_SENDER}" in mail.reasons and not mail.reply_to:
        return "draft", "an answer would reach a robot's address"
    if _came_by_a_list(mail, own):
        return "draft", "it came through a discussion list that is not ours"
    return "answer", "a person wrote it"


def explain(name: str, mail: MailMessage, own: OwnMail) -> dict[str, Any]:
    """One mail's object, in the order in which an operator reads it."""
    would, why = decide(mail, own)
    return {
        "file": name,
        "from": mail.from_address,
        "subject": mail.subject,
        "message_id": None if NO_MESSAGE_ID in mail.defects else mail.message_id,
        "thread": {"match": mail.thread.match, "by": mail.thread.by},
        "automatic": mail.automatic,
        "reasons": list(mail.reasons),
        "bounce": asdict(mail.bounce) if mail.bounce else None,
        "visible_text": mail.visible_text,
        "quoted_chars": mail.quoted_chars,
        "attachments": [
            {"name": one.name, "type": one.media_type, "size": one.size_bytes}
            | ({"refused": one.refused} if one.refused else {})
            for one in mail.attachments
        ],
        "would": would,
        "why": why,
        "from_doubt": mail.from_doubt,
        "defects": list(mail.defects),
    }


def explain_unreadable(name: str, error: str) -> dict[str, Any]:
    """The object of a file that could not be read: the same fields, and `error`."""
    return {
        "file": name,
        "from": None,
        "subject": "",
        "message_id": None,
        "thread": {"match": None, "by": "none"},
        "automatic": False,
        "reasons": [],
        "bounce": None,
        "visible_text": "",
        "quoted_chars": 0,
        "attachments": [],
        "would": "store",
        "why": error,
        "from_doubt": None,
        "defects": [],
        "error": error,
    }


def lines_of(told: dict[str, Any]) -> list[str]:
    """The same for people: a few lines a mail."""
    if "error" in told:
        return [f"{told['file']}: {told['error']}"]
    thread = told["thread"]
    lines = [
        f"{told['file']}: would {told['would']}, since {told['why']}",
        f"  from        {told['from'] or told['from_doubt']}",
        f"  subject     {told['subject']}",
        f"  message id  {told['message_id']}",
        f"  thread      {thread['match'] or 'a new one'} ({thread['by']})",
        f"  automatic   {'yes' if told['automatic'] else 'no'}",
        *(f"              {reason}" for reason in told["reasons"]),
    ]
    if bounce := told["bounce"]:
        lines.append(f"  bounce      {bounce['kind']} {bounce['status']} of {bounce['recipient']}")
    lines += [
        f"  file        {one['name']} ({one['type']}, {one['size']} bytes)"
        for one in told["attachments"]
    ]
    lines += [f"  defect      {defect}" for defect in told["defects"]]
    lines.append(f"  new words   ({told['quoted_chars']} characters left out)")
    return [*lines, *(f"  | {line}" for line in told["visible_text"].split("\n"))]


def _came_by_a_list(mail: MailMessage, own: OwnMail) -> bool:
    if not own.addresses or f"weak: {DISCUSSION_LIST}" not in mail.reasons:
        return False
    ours = {without_token(address) for address in own.addresses}
    return not ours & {without_token(address) for address in (*mail.to, *mail.cc)}

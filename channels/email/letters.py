"""A letter to somebody of the staff as a mail: pure."""

from __future__ import annotations

from datetime import UTC

from bot.letters import Letter
from channels.email.compose import OutgoingMail
from channels.email.mailboxes import Mailbox
from channels.email.threading_tokens import ThreadTokens

INVITATION = """Hello {name},

{invited_by} invites you to answer the customers of {company} at the desk.

Open this link, choose a password, and you are in:

<{link}>

It is good once, until {until} UTC. Whoever has it can use it: do not forward or answer this mail.
"""
LINK = """Hello {name},

this link logs you in at the desk of {company}:

<{link}>

It is good once, until {until} UTC. Whoever has it can use it: do not forward or answer this mail.
If you did not ask for it, leave it and tell your admin."""


def compose_letter(mailbox: Mailbox, tokens: ThreadTokens, letter: Letter) -> OutgoingMail:
    """The same mail at every attempt, Message-ID included."""
    company = _plain(mailbox.company or mailbox.sender_name)
    is_invitation = letter.kind == "invitation"
    text = (INVITATION if is_invitation else LINK).format(
        name=_plain(letter.name),
        invited_by=_plain(letter.invited_by) or company,
        company=company,
        link=letter.link,
        until=f"{letter.expires_at.astimezone(UTC):%Y-%m-%d %H:%M}",
    )
    thread = tokens.make_thread(f"letter:{letter.letter_id}")
    return OutgoingMail(
        from_address=mailbox.setting.address,
        from_name=mailbox.sender_name,
        to_address=letter.recipient,
        reply_to=mailbox.setting.address,
        subject=f"Your invitation to {company}'s desk" if is_invitation else "Your log-in link",
        message_id=tokens.sign_message_id(thread, letter.letter_id, mailbox.domain),
        in_reply_to=None,
        references=(),
        sent_at=letter.written_at.astimezone(UTC),
        text=text,
        is_automatic=True,
        language="en",
        is_reply=False,
    )


def _plain(name: str) -> str:
    """Without what Markdown would read: a name must not become a link."""
    return "".join(each for each in name if each not in "*_[]`<>\\").strip()

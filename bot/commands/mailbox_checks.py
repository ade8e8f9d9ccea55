"""What `frontdesk doctor` says of the mailboxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy.exc import SQLAlchemyError

from bot.commands.sessions import open_sessions
from bot.doctor import Finding
from bot.sealing import SealingError
from bot.settings import Settings
from channels.email.mailboxes import broken_mailboxes, load_mailboxes
from channels.email.trying import try_mailbox


def check_mailboxes(settings: Settings, _environ: Mapping[str, str]) -> Iterable[Finding]:
    """One finding for each server of each mailbox; none where no mailbox is connected."""
    if settings.database_url is None or settings.master_key is None:
        return
    try:
        with open_sessions(settings) as sessions, sessions() as session:
            mailboxes, broken = load_mailboxes(session), broken_mailboxes(session)
    except (SQLAlchemyError, SealingError):
        return  # what is wrong with the database has a finding of its own
    for name, reason in broken:
        yield Finding(f"mailbox {name}", "fail", reason, "`./frontdesk mail connect` again")
    for mailbox in mailboxes:
        for part, problem in try_mailbox(mailbox):
            place = f"mailbox {mailbox.inbox}"
            if problem is None:
                yield Finding(place, "ok", f"{part} lets us in")
            else:
                remedy = "see docs/connecting-email.md, then `./frontdesk mail connect` again"
                yield Finding(place, "fail", f"{part}: {problem}", remedy)

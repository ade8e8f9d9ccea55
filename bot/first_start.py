"""What `up` does with an empty desk: the API token, and the sample shop to try it on."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session, sessionmaker

from bot.api_tokens import ensure_token, new_token
from bot.dashboard.invitations import invite_first_admin
from bot.dashboard.links import link_url
from bot.database import keyring_of_settings, make_engine, make_sessions
from bot.home import write_secret
from bot.knowledge.articles import index_status
from bot.knowledge.importing import ImportRequest, import_paths
from bot.queue import Queue
from bot.settings import Settings
from bot.tables import Inbox
from bot.terminal import Terminal

OWN_TOKEN = "operator"  # noqa: S105 - the name of a token, not one
INBOX, COLLECTION, COMPANY = "website", "sample shop", "Larkspur Outdoor"
ARTICLES = Path(__file__).resolve().parent.parent / "deploy" / "sample_shop" / "articles"


def prepare_desk(settings: Settings, token_file: Path, terminal: Terminal) -> None:
    """Put the API token of its file in force; give a desk without an inbox the sample shop.

    The articles are stored and rung for here, and indexed as soon as a worker runs.
    """
    engine = make_engine(settings.database_url or "", pool_size=1)
    queue = Queue(settings.redis_url or "")
    try:
        sessions = make_sessions(engine, keyring_of_settings(settings))
        _ensure_own_token(sessions, token_file)
        if not _has_inbox(sessions):
            _open_sample_shop(sessions, queue, terminal)
    finally:
        queue.close()
        engine.dispose()


def first_link(settings: Settings) -> str | None:
    """Where the first admin makes their account, once; None when there is an admin."""
    engine = make_engine(settings.database_url or "", pool_size=1)
    try:
        with make_sessions(engine, keyring_of_settings(settings)).begin() as session:
            token = invite_first_admin(session)
    finally:
        engine.dispose()
    return link_url(settings.public_url, "invitation", token) if token else None


def index_progress(settings: Settings) -> tuple[int, int]:
    """Articles that can be found, and articles there are."""
    engine = make_engine(settings.database_url or "", pool_size=1)
    try:
        with make_sessions(engine, keyring_of_settings(settings))() as session:
            status = index_status(session)
    finally:
        engine.dispose()
    return status.indexed + status.failed, status.articles


def _ensure_own_token(sessions: sessionmaker[Session], token_file: Path) -> None:
    if not token_file.exists():
        write_secret(token_file, new_token())
    with sessions.begin() as session:
        ensure_token(session, OWN_TOKEN, token_file.read_text(encoding="utf-8").strip())


def _has_inbox(sessions: sessionmaker[Session]) -> bool:
    with sessions() as session:
        return bool(session.scalar(select(exists().select_from(Inbox))))


def _open_sample_shop(sessions: sessionmaker[Session], queue: Queue, terminal: Terminal) -> None:
    request = ImportRequest([ARTICLES], INBOX, COLLECTION, wait=False)
    summary = import_paths(sessions, queue, request, _Quiet())
    with sessions.begin() as session:
        session.execute(update(Inbox).where(Inbox.name == INBOX).values(company=COMPANY))
    terminal.say(f"imported {summary.articles} articles of the sample shop {COMPANY}")


class _Quiet:
    """Nobody watches this import: it takes less than a second."""

    def reading(self, done: int, total: int) -> None: ...

    def indexing(self, done: int, total: int) -> None: ...

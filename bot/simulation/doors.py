"""The temporary inboxes of a simulation: made as an operator makes them, taken away without rest.

Their names and addresses say what they are, their servers are on loopback, and a mark in their
settings keeps their handoffs out of the staff's real channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, sessionmaker

from bot.conversations import SIMULATED, delete_conversation
from bot.home import write_secret
from bot.knowledge.articles import ensure_inbox
from bot.simulation.mail_world import PASSWORD, MailWorld
from bot.simulation.slack_events import SlackEvents
from bot.simulation.slack_workspace import SlackWorkspace
from bot.simulation.stage import STAFF_CHANNEL
from bot.slack_setup import Wish, connect
from bot.tables import (
    Agent,
    AgentIdentity,
    Article,
    Collection,
    Contact,
    ContactIdentity,
    Conversation,
    DataKey,
    Inbox,
    InboxCollection,
)
from channels.email.mailboxes import (
    LoginSetting,
    MailboxSetting,
    Secrets,
    ServerSetting,
    connect_mailbox,
)

HOST = "127.0.0.1"
COMPANY = "Simulation"
QUESTIONS = 40
# What an inbox's settings say of it: `True` goes with its simulation, "demo" stays.
Mark = Literal[True, "demo"]


@dataclass(frozen=True, slots=True)
class InboxNames:
    """What the temporary inboxes are called."""

    chat: str
    email: str
    slack: str

    @classmethod
    def of(cls, suffix: str) -> InboxNames:
        return cls(*(f"simulation-{channel}-{suffix}" for channel in ("chat", "email", "slack")))

    @property
    def all(self) -> tuple[str, str, str]:
        return (self.chat, self.email, self.slack)


@contextmanager
def temporary_inboxes(
    sessions: sessionmaker[Session],
    names: InboxNames,
    mail: MailWorld,
    slack: SlackWorkspace,
    events: SlackEvents,
    folder: Path,
) -> Iterator[None]:
    """The three inboxes while the block lasts; those that a killed simulation left go, too.

    Slack's secrets stand in files of `folder`, which the desk's processes must be able to read.
    The workspace must be served already: connecting asks it who it is.
    """
    remove_inboxes(sessions)
    try:
        connect_inboxes(sessions, names, mail, slack, events, folder)
        yield
    finally:
        remove_inboxes(sessions)


def connect_inboxes(
    sessions: sessionmaker[Session],
    names: InboxNames,
    mail: MailWorld,
    slack: SlackWorkspace,
    events: SlackEvents,
    folder: Path,
    *,
    mark: Mark = True,
    company: str = COMPANY,
) -> None:
    """Make the three inboxes, connected to these servers and answering from all articles."""
    _connect_slack(sessions, names, slack, events, folder)
    with sessions.begin() as session:
        ensure_inbox(session, names.chat)
        mailbox = _mailbox(mail, company)
        connect_mailbox(session, names.email, mailbox, Secrets(password=PASSWORD))
        for inbox in session.scalars(select(Inbox).where(Inbox.name.in_(names.all))):
            inbox.company = company
            inbox.settings = {**inbox.settings, SIMULATED: mark}
            _give_all_articles(session, inbox.id)


def questions_of(sessions: sessionmaker[Session]) -> list[str]:
    """What customers may ask here: the titles of the company's own articles."""
    with sessions() as session:
        titles = session.scalars(select(Article.title).order_by(Article.title).limit(QUESTIONS))
        return [f"{title.rstrip('.?!')}?" for title in titles if title.strip()]


def remove_inboxes(sessions: sessionmaker[Session], mark: Mark = True) -> None:
    """Take every inbox of this mark away with all that was said in it, and its people's keys."""
    with sessions.begin() as session:
        marked = select(Inbox).where(Inbox.settings.contains({SIMULATED: mark}))
        inboxes = session.scalars(marked).all()
        for inbox in inboxes:
            # Listeners, deliveries and events stop here; what is under way finds no door.
            inbox.settings = {SIMULATED: mark}
    inbox_ids = [inbox.id for inbox in inboxes]
    with sessions() as session:
        said = select(Conversation.id).where(Conversation.inbox_id.in_(inbox_ids))
        conversations = list(session.scalars(said))
    for conversation_id in conversations:
        with sessions.begin() as session:
            delete_conversation(session, conversation_id)
    with sessions.begin() as session:
        _remove_people(session, inbox_ids)
        session.execute(delete(Inbox).where(Inbox.id.in_(inbox_ids)))


def _remove_people(session: Session, inbox_ids: Sequence[UUID]) -> None:
    own = select(ContactIdentity.contact_id).where(ContactIdentity.inbox_id.in_(inbox_ids))
    contacts = list(session.scalars(own))
    staff = select(AgentIdentity.agent_id).where(AgentIdentity.inbox_id.in_(inbox_ids))
    agents = list(session.scalars(staff))
    session.execute(delete(Contact).where(Contact.id.in_(contacts)))
    session.execute(delete(DataKey).where(DataKey.scope.in_([str(each) for each in contacts])))
    session.execute(delete(Agent).where(Agent.id.in_(agents)))


def _connect_slack(
    sessions: sessionmaker[Session],
    names: InboxNames,
    slack: SlackWorkspace,
    events: SlackEvents,
    folder: Path,
) -> None:
    write_secret(folder / "slack-token", slack.token)
    write_secret(folder / "slack-signing-secret", events.signing_secret)
    wish = Wish(
        name=names.slack,
        bot_token=f"file:{folder / 'slack-token'}",
        signing_secret=f"file:{folder / 'slack-signing-secret'}",
        webhook_url=None,
        staff_channel=STAFF_CHANNEL,
        staff_of=names.all,
        api_base_url=slack.api_base_url,
    )
    connect(sessions, wish, {})


def _mailbox(mail: MailWorld, company: str) -> MailboxSetting:
    return MailboxSetting(
        address=mail.company,
        display_name=company,
        imap=ServerSetting(host=HOST, port=mail.imap.port, security="none"),
        smtp=ServerSetting(host=HOST, port=mail.smtp.port, security="none"),
        login=LoginSetting(user=mail.company),
    )


def _give_all_articles(session: Session, inbox_id: UUID) -> None:
    collections: Sequence[UUID] = session.scalars(select(Collection.id)).all()
    for collection_id in collections:
        row = {"inbox_id": inbox_id, "collection_id": collection_id}
        session.execute(insert(InboxCollection).values(**row).on_conflict_do_nothing())

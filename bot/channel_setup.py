"""The operator's side of the channels, as the dashboard shows it: set up, look at, try."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import aiohttp
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.channel_states import mailbox_steps, slack_problem, slack_steps
from bot.conversations import SIMULATED
from bot.dashboard.admin_payloads import MailboxForm, MailboxShown, MailServer
from bot.dashboard.connections import ConnectionRefused, Probe, Sender, Steps
from bot.knowledge.articles import IndexStatus, index_status
from bot.messages import ChannelName
from bot.tables import Inbox, MailboxWatermark
from channels.chat.appearance import SETTING as WIDGET
from channels.chat.appearance import AppearanceError, WidgetSetting, widget_of, with_widget
from channels.email.mailboxes import (
    LoginSetting,
    Mailbox,
    MailboxError,
    MailboxSetting,
    Secrets,
    ServerSetting,
    connect_mailbox,
    find_mailbox,
)
from channels.email.trying import try_mailbox
from channels.slack.trying import try_account

PAGE_SECONDS = 5.0


class ChannelSetup:
    """Stands behind the dashboard's port `Connections`."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        environ: Mapping[str, str],
        public_url: str,
    ) -> None:
        self._sessions = sessions
        self._environ = environ
        self._public_url = public_url

    async def test(self, inbox_id: UUID) -> Sequence[Probe]:
        """Each server of the channel, and whether there is anything to answer from."""
        async with self._sessions() as session:
            inbox = await session.get_one(Inbox, inbox_id)
            articles = await session.run_sync(index_status, inbox_id)
        tries: dict[ChannelName, Callable[[Inbox], Awaitable[list[Probe]]]] = {
            "chat": self._test_chat,
            "email": self._test_mail,
            "slack": self._test_slack,
        }
        found = await tries[inbox.channel](inbox) if inbox.channel in tries else []
        return [*found, _articles(articles)]

    def problem(self, session: Session, inbox: Inbox) -> str | None:
        """A mailbox that cannot be used or was not read, a secret of Slack that is not there."""
        if inbox.channel == "slack":
            return slack_problem(inbox, self._environ)
        if inbox.channel != "email":
            return None
        try:
            if find_mailbox(session, inbox.id).setting.imap is None:
                return None  # what is said of a mailbox that it had once is no problem any more
        except MailboxError as error:
            return str(error)
        query = select(MailboxWatermark.error).where(MailboxWatermark.inbox_id == inbox.id)
        return next((error for error in session.scalars(query) if error), None)

    def steps(self, session: Session, inbox: Inbox) -> Steps | None:
        """From the settings alone; `test` tries them."""
        if inbox.channel == "slack":
            return slack_steps(inbox, self._public_url)
        if inbox.channel == "email":
            return mailbox_steps(inbox.name, _known(session, inbox.name))
        return None

    def sender(self, session: Session) -> Sender | None:
        """The oldest mailbox with an SMTP server whose settings can be used; no simulated one."""
        query = select(Inbox).where(Inbox.channel == "email").order_by(Inbox.created_at, Inbox.name)
        for inbox in session.scalars(query):
            try:
                setting = find_mailbox(session, inbox.id).setting
            except MailboxError:
                continue
            if setting.smtp is not None and not inbox.settings.get(SIMULATED):
                return Sender(inbox.id, setting.address)
        return None

    def show_widget(self, inbox: Inbox) -> dict[str, Any]:
        """Ours where the stored ones cannot be used."""
        try:
            return widget_of(inbox.settings).model_dump(mode="json")
        except AppearanceError:
            return WidgetSetting().model_dump(mode="json")

    def with_widget(self, inbox: Inbox, values: Mapping[str, Any]) -> dict[str, Any]:
        """Checked as the chat channel will read them."""
        try:
            return with_widget(inbox.settings, widget_of({WIDGET: dict(values)}))
        except AppearanceError as error:
            raise ConnectionRefused(str(error)) from error

    def show_mailbox(self, session: Session, inbox: Inbox) -> MailboxShown | None:
        """The settings, without what opens the mailbox."""
        if inbox.channel != "email":
            return None
        try:
            mailbox = find_mailbox(session, inbox.id)
        except MailboxError:
            return None
        setting = mailbox.setting
        return MailboxShown(
            address=setting.address,
            display_name=setting.display_name,
            folder=setting.folder,
            imap=_shown(setting.imap),
            smtp=_shown(setting.smtp),
            login=setting.login.kind,
            user=setting.login.user,
            has_file=setting.login.file is not None,
            plus_addressing=setting.plus_addressing,
            state=self.problem(session, inbox) or "",
        )

    def save_mailbox(self, session: Session, name: str, form: MailboxForm, company: str) -> UUID:
        """What the form does not know of (aliases, gateways, OAuth2) stays as it is."""
        known = _known(session, name)
        try:
            setting = _setting(form, known)
            return connect_mailbox(session, name, setting, _secrets(form, known), company)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in problem["loc"])
            raise ConnectionRefused(f"{place}: {problem['msg']}") from error
        except MailboxError as error:
            raise ConnectionRefused(str(error)) from error

    async def _test_chat(self, _inbox: Inbox) -> list[Probe]:
        url = f"{self._public_url}/healthz"
        try:
            timeout = aiohttp.ClientTimeout(total=PAGE_SECONDS)
            async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url) as answer:
                if answer.status == 200:
                    return [Probe("Address", "ok", f"{self._public_url} leads to this desk")]
                told = f"{url} answers {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            told = f"{url} does not answer ({type(error).__name__})"
        return [Probe("Address", "fail", f"{told}: set FRONTDESK_PUBLIC_URL, or mend the proxy")]

    async def _test_mail(self, inbox: Inbox) -> list[Probe]:
        async with self._sessions() as session:
            try:
                mailbox = await session.run_sync(find_mailbox, inbox.id)
            except MailboxError as error:
                return [Probe("Mailbox", "fail", str(error))]
        found = await asyncio.to_thread(try_mailbox, mailbox)
        if not found:
            return [Probe("Mailbox", "ok", "mail comes in by LMTP; nothing to log in to")]
        return [
            Probe(part, "fail" if problem else "ok", problem or "lets us in")
            for part, problem in found
        ]

    async def _test_slack(self, inbox: Inbox) -> list[Probe]:
        tried = await try_account(inbox, self._environ)
        if tried.problem:
            return [Probe("Slack", "fail", tried.problem)]
        if tried.warning:
            return [Probe("Slack", "warn", tried.warning)]
        return [Probe("Slack", "ok", tried.told)]


def _articles(status: IndexStatus) -> Probe:
    if status.articles == 0:
        return Probe("Articles", "warn", "none is given to this inbox, so the bot hands over")
    if status.failed:
        told = f"{status.indexed} can be found, {status.failed} could not be read"
        return Probe("Articles", "warn", told)
    if status.waiting:
        return Probe("Articles", "warn", f"{status.indexed} can be found, {status.waiting} wait")
    return Probe("Articles", "ok", f"{status.indexed} can be found")


def _known(session: Session, name: str) -> Mailbox | None:
    inbox_id = session.scalar(select(Inbox.id).where(Inbox.name == name))
    try:
        return find_mailbox(session, inbox_id) if inbox_id else None
    except MailboxError:
        return None


def _setting(form: MailboxForm, known: Mailbox | None) -> MailboxSetting:
    login = LoginSetting(kind=form.login, user=form.user)
    if known is not None and known.setting.login.kind == "oauth2":
        if _places(form.imap, form.smtp) != _places(known.setting.imap, known.setting.smtp):
            raise ConnectionRefused("servers: `./frontdesk mail connect` changes those of OAuth2.")
        login = known.setting.login
    elif known is not None and not form.password:
        login = login.model_copy(update={"file": known.setting.login.file})
    base = known.setting if known is not None else MailboxSetting(address=form.address)
    changed = base.model_copy(
        update={
            "address": form.address.strip(),
            "display_name": form.display_name,
            "folder": form.folder or "INBOX",
            "imap": _server(form.imap, base.imap),
            "smtp": _server(form.smtp, base.smtp),
            "login": login,
            "plus_addressing": form.plus_addressing,
        }
    )
    return MailboxSetting.model_validate(changed.model_dump())


def _secrets(form: MailboxForm, known: Mailbox | None) -> Secrets | None:
    if form.password:
        return Secrets(password=form.password)
    if form.login == "none":
        return None if known is not None else Secrets()
    if known is None:
        raise ConnectionRefused("password: it is missing.")
    if known.setting.login.kind != "oauth2" and _places(form.imap, form.smtp) != _places(
        known.setting.imap, known.setting.smtp
    ):
        # Else whoever may edit an inbox could have its password sent to a server of their own.
        raise ConnectionRefused("password: type it again, because the server is another one now.")
    return None


def _server(given: MailServer | None, known: ServerSetting | None) -> ServerSetting | None:
    if given is None or not given.host:
        return None
    same = known is not None and known.host == given.host
    return ServerSetting(
        host=given.host,
        port=given.port,
        security=given.security,
        ca_file=known.ca_file if same and known is not None else None,
    )


def _places(*servers: MailServer | ServerSetting | None) -> list[tuple[str, int, str]]:
    return [(each.host, each.port, each.security) for each in servers if each and each.host]


def _shown(server: ServerSetting | None) -> MailServer | None:
    if server is None:
        return None
    return MailServer(host=server.host, port=server.port, security=server.security)

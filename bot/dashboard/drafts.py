"""Drafts of articles: made from a message or a correction, reviewed by a supervisor."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.answering.copilot import impersonal
from bot.answering.language import written_language
from bot.dashboard import knowledge_payloads as payloads
from bot.dashboard.desk_payloads import Nothing
from bot.dashboard.signed_in import signed_in
from bot.dashboard.why import find_message
from bot.knowledge.articles import DEFAULT_COLLECTION
from bot.knowledge.sentences import split_prose
from bot.knowledge.unanswered import questions_of
from bot.sealing import SealingError
from bot.tables import (
    Agent,
    Article,
    ArticleDraft,
    Collection,
    Contact,
    Conversation,
    InboxCollection,
    Message,
    SettledQuestion,
    new_id,
)
from bot.web.addressed import find, number_of, uuid_of
from bot.web.bodies import answer_with, read_json
from bot.web.refusals import Refusal
from bot.web.rules import access

MAX_BODY_BYTES = 128 * 1024
MAX_TITLE_CHARS = 120
MESSAGE = "/desk/api/conversations/{number}/messages/{message}"


class Drafts:
    """The endpoints. Everybody makes drafts; publishing is in `articles`."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.post(f"{MESSAGE}/article", self.make_from_message),
            web.post(f"{MESSAGE}/correction", self.correct),
            web.get("/desk/api/knowledge/drafts", self.list),
            web.get("/desk/api/knowledge/drafts/{draft}", self.read),
            web.delete("/desk/api/knowledge/drafts/{draft}", self.discard),
        ]

    @access("staff")
    async def make_from_message(self, request: web.Request) -> web.Response:
        """A draft with the message's words under the question before it."""
        await read_json(request, Nothing, MAX_BODY_BYTES)
        number, message_id = number_of(request), uuid_of(request, "message")
        agent = signed_in(request)
        async with self._sessions.begin() as session:
            made = await session.run_sync(
                lambda sync: draft_of_message(
                    sync, find_message(sync, find(sync, number), message_id), agent.agent_id
                )
            )
        return answer_with(made, 201)

    @access("staff")
    async def correct(self, request: web.Request) -> web.Response:
        """What the answer should have been: a draft of the article that it was taken from."""
        asked = await read_json(request, payloads.CorrectionIn, MAX_BODY_BYTES)
        number, message_id = number_of(request), uuid_of(request, "message")
        agent = signed_in(request)
        async with self._sessions.begin() as session:
            made = await session.run_sync(
                lambda sync: draft_of_correction(
                    sync,
                    find_message(sync, find(sync, number), message_id),
                    agent.agent_id,
                    asked.text.strip(),
                )
            )
        return answer_with(made, 201)

    @access("staff")
    async def list(self, _request: web.Request) -> web.Response:
        """Drafts that wait for a review, newest first."""
        async with self._sessions() as session:
            items = await session.run_sync(_list)
        return answer_with(payloads.Drafts(items=items))

    @access("staff")
    async def read(self, request: web.Request) -> web.Response:
        """One draft."""
        draft_id = uuid_of(request, "draft")
        async with self._sessions() as session:
            found = await session.run_sync(_read, draft_id)
        return answer_with(found)

    @access("supervisor")
    async def discard(self, request: web.Request) -> web.Response:
        """Set aside; the questions behind it count as taken care of."""
        draft_id = uuid_of(request, "draft")
        async with self._sessions.begin() as session:
            draft = await session.get(ArticleDraft, draft_id, with_for_update=True)
            if draft is None:
                raise _nothing()
            if draft.state == "open":
                draft.state = "discarded"
        return web.Response(status=204)


def draft_of_message(session: Session, message: Message, agent_id: UUID) -> payloads.DraftMade:
    """The message's own words, without greetings and names; of a contact's message its question."""
    contact = session.get_one(Contact, message.contact_id)
    is_asked = message.author == "contact"
    question = message.text if is_asked else _question_before(session, message)
    draft = _begin(session, message, agent_id, "message")
    draft.title = title_of(question)
    draft.body = "" if is_asked else impersonal(message.text, contact.name)
    draft.note = "Nobody's answer stands in it yet." if is_asked else ""
    draft.language = written_language(message.text, "")
    session.add(draft)
    session.flush()
    return payloads.DraftMade(id=str(draft.id))


def draft_of_correction(
    session: Session, message: Message, agent_id: UUID, right: str
) -> payloads.DraftMade:
    """The cited article as it is now, with the correction beside it; else an article of its own."""
    if message.author not in ("bot", "agent"):
        raise Refusal(422, "invalid", "Only an answer can be corrected.")
    draft = _begin(session, message, agent_id, "correction")
    article = _cited(session, message)
    if article is None:
        draft.title, draft.body = title_of(_question_before(session, message)), right
        draft.language = written_language(right, "")
    else:
        draft.article_id = article.id
        draft.collection = session.get_one(Collection, article.collection_id).name
        draft.title, draft.body, draft.language = article.title, article.body, article.language
    draft.note = f"It was answered: {message.text}\n\nRight would be: {right}"
    session.add(draft)
    session.flush()
    return payloads.DraftMade(id=str(draft.id))


def collection_of(session: Session, inbox_id: UUID) -> str:
    """Where a new article for this inbox goes: the first collection that it answers from."""
    query = (
        select(Collection.name)
        .join(InboxCollection, InboxCollection.collection_id == Collection.id)
        .where(InboxCollection.inbox_id == inbox_id)
        .order_by(Collection.name)
        .limit(1)
    )
    return session.scalar(query) or DEFAULT_COLLECTION


def title_of(question: str) -> str:
    """A question as a title: its first sentence that asks, on one line."""
    sentences = split_prose(question) or [""]
    asking = next((each for each in sentences if each.endswith(("?", "？"))), sentences[0])
    title = "".join(letter for letter in asking if letter.isprintable()).strip()
    return title if len(title) <= MAX_TITLE_CHARS else f"{title[: MAX_TITLE_CHARS - 1]}…"


def _begin(session: Session, message: Message, agent_id: UUID, origin: str) -> ArticleDraft:
    # Added by the caller once its texts are set: every query in between would write it before.
    return ArticleDraft(
        id=new_id(),
        origin=origin,
        collection=collection_of(session, message.inbox_id),
        conversation_id=message.conversation_id,
        message_id=message.id,
        contact_id=message.contact_id,
        agent_id=agent_id,
    )


def _question_before(session: Session, message: Message) -> str:
    if message.reply_to is not None:
        return session.get_one(Message, message.reply_to).text
    query = (
        select(Message)
        .where(
            Message.conversation_id == message.conversation_id,
            Message.author == "contact",
            Message.seq < message.seq,
        )
        .order_by(Message.seq.desc())
        .limit(1)
    )
    before = session.scalars(query).first()
    return before.text if before else ""


def _cited(session: Session, message: Message) -> Article | None:
    used = [str(each["external_id"]) for each in message.citations if each.get("used")]
    query = (
        select(Article)
        .join(InboxCollection, InboxCollection.collection_id == Article.collection_id)
        .where(InboxCollection.inbox_id == message.inbox_id, Article.external_id.in_(used[:1]))
    )
    return session.scalars(query.limit(1)).first()


def _query() -> Select[ArticleDraft, str, str, int]:
    return (
        select(ArticleDraft, Agent.name, Article.title, Conversation.number)
        .join(Agent, Agent.id == ArticleDraft.agent_id)
        .outerjoin(Article, Article.id == ArticleDraft.article_id)
        .outerjoin(Conversation, Conversation.id == ArticleDraft.conversation_id)
    )


def _list(session: Session) -> list[payloads.Draft]:
    query = _query().where(ArticleDraft.state == "open").order_by(ArticleDraft.created_at.desc())
    found = (_view(session, *row) for row in session.execute(query.limit(200)))
    return [each for each in found if each is not None]


def _read(session: Session, draft_id: UUID) -> payloads.Draft:
    row = session.execute(_query().where(ArticleDraft.id == draft_id)).first()
    found = _view(session, *row) if row else None
    if found is None:
        raise _nothing()
    return found


def _view(
    session: Session, draft: ArticleDraft, author: str, article: str | None, number: int | None
) -> payloads.Draft | None:
    """None where the contact's key is gone, and the words with it."""
    settled = select(SettledQuestion.run_id).where(SettledQuestion.draft_id == draft.id)
    try:
        title, body, note = draft.title, draft.body, draft.note
    except SealingError:
        return None
    return payloads.Draft(
        id=str(draft.id),
        origin=draft.origin,
        state=draft.state,
        collection=draft.collection,
        article_id=str(draft.article_id) if draft.article_id else None,
        article_title=article,
        conversation=number,
        author=author,
        language=draft.language,
        title=title,
        body=body,
        note=note,
        questions=questions_of(session, session.scalars(settled).all()),
        created_at=draft.created_at,
    )


def _nothing() -> Refusal:
    return Refusal(404, "not_found", "There is no such draft.")

"""From an article to what the search finds, on a real Postgres with the real embedder."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from bot.knowledge import articles
from bot.knowledge.embedder import Embedder, Vector
from bot.knowledge.indexing import embed_sentences, index_article
from bot.knowledge.search import HybridSearch
from bot.knowledge.sentences import split
from bot.tables import Article, Passage
from workers.embedding import load_embedder

Sessions = sessionmaker[Session]
RETURNS = "You can return an item within 60 days of delivery. Worn boots are not accepted."
HOURS = "Our shop in Utrecht is open from 9 to 18 on weekdays."
REFUNDS_ZH = "退货包裹到达仓库后，我们会在五个工作日内验收并退款。"


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder(threads=1)


class CountingEmbedder:
    """The real embedder; remembers what it was asked to embed."""

    def __init__(self, real: Embedder, name: str) -> None:
        self._real = real
        self.name = name
        self.dimension = real.dimension
        self.texts: list[str] = []

    def passages(self, texts: Sequence[str]) -> Vector:
        self.texts.extend(texts)
        return self._real.passages(texts)

    def query(self, text: str) -> Vector:
        return self._real.query(text)


def put(sessions: Sessions, external_id: str, title: str, body: str, to: str = "help") -> UUID:
    with sessions.begin() as session:
        return articles.put_article(session, to, external_id, title, body).article_id


def inbox(sessions: Sessions, name: str, *collections: str) -> UUID:
    with sessions.begin() as session:
        inbox_id = articles.ensure_inbox(session, name)
        for collection in collections:
            articles.give_collection(session, inbox_id, collection)
        return inbox_id


def fill(sessions: Sessions, embedder: Embedder) -> UUID:
    for external_id, title, body in (
        ("returns", "Returns", RETURNS),
        ("hours", "Opening hours", HOURS),
        ("refunds-zh", "退款什么时候到账", REFUNDS_ZH),
    ):
        index_article(sessions, embedder, put(sessions, external_id, title, body))
    return inbox(sessions, "website", "help")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("how long can I send something back?", "returns"),
        ("when are you open in Utrecht", "hours"),
        ("退款要多久？", "refunds-zh"),
        ("How many working days until a refund is paid after the parcel arrived?", "refunds-zh"),
    ],
)
def test_questions_find_their_article_in_either_language(
    sessions: Sessions, embedder: Embedder, question: str, expected: str
) -> None:
    found = HybridSearch(sessions, embedder).search(fill(sessions, embedder), question, 3)
    assert found[0].external_id == expected
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_a_chinese_question_finds_the_right_one_of_english_articles(
    sessions: Sessions, embedder: Embedder
) -> None:
    for external_id, title, body in (
        ("returns", "Returns", RETURNS),
        ("hours", "Opening hours", HOURS),
    ):
        index_article(sessions, embedder, put(sessions, external_id, title, body))
    website = inbox(sessions, "website", "help")
    search = HybridSearch(sessions, embedder)
    assert search.search(website, "商店几点开门？", 2)[0].external_id == "hours"
    assert search.search(website, "多少天内可以退货？", 2)[0].external_id == "returns"


def test_an_inbox_sees_only_its_collections(sessions: Sessions, embedder: Embedder) -> None:
    fill(sessions, embedder)
    index_article(sessions, embedder, put(sessions, "secret", "Secret returns", RETURNS, "staff"))
    outsider = inbox(sessions, "nothing")
    website = inbox(sessions, "website")
    search = HybridSearch(sessions, embedder)
    assert search.search(outsider, "returns", 5) == []
    assert "secret" not in {one.external_id for one in search.search(website, "secret returns", 5)}


@pytest.mark.parametrize("question", ["", "   ", "???", "\x00'\\:*&|!()", "😀", "a" * 50_000])
def test_no_question_breaks_the_search(
    sessions: Sessions, embedder: Embedder, question: str
) -> None:
    search, website = HybridSearch(sessions, embedder), fill(sessions, embedder)
    assert len(search.search(website, question, 2)) <= 2
    assert len(search.search(website, "returns", 2, (question, question))) <= 2


def test_what_titles_name_of_what_was_said_comes_after_what_fits_best(
    sessions: Sessions, embedder: Embedder
) -> None:
    fill(sessions, embedder)
    for external_id, title, body, collection in (
        ("skarn", "Skarn tent", "It weighs two kilos.", "help"),
        ("tarn", "Another tent", "The Skarn is lighter.", "help"),
        ("secret", "Skarn tent", "It is made by our neighbour.", "staff"),
    ):
        article_id = put(sessions, external_id, title, body, collection)
        index_article(sessions, embedder, article_id)
    search, website = HybridSearch(sessions, embedder), inbox(sessions, "website")
    found = search.search(website, "can I send it back?", 1, ("the skarn", "good day"))
    assert [one.external_id for one in found] == ["returns", "skarn"]
    assert found[1].score < found[0].score
    assert len(search.search(website, "can I send it back?", 1, ("good day",))) == 1


def test_an_article_that_is_unchanged_is_not_indexed_again(
    sessions: Sessions, embedder: Embedder
) -> None:
    article_id = put(sessions, "returns", "Returns", RETURNS)
    assert index_article(sessions, embedder, article_id)
    with sessions.begin() as session:
        again = articles.put_article(session, "help", "returns", "Returns", RETURNS)
    assert not again.is_changed
    assert not index_article(sessions, embedder, article_id)


def test_another_embedder_indexes_again(sessions: Sessions, embedder: Embedder) -> None:
    article_id = put(sessions, "returns", "Returns", RETURNS)
    index_article(sessions, embedder, article_id)
    assert index_article(sessions, CountingEmbedder(embedder, "another"), article_id)


def test_a_changed_article_loses_its_old_passages(sessions: Sessions, embedder: Embedder) -> None:
    article_id = put(sessions, "returns", "Returns", RETURNS)
    index_article(sessions, embedder, article_id)
    put(sessions, "returns", "Returns", "Nothing may be returned.")
    index_article(sessions, embedder, article_id)
    with sessions() as session:
        assert session.scalars(select(Passage.text)).all() == ["Nothing may be returned."]


def test_an_article_that_changes_meanwhile_is_left_for_the_next_run(
    sessions: Sessions, embedder: Embedder
) -> None:
    article_id = put(sessions, "returns", "Returns", RETURNS)

    class Meddler(CountingEmbedder):
        def passages(self, texts: Sequence[str]) -> Vector:
            put(sessions, "returns", "Returns", "Newer.")
            return super().passages(texts)

    assert not index_article(sessions, Meddler(embedder, "meddler"), article_id)
    with sessions() as session:
        assert articles.unindexed(session) == [article_id]


def test_workers_that_index_at_once_leave_one_set_of_passages(
    sessions: Sessions, embedder: Embedder
) -> None:
    article_id = put(sessions, "returns", "Returns", RETURNS)
    threads = [
        threading.Thread(target=index_article, args=(sessions, embedder, article_id))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Passage)) == 1


def test_an_article_without_text_says_so(sessions: Sessions, embedder: Embedder) -> None:
    article_id = put(sessions, "empty", "Empty", "![picture](only.png)")
    index_article(sessions, embedder, article_id)
    with sessions() as session:
        assert session.get_one(Article, article_id).index_error == "there is no text in it"
        assert articles.index_status(session).failed == 1


def test_sentences_of_found_passages_are_not_embedded_at_question_time(
    sessions: Sessions, embedder: Embedder
) -> None:
    counting = CountingEmbedder(embedder, "counting")
    inbox_id = fill(sessions, counting)
    while embed_sentences(sessions, counting):
        pass
    search = HybridSearch(sessions, counting)
    (best, *_) = search.search(inbox_id, "how long can I send something back?", 3)
    counting.texts.clear()
    texts = [one.standalone for one in split(best.text, best.heading)]
    scores = search.sentence_scores("how long can I send something back?", texts)
    assert counting.texts == []
    assert scores[0] > scores[1]


def test_sentences_that_nobody_embedded_yet_are_embedded_once(
    sessions: Sessions, embedder: Embedder
) -> None:
    counting = CountingEmbedder(embedder, "counting")
    search = HybridSearch(sessions, counting)
    assert search.sentence_scores("hours?", [HOURS, HOURS]) == search.sentence_scores(
        "hours?", [HOURS, HOURS]
    )
    assert counting.texts == [HOURS]


def test_an_article_that_is_deleted_is_not_found(sessions: Sessions, embedder: Embedder) -> None:
    inbox_id = fill(sessions, embedder)
    with sessions.begin() as session:
        assert articles.delete_article(session, "help", "returns")
        assert not articles.delete_article(session, "help", "returns")
    found = HybridSearch(sessions, embedder).search(inbox_id, "returns", 5)
    assert "returns" not in {one.external_id for one in found}


def test_the_status_counts_what_waits(sessions: Sessions, embedder: Embedder) -> None:
    index_article(sessions, embedder, put(sessions, "returns", "Returns", RETURNS))
    put(sessions, "hours", "Opening hours", HOURS)
    with sessions() as session:
        status = articles.index_status(session, collection="help")
        listed = articles.list_articles(session, collection="help")
    assert (status.articles, status.indexed, status.waiting, status.failed) == (2, 1, 1, 0)
    assert [(one.external_id, one.is_indexed) for one in listed] == [
        ("hours", False),
        ("returns", True),
    ]

"""`frontdesk import`: files in, again and again, with a worker that indexes beside it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bot.knowledge import articles, import_command, importing
from bot.knowledge.embedder import Vector
from bot.knowledge.importing import ImportRequest, ImportSummary, import_paths
from bot.knowledge.indexing import index_article
from bot.queue import Queue
from bot.tables import Article

Sessions = sessionmaker[Session]


class FlatEmbedder:
    """Gives every text the same vector: the import does not look at it."""

    name = "flat"
    dimension = 384

    def passages(self, texts: Sequence[str]) -> Vector:
        return np.full((len(texts), 384), 384**-0.5, np.float32)

    def query(self, text: str) -> Vector:
        vector: Vector = self.passages([text])[0]
        return vector


class Silent:
    """Nobody watches."""

    def reading(self, done: int, total: int) -> None:
        pass

    def indexing(self, done: int, total: int) -> None:
        pass


@pytest.fixture
def queue(redis_url: str) -> Iterator[Queue]:
    queue = Queue(redis_url)
    yield queue
    queue.close()


@pytest.fixture
def worker(sessions: Sessions) -> Iterator[None]:
    """Indexes what waits, as the workers' loop does."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.05):
            with sessions() as session:
                waiting = articles.unindexed(session)
            for article_id in waiting:
                index_article(sessions, FlatEmbedder(), article_id)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "help"
    (root / "sub").mkdir(parents=True)
    (root / "returns.md").write_text("---\nid: 7\ntitle: Returns\n---\nWithin 60 days.")
    (root / "sub" / "hours.txt").write_text("Opening hours\n\nDaily from 9 to 18.")
    (root / "broken.pdf").write_bytes(b"%PDF no")
    (root / "picture.png").write_bytes(b"png")
    return root


def imported(sessions: Sessions, queue: Queue, *paths: Path, prune: bool = False) -> ImportSummary:
    request = ImportRequest(paths, "website", "articles", prune)
    return import_paths(sessions, queue, request, Silent())


def external_ids(sessions: Sessions) -> set[str]:
    with sessions() as session:
        return set(session.scalars(select(Article.external_id)))


@pytest.mark.usefixtures("worker")
def test_a_folder_is_imported_indexed_and_given_to_the_inbox(
    sessions: Sessions, queue: Queue, folder: Path
) -> None:
    summary = imported(sessions, queue, folder)
    assert (summary.new, summary.indexed, summary.passages) == (2, 2, 2)
    assert [Path(one.path).name for one in summary.unreadable] == ["broken.pdf"]
    assert summary.skipped == {".png": 1}
    assert external_ids(sessions) == {"7", "sub/hours"}
    with sessions.begin() as session:
        website = articles.ensure_inbox(session, "website")
        assert len(articles.list_articles(session, website)) == 2


@pytest.mark.usefixtures("worker")
def test_importing_again_changes_only_what_changed(
    sessions: Sessions, queue: Queue, folder: Path
) -> None:
    imported(sessions, queue, folder)
    again = imported(sessions, queue, folder)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 2)
    (folder / "returns.md").write_text("---\nid: 7\ntitle: Returns\n---\nWithin 30 days.")
    third = imported(sessions, queue, folder)
    assert (third.new, third.changed, third.unchanged, third.indexed) == (0, 1, 1, 2)


@pytest.mark.usefixtures("worker")
def test_prune_removes_what_is_gone_from_this_folder_only(
    sessions: Sessions, queue: Queue, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.md"
    other.write_text("From elsewhere.")
    imported(sessions, queue, folder, other)
    (folder / "sub" / "hours.txt").unlink()
    assert imported(sessions, queue, folder).removed == 0
    assert imported(sessions, queue, folder, prune=True).removed == 1
    assert external_ids(sessions) == {"7", "other"}


@pytest.mark.usefixtures("worker")
def test_prune_keeps_an_article_whose_file_cannot_be_read_now(
    sessions: Sessions, queue: Queue, folder: Path
) -> None:
    imported(sessions, queue, folder)
    (folder / "returns.md").write_bytes(bytes(range(256)))
    assert imported(sessions, queue, folder, prune=True).removed == 0
    assert "7" in external_ids(sessions)


@pytest.mark.usefixtures("worker")
def test_prune_of_a_folder_that_is_gone_removes_nothing(
    sessions: Sessions, queue: Queue, folder: Path
) -> None:
    imported(sessions, queue, folder)
    folder.rename(folder.with_name("moved"))
    assert imported(sessions, queue, folder, prune=True).removed == 0


@pytest.mark.usefixtures("worker")
def test_two_files_with_one_id_are_told_apart(
    sessions: Sessions, queue: Queue, folder: Path
) -> None:
    (folder / "zz.md").write_text("---\nid: 7\n---\nAnother text.")
    summary = imported(sessions, queue, folder)
    assert any("id 7 was given before" in one.reason for one in summary.unreadable)


def test_an_interrupted_import_goes_on_where_it_stopped(
    sessions: Sessions, queue: Queue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "FILES_A_COMMIT", 1)

    class Impatient(Silent):
        def reading(self, done: int, total: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

    request = ImportRequest([folder], "website", "articles", wait=False)
    with pytest.raises(KeyboardInterrupt):
        import_paths(sessions, queue, request, Impatient())
    assert external_ids(sessions) == {"7"}
    summary = import_paths(sessions, queue, request, Silent())
    assert (summary.new, summary.unchanged) == (1, 1)


def test_without_a_worker_one_line_says_so_and_nothing_is_lost(
    sessions: Sessions, queue: Queue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "STILL_S", 0.0)
    out, err = io.StringIO(), io.StringIO()
    assert import_command.run(sessions, queue, [str(folder)], out=out, err=err) == 1
    assert err.getvalue().splitlines()[-1].startswith("No worker answers, so 2 articles")
    assert external_ids(sessions) == {"7", "sub/hours"}


@pytest.mark.usefixtures("worker")
def test_the_summary_names_every_unreadable_file_and_why(
    sessions: Sessions, queue: Queue, folder: Path
) -> None:
    out, err = io.StringIO(), io.StringIO()
    assert import_command.run(sessions, queue, [str(folder)], out=out, err=err) == 0
    assert "2 articles in collection 'articles'" in out.getvalue()
    assert f"{folder / 'broken.pdf'}: it is damaged" in out.getvalue()
    assert "indexing articles: 2/2" in err.getvalue()


@pytest.mark.usefixtures("worker")
def test_the_summary_is_one_json_object_on_the_last_line(
    sessions: Sessions, queue: Queue, folder: Path
) -> None:
    out = io.StringIO()
    import_command.run(
        sessions, queue, [str(folder)], "shop", "faq", as_json=True, out=out, err=io.StringIO()
    )
    told = json.loads(out.getvalue().splitlines()[-1])
    assert (told["articles"], told["new"], told["skipped"]) == (2, 2, {".png": 1})
    assert told["unreadable"][0]["path"].endswith("broken.pdf")


def test_an_import_of_nothing_that_can_be_read_fails(
    sessions: Sessions, queue: Queue, tmp_path: Path
) -> None:
    out = io.StringIO()
    missing = str(tmp_path / "nothing")
    assert import_command.run(sessions, queue, [missing], out=out, err=io.StringIO()) == 1
    assert "there is no such file or folder" in out.getvalue()

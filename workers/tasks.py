"""The tasks, thin: which run to make of a bell. The work stands in `workers.runs`."""

from __future__ import annotations

from uuid import UUID

from celery import Task

from bot import tallies
from bot.queue import (
    ANSWER_TASK,
    ASK_TASK,
    COPILOT_TASK,
    INDEX_TASK,
    ROLL_UP_TASK,
    SWEEP_TASK,
)
from workers import copilot, runs, runtime
from workers.celery import app


@app.task(name=ANSWER_TASK, bind=True)
def answer(self: Task, conversation_id: str) -> None:
    """Answer the unanswered messages of a conversation."""
    queue = self.request.delivery_info["routing_key"]
    runs.answer_conversation(runtime.current(), UUID(conversation_id), queue=queue)


@app.task(name=ASK_TASK)
def ask(run_id: str) -> None:
    """Answer an `ask` request."""
    runs.answer_ask(runtime.current(), UUID(run_id))


@app.task(name=COPILOT_TASK)
def copilot_run(run_id: str) -> None:
    """Do what somebody of the staff asked the copilot for."""
    copilot.run_copilot(runtime.current(), UUID(run_id))


@app.task(name=INDEX_TASK)
def index_article(article_id: str) -> None:
    """Make an article's passages, and go on with whatever else waits to be indexed."""
    runs.index_articles(runtime.current(), UUID(article_id))


@app.task(name=SWEEP_TASK)
def sweep() -> None:
    """Ring again for whatever is due and was not rung, or whose worker died."""
    runs.sweep(runtime.current())


@app.task(name=ROLL_UP_TASK)
def roll_up() -> None:
    """Count for Insights and `/metrics` what happened since the last time."""
    with runtime.current().sessions.begin() as session:
        tallies.roll_up(session)

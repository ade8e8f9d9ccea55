"""The Celery application of `celery -A workers worker`; configured when Celery asks."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_shutdown, worker_shutting_down
from celery.worker.control import inspect_command
from kombu.entity import Exchange, Queue

from bot import logs
from bot.queue import (
    BATCH,
    INTERACTIVE,
    KNOWLEDGE,
    MODEL_STATE_COMMAND,
    ROLL_UP_TASK,
    SWEEP_TASK,
    celery_settings,
)
from bot.settings import Settings, SettingsError
from workers import runtime

QUEUES = (INTERACTIVE, BATCH, KNOWLEDGE)
SWEEP_SECONDS = 5.0
SWEEP_EXPIRES_SECONDS = 60.0
ROLL_UP_SECONDS = 60.0


def worker_settings() -> dict[str, Any]:
    """The configuration of workers and beat, from the environment."""
    settings = Settings.from_env(os.environ)
    if not settings.redis_url:
        raise SettingsError("REDIS_URL is not set; `./frontdesk up` sets it for its own workers.")
    return {
        **celery_settings(settings.redis_url),
        "imports": ["workers.tasks"],
        "worker_pool": "workers.bells:BellPool",
        "worker_concurrency": settings.worker_threads,
        "beat_schedule": {
            "sweep": {
                "task": SWEEP_TASK,
                "schedule": SWEEP_SECONDS,
                # Beat's clock sets the time, a worker's reads it: leave room between the two.
                "options": {"queue": INTERACTIVE, "expires": SWEEP_EXPIRES_SECONDS},
            },
            "roll_up": {
                "task": ROLL_UP_TASK,
                "schedule": ROLL_UP_SECONDS,
                "options": {"queue": KNOWLEDGE, "expires": ROLL_UP_SECONDS},
            },
        },
        "beat_schedule_filename": str(settings.home / "run" / "beat-schedule"),
        "beat_max_loop_interval": SWEEP_SECONDS,
        # A worker that is told no queue serves all of them. Celery's own book of unfinished tasks
        # costs more round trips than the bell itself, and Postgres keeps that book already.
        "task_queues": [Queue(name, Exchange(name), name, no_ack=True) for name in QUEUES],
        "task_default_queue": INTERACTIVE,
    }


app = Celery("workers", task_cls="workers.bells:BellTask")
app.add_defaults(worker_settings)


@setup_logging.connect
def _configure_logs(**_: Any) -> None:
    logs.configure(Settings.from_env(os.environ))


@worker_init.connect
def _start(**_: Any) -> None:
    runtime.start(Settings.from_env(os.environ))


@inspect_command(name=MODEL_STATE_COMMAND)
def _tell_model_state(_state: Any) -> dict[str, str]:
    return {"model": runtime.current().model_state}


@worker_shutting_down.connect
def _drain(**_: Any) -> None:
    runtime.current().drain()


@worker_shutdown.connect
def _stop(**_: Any) -> None:
    runtime.stop()

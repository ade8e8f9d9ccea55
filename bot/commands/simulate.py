"""`frontdesk simulate`: simulated customers write to the running desk; a table says what came."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import secrets
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlalchemy.orm import Session, sessionmaker

from bot.commands.failures import UsageError
from bot.commands.sessions import open_sessions
from bot.instance import find_api, find_settings
from bot.running import read_running
from bot.settings import Settings
from bot.simulation.ledger import Ledger, table
from bot.simulation.stage import DeskDoors
from bot.simulation.world import Plan, run_world
from channels.email.lmtp import Address

NEEDED = ("database_url", "master_key")
LONGEST_MINUTES = 24 * 60
# What shells say of a program that Ctrl-C ended: nobody takes half a simulation for a whole one.
INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--minutes", type=float, default=1.0, help="how long customers come (%(default)s)"
    )
    parser.add_argument("--seed", type=int, help="draws the same customers again")
    parser.add_argument(
        "--json", action="store_true", help="print the result as JSON, the traffic to stderr"
    )
    parser.add_argument(
        "--pause", type=float, default=2.0, help="seconds between a channel's customers"
    )
    parser.add_argument(
        "--patience", type=float, default=180.0, help="seconds that answers are waited for"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    if not 0 < arguments.minutes <= LONGEST_MINUTES:
        raise UsageError(f"--minutes: more than 0, and {LONGEST_MINUTES} at most.")
    settings, api = find_settings(environ, NEEDED), find_api(environ)
    doors = DeskDoors(api.url, api.token, _lmtp_port(settings))
    plan = Plan(
        lasting=timedelta(minutes=arguments.minutes),
        seed=secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed,
        pause_s=arguments.pause,
        patience=timedelta(seconds=arguments.patience),
    )
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's own deprecations
    out = sys.stderr if arguments.json else sys.stdout
    with open_sessions(settings) as sessions:
        ledger = asyncio.run(
            _run(sessions, doors, plan, lambda line: print(line, file=out, flush=True))
        )
    if arguments.json:
        print(json.dumps({"seed": plan.seed, **ledger.as_json()}, ensure_ascii=False))
    else:
        _print_result(ledger, plan.seed)
    if ledger.faults():
        return 1
    return INTERRUPTED if ledger.is_cut_short else 0


async def _run(
    sessions: sessionmaker[Session], doors: DeskDoors, plan: Plan, show: Callable[[str], None]
) -> Ledger:
    """Ctrl-C once: all customers are let go, and what was seen is told. Twice: not even that."""
    task = asyncio.current_task()
    assert task is not None, "coroutines run in a task"

    def stop() -> None:
        if plan.stop.is_set():
            task.cancel()
            return
        plan.stop.set()
        show("stopping: the customers are let go and the temporary inboxes are taken away")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await run_world(sessions, doors, plan, show)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _lmtp_port(settings: Settings) -> int | None:
    """The port on this machine at which the desk takes mail, if it does."""
    running = read_running(settings.home)
    text = settings.lmtp or (running.lmtp if running else None)
    if not text or settings.lmtp_protocol != "lmtp":
        return None
    try:
        address = Address.parse(text)
    except ValueError:
        return None
    is_here = address.host in ("127.0.0.1", "localhost", "0.0.0.0")  # noqa: S104 - compared
    return address.port if is_here else None


def _print_result(ledger: Ledger, seed: int) -> None:
    print(f"\n{table(ledger)}\n")
    for fault in ledger.faults():
        print(f"  {fault}")
    verdict = f"{len(ledger.faults())} faults" if ledger.faults() else "nothing lost, nothing twice"
    if ledger.is_cut_short:
        verdict += f" as far as was seen (stopped early, {len(ledger.let_go)} still waited)"
    print(f"{verdict}; seed {seed}")

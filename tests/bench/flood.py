"""A flood of mail into LMTP while somebody chats: is all of it stored, and does the chat notice?

    python -m tests.bench.flood [--mails 500] [--connections 8] [--chats 2] [--seconds 15]

Everything is real but the answers: Postgres (fsync on), Valkey, web, worker, beat, the channels
process that listens for LMTP, and an SMTP server that takes the replies. The chat's latency is
from the browser's send to the first byte of the reply, first while nothing else happens, then
from the flood's first mail to its last. The mails are given by a process of their own, which
shares the machine: its CPU time is told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import smtplib
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from bot.database import keyring_from, make_engine, make_sessions
from bot.machine import find_free_port, port_is_free
from bot.simulation.smtp_sink import SmtpSink
from bot.spawn import Child, Program, spawn
from bot.tables import AnswerRun, AutomaticReply, Conversation, Inbox, Message
from bot.up import CHECKOUT
from channels.email.mailboxes import MailboxSetting, Secrets, ServerSetting, connect_mailbox
from tests.bench.echo import Measured, measure
from tests.bench.processes import cpu_seconds, memory_of
from tests.faults.desk import Desk, make_home, wait_until
from tests.faults.script import Script, question
from tests.faults.tender import HOST

TO = "support@shop.example"
MAILS_OF_SENDER = 10
SETTLE_WITHIN_S = 3600.0
SLICE_S = 5.0


@dataclass(slots=True)
class Given:
    """What became of the mails at the door."""

    accepted: int = 0
    asked_again: int = 0
    seconds: float = 0.0


def mail(number: int) -> tuple[str, bytes]:
    """A customer's mail and its sender; each is its own."""
    sender = f"customer{number // MAILS_OF_SENDER}@example.org"
    text = (
        f"From: Customer <{sender}>\r\nTo: {TO}\r\nSubject: Question {number}\r\n"
        f"Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <{number}@example.org>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        f"{question(f'{number // 1000 + 1}.{number % 1000 + 1}')}\r\n"
    )
    return sender, text.encode()


def give_all(port: int, mails: int, connections: int) -> Given:
    """Hand over every mail, again where we are asked to, as a mail server does."""
    given, lock, numbers = Given(), threading.Lock(), iter(range(mails))
    started = time.perf_counter()

    def keep_giving(_: int) -> None:
        with smtplib.LMTP(HOST, port) as line:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                sender, raw = mail(number)
                while not _give(line, sender, raw):
                    with lock:
                        given.asked_again += 1
                    time.sleep(0.2)
                with lock:
                    given.accepted += 1

    with ThreadPoolExecutor(connections) as threads:
        list(threads.map(keep_giving, range(connections)))
    given.seconds = time.perf_counter() - started
    return given


def _give(line: smtplib.LMTP, sender: str, raw: bytes) -> bool:
    line.ehlo_or_helo_if_needed()
    if line.mail(sender)[0] != 250 or line.rcpt(TO)[0] != 250:
        line.rset()
        return False
    code, told = line.data(raw)
    assert code in (250, 451), told
    return code == 250


async def bench(desk: Desk, asked: argparse.Namespace) -> None:
    sink = SmtpSink()
    await sink.start()
    port = find_free_port(HOST)
    sessions = make_sessions(
        make_engine(desk.database_url, pool_size=2), keyring_from(desk.master_key)
    )
    with sessions.begin() as session:
        setting = MailboxSetting(
            address=TO, smtp=ServerSetting(host=HOST, port=sink.port, security="none")
        )
        connect_mailbox(session, "support", setting, Secrets())
    channels = await asyncio.to_thread(_start_channels, desk, port)
    try:
        idle = await measure("frontdesk", desk.url, asked.chats, asked.seconds, {})
        say(f"idle    {_row(idle.latencies)}")
        flooded, given = await _flood(desk, port, asked)
        say(f"flood   {_row(flooded)}")
        ratio = quantile(flooded, 0.95) / idle.quantile(0.95)
        say(f"ratio   p95 under the flood / idle: {ratio:.2f}")
        say(
            f"given   {given.accepted} accepted in {given.seconds:.1f} s "
            f"({given.accepted / given.seconds:.0f}/s), {given.asked_again} asked to come again"
        )
        memory = memory_of(channels.pid).rss_bytes / 2**20
        say(f"channels process: {memory:.0f} MiB resident, {cpu_seconds(channels.pid):.1f} CPU s")
        say(f"pickup  {_row(_pickups(sessions))} (from the commit to the run, chats alone)")
        await asyncio.to_thread(_settle, sessions)
        await _report(sessions, sink, asked.mails)
    finally:
        channels.kill()
        await sink.stop()


async def _flood(desk: Desk, port: int, asked: argparse.Namespace) -> tuple[list[float], Given]:
    """The chat's latencies while a process of its own gives the mails."""
    command = [sys.executable, "-m", "tests.bench.flood", "--give", str(port)]
    command += ["--mails", str(asked.mails), "--connections", str(asked.connections)]
    giver = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=CHECKOUT)
    ended = asyncio.create_task(giver.wait())
    latencies: list[float] = []
    while not ended.done():
        part: Measured = await measure("frontdesk", desk.url, asked.chats, SLICE_S, {})
        latencies += part.latencies
    assert giver.stdout is not None, "it was asked for"
    accepted, again, seconds = (await giver.stdout.read()).decode().split()
    return latencies, Given(int(accepted), int(again), float(seconds))


def _start_channels(desk: Desk, port: int) -> Child:
    environ = {
        "DATABASE_URL": desk.database_url,
        "REDIS_URL": desk.redis_url,
        "FRONTDESK_MASTER_KEY": desk.master_key,
        "FRONTDESK_HOME": str(desk.home),
        "FRONTDESK_LMTP": f"{HOST}:{port}",
        "PYTHONPATH": str(CHECKOUT),
    }
    command = [sys.executable, "-P", "-m", "bot", "channels"]
    child = spawn(Program("channels", command, Path(desk.home) / "channels.log", environ))
    wait_until(lambda: not port_is_free(HOST, port), 60.0)
    return child


def _settle(sessions: sessionmaker[Session]) -> None:
    """Until nothing is due any more."""

    def is_settled() -> bool:
        time.sleep(0.5)
        with sessions() as session:
            query = select(func.count()).where(Conversation.unanswered_since.is_not(None))
            return session.scalar(query) == 0

    wait_until(is_settled, SETTLE_WITHIN_S)


def _pickups(sessions: sessionmaker[Session]) -> list[float]:
    """How long chats waited for a worker, in seconds."""
    query = (
        select(AnswerRun.started_at, Message.created_at)
        .join(Message, Message.conversation_id == AnswerRun.conversation_id)
        .join(Inbox, Inbox.id == AnswerRun.inbox_id)
        .where(
            Inbox.channel == "chat",
            Message.author == "contact",
            Message.answered_by == AnswerRun.reply_id,
        )
    )
    with sessions() as session:
        return [
            (started - created).total_seconds()
            for started, created in session.execute(query)
            if started is not None
        ]


async def _report(sessions: sessionmaker[Session], sink: SmtpSink, mails: int) -> None:
    with sessions() as session:
        of_mail = select(Inbox.id).where(Inbox.channel == "email")
        stored = session.scalar(
            select(func.count()).where(
                Message.inbox_id.in_(of_mail),
                Message.author == "contact",
            )
        )
        replies = session.scalar(select(func.count()).select_from(AutomaticReply)) or 0
        reasons = Counter(
            session.scalars(
                select(Conversation.handoff_reason).where(Conversation.inbox_id.in_(of_mail))
            )
        )
    say(f"stored  {stored} of {mails}, lost {mails - (stored or 0)}")
    people = ", ".join(f"{reason} {count}" for reason, count in reasons.items() if reason)
    say(f"answered within the budgets {replies}; to people: {people or 'none'}")
    deadline = time.monotonic() + 120
    while len(sink.letters) < replies and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
    senders = Counter(letter.recipient for letter in sink.letters)
    most = max(senders.values(), default=0)
    say(f"sent    {len(sink.letters)} replies; the most to one sender: {most}")


def quantile(latencies: list[float], share: float) -> float:
    ordered = sorted(latencies)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _row(latencies: list[float]) -> str:
    p50, p95, p99 = (1000 * quantile(latencies, share) for share in (0.5, 0.95, 0.99))
    return f"{len(latencies):6} messages   p50 {p50:7.1f} ms   p95 {p95:7.1f} ms   p99 {p99:7.1f}"


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mails", type=int, default=500)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--chats", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--give", type=int, metavar="PORT", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.give:
        os.nice(10)  # outside it would be another machine
        given = give_all(asked.give, asked.mails, asked.connections)
        print(given.accepted, given.asked_again, given.seconds)
        return
    with make_home() as home:
        desk = Desk(Script(Path(home), sentence_s=0.0, parts=1))
        try:
            desk.start()
            say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the run")
            asyncio.run(bench(desk, asked))
        finally:
            desk.abandon()


if __name__ == "__main__":
    main()

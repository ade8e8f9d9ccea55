"""Chats go first: a thread that answers mails waits for them, but not for ever."""

from __future__ import annotations

import threading
import time

from workers import runs
from workers.runtime import RightOfWay


def test_nobody_waits_where_no_chat_is_answered() -> None:
    started = time.monotonic()
    RightOfWay(longest_s=30.0).give_way()
    assert time.monotonic() - started < 5.0


def test_a_mail_waits_until_the_chat_is_answered() -> None:
    way = RightOfWay(longest_s=30.0)
    order: list[str] = []

    def answer_mail() -> None:
        way.give_way()
        order.append("mail")

    with way.taken():
        mail = threading.Thread(target=answer_mail)
        mail.start()
        mail.join(0.2)
        assert mail.is_alive(), "it waits"
        order.append("chat")
    mail.join(10.0)
    assert order == ["chat", "mail"]


def test_a_chat_without_an_end_does_not_end_the_mails() -> None:
    way = RightOfWay(longest_s=0.1)
    with way.taken():
        way.give_way()
    with way.taken(), way.taken():
        way.give_way()


def test_a_sweep_rings_for_chats_however_many_mails_wait() -> None:
    assert "chat" in runs.INTERACTIVE_CHANNELS
    assert "email" not in runs.INTERACTIVE_CHANNELS
    assert runs.ENOUGH_BATCH_BELLS < runs.ALWAYS_RUNG

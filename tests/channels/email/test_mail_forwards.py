"""A forwarded mail is shown where the words above it only point at it, and left out elsewhere."""

from __future__ import annotations

import pytest

from channels.email.reading import OwnMail, read_mail
from channels.email.threading_tokens import ThreadTokens

OWN = OwnMail(("support@shop.example",), ThreadTokens(b"the key of these few tests, 32 b"))
FORWARDED = (
    "---------- Forwarded message ---------\nFrom: Supplier <s@supplier.example>\n"
    "Date: Tue, Mar 5, 2024 at 10:12 AM\nSubject: Your kettle\nTo: <ada@mail.example>\n\n"
    "The kettle of order 1234 leaks. Who pays for the repair?"
)
OUTLOOK = (
    "________________________________\nFrom: Supplier <s@supplier.example>\n"
    "Sent: Tuesday, March 5, 2024 10:12 AM\nTo: Ada <ada@mail.example>\nSubject: Your kettle\n\n"
    "The kettle of order 1234 leaks. Who pays for the repair?"
)


def visible(words: str, below: str, subject: str, more: str = "", kind: str = "plain") -> str:
    raw = (
        f"From: Ada <ada@mail.example>\r\nTo: support@shop.example\r\nSubject: {subject}\r\n{more}"
        f"Message-ID: <1@mail.example>\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n"
        f"{words}\n\n{below}\n"
    )
    return read_mail(raw.encode(), OWN).visible_text


@pytest.mark.parametrize(
    ("words", "below", "subject"),
    [
        ("Please see below.", FORWARDED, "Fwd: Your kettle"),
        ("FYI", FORWARDED, "Fwd: Your kettle"),
        ("Hi all,\n\nsee the message below please\n\nAda", FORWARDED, "Your kettle"),
        ("Please see below.", OUTLOOK, "FW: Your kettle"),
        ("Bitte siehe unten.", OUTLOOK, "WG: Ihr Kessel"),
        ("Please see the mail below.", OUTLOOK, "My kettle"),
        ("请看下面", FORWARDED, "转发: 水壶"),
        ("Thanks!", OUTLOOK, "FW: Your kettle"),
    ],
)
def test_what_is_forwarded_is_shown_where_it_is_the_question(
    words: str, below: str, subject: str
) -> None:
    shown = visible(words, below, subject)
    assert words.split("\n")[0] in shown
    assert "Who pays for the repair?" in shown


@pytest.mark.parametrize(
    ("words", "below", "subject"),
    [
        ("Can I send the kettle back? I bought it in May.", FORWARDED, "Fwd: Your kettle"),
        ("Where is it?", FORWARDED, "Fwd: Your kettle"),
        ("Please see below.", OUTLOOK, "RE: Your kettle"),
        ("It is broken.", OUTLOOK, "Your kettle"),
        ("My words are many. " * 20 + "See below.", FORWARDED, "Fwd: Your kettle"),
    ],
)
def test_what_is_forwarded_is_left_out_where_the_words_above_it_are_the_question(
    words: str, below: str, subject: str
) -> None:
    assert visible(words, below, subject) == words.strip()


def test_what_stands_below_an_answer_to_us_is_not_shown_again() -> None:
    assert OWN.tokens is not None
    thread = OWN.tokens.make_thread("a seed")
    ours = f"In-Reply-To: <{OWN.tokens.sign_root_id(thread, 'shop.example')}>\r\n"
    assert visible("Please see below.", FORWARDED, "Fwd: Your kettle", ours) == "Please see below."


def test_a_forwarded_page_is_shown_too() -> None:
    below = (
        '<div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------'
        "<br>From: Supplier &lt;s@supplier.example&gt;<br>Subject: Kettle<br></div>"
        "<p>Who pays for the repair?</p></div>"
    )
    shown = visible("<p>See below, please.</p>", below, "Fwd: Kettle", kind="html")
    assert "See below, please." in shown
    assert "Who pays for the repair?" in shown

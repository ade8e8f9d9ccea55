"""Links to the staff by mail: what is sent, what is kept of it, and what comes back."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from bot.dashboard.invitations import find_invitation, invite, renew, withdraw
from bot.dashboard.links import make_mailed_link, use_link
from bot.letters import latest_letters, send_letters, withdraw_letters, write_letter
from bot.simulation.mail_world import bounce_of, plain_text
from bot.simulation.smtp_sink import Failure
from bot.tables import Conversation, StaffLetter, now
from tests.bot.dashboard.staff import sign_in
from tests.channels.email.desk import Desk
from tests.people import make_agent

DAN = "dan@shop.example"


def invite_dan(desk: Desk, name: str = "Dan") -> tuple[str, UUID]:
    """An invitation on its way by mail: its secret and its id."""
    with desk.sessions.begin() as session:
        token, view = invite(session, name, DAN, "admin", make_agent(session, "Ann"))
        write_letter(session, desk.inbox_id, link_of(token), invitation_id=view.id)
    desk.world.customer(DAN, "Dan")
    return token, view.id


def link_of(token: str) -> str:
    return f"https://desk.example/desk/invitation#{token}"


async def send(desk: Desk) -> int:
    return await send_letters(desk.async_sessions, desk.channel())


def make_due(desk: Desk) -> None:
    with desk.sessions.begin() as session:
        session.execute(update(StaffLetter).values(next_attempt_at=now() - timedelta(seconds=1)))


def raw_rows(session: Session) -> str:
    """Every letter, as Postgres shows it."""
    return str(session.scalars(text("select row_to_json(l)::text from staff_letter l")).all())


def state_of(desk: Desk, about: UUID) -> tuple[str, str]:
    with desk.sessions() as session:
        view = latest_letters(session)[about]
    return view.state, view.error


async def test_an_invitation_arrives_and_its_secret_is_left_nowhere(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    token, invitation_id = invite_dan(desk)
    with desk.sessions() as session:
        assert token not in raw_rows(session)
        assert token.encode().hex() not in raw_rows(session)
    assert await send(desk) == 1
    mail = desk.world.customers[DAN].letters[0]
    assert mail["Subject"] == "Your invitation to The Shop's desk"
    assert mail["Auto-Submitted"]
    assert "Ann invites you" in plain_text(mail)
    assert f"<{link_of(token)}>" in plain_text(mail)
    html = mail.get_body(("html",))
    assert html is not None
    assert f'href="{link_of(token)}"' in html.get_content()
    ours = [each for each in caplog.records if each.name != "mail.log"]  # that is the sink's own
    assert ours
    assert not [each for each in ours if token in each.getMessage()]
    assert state_of(desk, invitation_id) == ("sent", "")
    with desk.sessions() as session:
        assert session.scalars(select(StaffLetter.link_sealed)).all() == [None]
        assert find_invitation(session, token) is not None
    assert await send(desk) == 0


async def test_a_log_in_link_arrives_and_opens_once(desk: Desk) -> None:
    bea = sign_in(desk.sessions, "Bea")
    desk.world.customer("bea@larkspur.example", "Bea")
    with desk.sessions.begin() as session:
        token, link_id = make_mailed_link(session, bea.account_id)
        link = f"https://desk.example/desk/link#{token}"
        write_letter(session, desk.inbox_id, link, log_in_link_id=link_id)
    await send(desk)
    assert link in plain_text(desk.world.customers["bea@larkspur.example"].letters[0])
    assert state_of(desk, bea.account_id)[0] == "sent"
    with desk.sessions.begin() as session:
        assert use_link(session, token, "link") is not None
        assert use_link(session, token, "link") is None


async def test_a_server_that_is_busy_is_asked_again_with_the_same_mail(desk: Desk) -> None:
    token, invitation_id = invite_dan(desk)
    desk.world.smtp.failures.append(Failure("data", "451 4.3.0 later"))
    await send(desk)
    assert state_of(desk, invitation_id)[0] == "pending"
    assert "451" in state_of(desk, invitation_id)[1]
    make_due(desk)
    await send(desk)
    assert state_of(desk, invitation_id) == ("sent", "")
    assert token in plain_text(desk.world.customers[DAN].letters[0])


async def test_a_sending_process_that_died_is_followed_by_the_same_message_id(desk: Desk) -> None:
    invite_dan(desk)
    await send(desk)
    first = desk.world.customers[DAN].letters[0]
    with desk.sessions.begin() as session:  # as if the process had died before it could note it
        letter = session.scalars(select(StaffLetter)).one()
        letter.state, letter.next_attempt_at = "sending", now() - timedelta(seconds=1)
        letter.link = link_of("the same")
    await send(desk)
    assert desk.world.customers[DAN].letters[1]["Message-ID"] == first["Message-ID"]


async def test_an_address_that_is_refused_is_told_and_a_new_link_goes_out(desk: Desk) -> None:
    token, invitation_id = invite_dan(desk)
    desk.world.smtp.refused[DAN] = "550 5.1.1 nobody here"
    await send(desk)
    assert state_of(desk, invitation_id) == ("failed", "The recipient was refused (550 5.1.1).")
    desk.world.smtp.refused.clear()
    with desk.sessions.begin() as session:
        assert session.scalars(select(StaffLetter.link_sealed)).all() == [None]
        renewed = renew(session, invitation_id)
        assert renewed is not None
        write_letter(session, desk.inbox_id, link_of(renewed[0]), invitation_id=invitation_id)
    await send(desk)
    assert state_of(desk, invitation_id) == ("sent", "")
    with desk.sessions() as session:
        assert find_invitation(session, token) is None
        assert find_invitation(session, renewed[0]) is not None


async def test_a_withdrawn_invitation_is_not_mailed(desk: Desk) -> None:
    _, invitation_id = invite_dan(desk)
    with desk.sessions.begin() as session:
        withdraw(session, invitation_id)
        withdraw_letters(session, invitation_id)
    assert await send(desk) == 0
    _, second = invite_dan_again(desk)
    with desk.sessions.begin() as session:
        withdraw(session, second)  # in the terminal, which knows nothing of letters
    assert await send(desk) == 0
    assert desk.world.customers[DAN].letters == []
    with desk.sessions() as session:
        rows = session.execute(select(StaffLetter.state, StaffLetter.link_sealed)).all()
    assert [tuple(row) for row in rows] == [("withdrawn", None)] * 2


def invite_dan_again(desk: Desk) -> tuple[str, UUID]:
    with desk.sessions.begin() as session:
        token, view = invite(session, "Dan", DAN, "admin", None)
        write_letter(session, desk.inbox_id, link_of(token), invitation_id=view.id)
    return token, view.id


async def test_a_letter_that_comes_back_is_void_and_shown_to_no_agent(desk: Desk) -> None:
    token, invitation_id = invite_dan(desk)
    await send(desk)
    report = bounce_of(desk.world.customers[DAN].letters[0])
    assert await desk.take(report) == "forgotten"
    assert await desk.take(report) == "forgotten"
    assert state_of(desk, invitation_id) == ("failed", "The mail came back: 5.1.1")
    with desk.sessions() as session:
        assert session.scalars(select(Conversation)).all() == []
        assert find_invitation(session, token) is None


async def test_an_answer_that_quotes_the_link_ends_it_and_one_that_does_not_leaves_it(
    desk: Desk,
) -> None:
    token, invitation_id = invite_dan(desk)
    await send(desk)
    dan = desk.world.customers[DAN]
    letter = dan.letters[0]
    await desk.take(dan.write(desk.world.company, "Thank you!", answers=letter))
    assert state_of(desk, invitation_id) == ("sent", "")
    quoting = f"Which password?\n\n> {link_of(token)}"
    await desk.take(dan.write(desk.world.company, quoting, answers=letter))
    assert state_of(desk, invitation_id)[0] == "failed"
    with desk.sessions() as session:
        assert find_invitation(session, token) is None
        assert renew(session, invitation_id) is not None
    assert len(desk.texts()) == 2  # what Dan wrote is not lost


async def test_a_delayed_letter_is_still_on_its_way(desk: Desk) -> None:
    token, invitation_id = invite_dan(desk)
    await send(desk)
    await desk.take(bounce_of(desk.world.customers[DAN].letters[0], "4.4.1"))
    assert state_of(desk, invitation_id) == ("sent", "")
    with desk.sessions() as session:
        assert find_invitation(session, token) is not None
        assert session.scalars(select(Conversation)).all() == []


async def test_a_name_is_no_link(desk: Desk) -> None:
    invite_dan(desk, "[win](https://evil.example) <https://evil.example>")
    await send(desk)
    html = desk.world.customers[DAN].letters[0].get_body(("html",))
    assert html is not None
    assert 'href="https://evil' not in html.get_content()

"""Programs are told from people by a union of signals, and no weak one decides alone."""

from __future__ import annotations

from uuid import UUID

import pytest

from channels.email.reading import Envelope, OwnMail, read_mail
from channels.email.threading_tokens import ThreadTokens

OWN = OwnMail(("support@shop.example",))


def made(sender: str, subject: str, body: str, **fields: str) -> bytes:
    lines = [f"From: {sender}", f"Subject: {subject}", "To: support@shop.example"]
    lines += ["Message-ID: <x@y.example>"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode()


PROGRAMS = [
    made("Ada <ada@x.org>", "Out of Office: Re: hi", "I am out of the office until Monday."),
    made(
        "Ada <ada@x.org>",
        "Out of office",
        "I will be out of the office from 3 March to 8 March. For urgent matters call Bob.",
    ),
    made("Ada <ada@x.org>", "Abwesenheitsnotiz", "Ich bin bis 12.3. nicht im Büro."),
    made("Ada <ada@x.org>", "Re: hi", "I am away", Auto_Submitted="auto-replied"),
    made("Ada <ada@x.org>", "Re: hi", "I am away", Precedence="auto_reply"),
    made("Ada <ada@x.org>", "Re: hi", "I am away", X_Autoreply="yes"),
    made(
        "Ada <ada@x.org>",
        "Auto: hi",
        "Thanks for your message, I am on vacation.",
        X_Auto_Response_Suppress="All",
    ),
    made(
        "Ada <ada@x.org>",
        "Re: hi",
        "I am currently on vacation and will be back on Monday",
        Return_Path="<>",
    ),
    made(
        "no-reply@x.org", "Welcome to X", "Hello! Unsubscribe here", List_Unsubscribe="<https://x>"
    ),
    made(
        "no-reply@x.org",
        "Your invoice 1234",
        "Your invoice is attached. Please do not reply to this email.",
    ),
    made(
        "service@paypal.example",
        "Receipt for your payment",
        "You paid 12 EUR",
        X_Email_Type_Id="PP120",
        Auto_Submitted="auto-generated",
    ),
    made(
        "LinkedIn <messages-noreply@linkedin.example>",
        "You have a new message",
        "See it",
        List_Unsubscribe="<https://x>",
        X_LinkedIn_Id="1",
    ),
    made(
        "postmaster@outlook.example",
        "Undeliverable: hi",
        "Your message to bob@gone.example couldn't be delivered. 550 5.1.10",
    ),
    made(
        "Mail Delivery System <MAILER-DAEMON@x>",
        "Undelivered Mail Returned to Sender",
        "<bob@gone.example>: host x said: 550 5.1.1",
    ),
    made("MAILER-DAEMON", "Mail System Error - Returned Mail", "bob@gone.example unknown user"),
    made("System <noreply@x.org>", "[Ticket #123] received", "We have received your request"),
    made(
        "Support <support@other.example>",
        "Re: hi [#123]",
        "##- Please type your reply above this line -##\n\nYour request (123) has been received and is being reviewed.",
        Auto_Submitted="auto-generated",
    ),
    made(
        "Support <support@other.example>",
        "[Ticket ID: 881] hi",
        "Thank you for contacting us. This is an automated response confirming the receipt of your ticket.",
    ),
    made("Bob <bob@x.org>", "Automatische Antwort: hi", "Danke. Ich melde mich."),
    made("Bob <bob@x.org>", "自动回复:hi", "你好,我已收到你的邮件"),
    made("Bob <bob@qq.example>", "自动回复：hi", "您好，您的来信已收到，我会尽快回复您。"),
    made("Bob <bob@x.org>", "Autoreply: hi", "I'm travelling with limited access to email"),
    made("Bob <bob@x.org>", "Réponse automatique : hi", "Bonjour, je suis absent"),
    made("Bob <bob@x.org>", "Accepted: Meeting", "", Content_Type="text/calendar; method=REPLY"),
    made(
        "Google Calendar <calendar-notification@google.example>",
        "Notification: Meeting",
        "x",
        Auto_Submitted="auto-generated",
    ),
    made(
        "Bob <bob@x.org>",
        "Read: hi",
        "Your message\n\n   To: Bob\n   Subject: hi\n\nwas read on Tuesday",
    ),
    made(
        "Bob via DocuSign <dse@docusign.example>",
        "Complete with DocuSign",
        "Do Not Share This Email",
        X_Mailer="x",
        Auto_Submitted="auto-generated",
    ),
    made("root@host", "logwatch", "x", Precedence="bulk", Auto_Submitted="auto-generated"),
    made(
        "Boxbe <noreply@boxbe.example>",
        "hi (Action Required)",
        "Hello,\n\nYour message about hi was waitlisted. Please add yourself to my Guest List so your messages will be delivered to my Inbox. Click the link.",
    ),
    made(
        "Newsletter <hello@brand.example>",
        "Spring sale",
        "Buy! View in browser. Unsubscribe",
        List_Unsubscribe="<https://x>",
        List_Unsubscribe_Post="List-Unsubscribe=One-Click",
    ),
    made(
        "Brand <hello@brand.example>",
        "Spring sale",
        "Buy!",
        List_Unsubscribe="<https://x>",
        Feedback_ID="a:b:c",
        Precedence="bulk",
    ),
    made(
        "Brand <hello@brand.example>",
        "Spring sale",
        "Buy!",
        List_Unsubscribe="<https://x>",
        List_Id="<a.b>",
    ),
    made(
        "Ada <ada@x.org>",
        "Automatic reply: hi",
        "I'm at a conference this week and will reply next week.",
        X_MS_Exchange_Generated_Message_Source="Mailbox Rules Agent",
    ),
    made(
        "Ada <ada@x.org>", "Automatic reply: hi", "Hi, thanks for your note. I'm off till Monday."
    ),
    made("Ada <ada@x.org>", "Vacation", "I'm on vacation", X_Mailer="vacation 1.2"),
    made("Bob <bob@x.org>", "Delayed: hi", "x", Auto_Submitted="auto-notified"),
]
PEOPLE = [
    made(
        "Ada <ada@x.org>",
        "Automatic reply settings",
        "How do I set an automatic reply on your product?",
    ),
    made("Ada <ada@x.org>", "Re: Automatic reply: hi", "Ok thanks"),
    made("Ada <ada@x.org>", "RE: Out of office", "I am out of the office, but can you ship?"),
    made(
        "Ada <ada@x.org>",
        "Out of office next week",
        "Hi, I'm out of the office next week. Please deliver after Monday.",
    ),
    made("Ada <ada@x.org>", "Undeliverable parcel", "My parcel was undeliverable, said UPS"),
    made(
        "Ada <ada@x.org>",
        "Fwd: Undelivered Mail Returned to Sender",
        "I get this when I write to you. 550 5.1.1 unknown user. Could not be delivered.",
    ),
    made(
        "Ada <ada@x.org>",
        "Mail delivery failed",
        "Every mail I send to orders@shop.example fails with 550. Is it down?",
    ),
    made("Ada <ada@x.org>", "Re: Your receipt", "There's an error on it"),
    made(
        "Ada <ada@x.org>",
        "Invoice",
        "I have received your message. thanks. Please resend the invoice",
        Precedence="bulk",
    ),
    made(
        "Shop Form <noreply@shopforms.example>",
        "Contact form: Ada",
        "Where is my order?",
        Reply_To="ada@x.org",
    ),
    made("Ada <news@ada.example>", "question", "Where is my order?"),
    made("Ada <ada@x.org>", "hi", "Where is it?", List_Unsubscribe="<mailto:x@y>"),
    made(
        "Ada <ada@x.org>",
        "hi",
        "Where is it?",
        X_Auto_Response_Suppress="OOF, AutoReply",
        Feedback_ID="x",
    ),
    made("Ada <ada@x.org>", "Absence", "Bonjour, je serai absente. Pouvez-vous livrer lundi ?"),
    made("Ada <ada@x.org>", "Bounce house rental", "How much is the bounce house?"),
    made(
        "Ada <ada@x.org>",
        "Abwesenheit nächste Woche",
        "Ich bin nächste Woche im Urlaub, bitte später liefern.",
    ),
    made("Ada <ada@x.org>", "不在配達", "不在のため受け取れませんでした。再配達をお願いします。"),
    made("Ada <ada@x.org>", "休假", "我下周休假，请不要发货"),
    made("Ada <ada@x.org>", "退信", "我给你们发邮件被退信了，怎么办？"),
    made("Ada <ada@x.org>", "自动回复", "你们的自动回复说会联系我，但是没有人联系。"),
    made(
        "Ada <ada@x.org>",
        "Notification",
        "I don't get notifications. The app says do not reply to this email.",
    ),
    made(
        "Ada <ada@x.org>",
        "Delivery failure",
        "My delivery failed twice. The message was: address does not exist.",
    ),
    made("Bounces Inc <bounces@trampoline.example>", "order", "Where is my order?"),
    made("Ada <ada@x.org>", "Returned mail", "I returned my item by mail. Refund?"),
    made(
        "Ada <ada@x.org>",
        "Rejected: my refund",
        "Why was my refund rejected? The message was rejected by your bot",
    ),
    made(
        "Ada <info@small.example>",
        "Anfrage",
        "Vielen Dank für Ihre Nachricht. Wir haben Ihre E-Mail erhalten. Können Sie liefern?",
    ),
    made("Ada <ada@x.org>", "Lu", "bonjour"),
    made(
        "Ada <ada@x.org>",
        "Read: the manual says otherwise",
        "hello, the manual says it's 2 l. Which one is right?",
    ),
]


@pytest.mark.parametrize("raw", PROGRAMS, ids=range(len(PROGRAMS)))
def test_a_program_wrote(raw: bytes) -> None:
    read = read_mail(raw, OWN)
    assert read.automatic
    assert read.reasons


@pytest.mark.parametrize("raw", PEOPLE, ids=range(len(PEOPLE)))
def test_a_person_wrote(raw: bytes) -> None:
    assert not read_mail(raw, OWN).automatic


WEAK = {
    "Precedence": "bulk",
    "List_Unsubscribe": "<https://x.example>",
    "List_Id": "<x.example>",
    "Feedback_ID": "a:b",
    "X_Auto_Response_Suppress": "All",
    "X_Mailer": "PHPMailer 6",
}


@pytest.mark.parametrize("name", WEAK)
def test_no_weak_field_decides_alone(name: str) -> None:
    raw = made("Ada <ada@mail.example>", "Kettle", "It does not boil.", **{name: WEAK[name]})
    assert not read_mail(raw, OWN).automatic


STRONG = {
    "Auto_Submitted": "auto-replied",
    "Return_Path": "<>",
    "X_Autoreply": "yes",
    "X_Autorespond": "hello",
    "X_Failed_Recipients": "bob@gone.example",
    "Precedence": "auto_reply",
    "X_Loop": "support@shop.example",
}


@pytest.mark.parametrize("name", STRONG)
def test_a_strong_field_decides_alone_and_is_named(name: str) -> None:
    raw = made("Ada <ada@mail.example>", "Kettle", "It does not boil.", **{name: STRONG[name]})
    read = read_mail(raw, OWN)
    assert read.automatic
    assert any(not reason.startswith("weak") for reason in read.reasons)


def test_auto_submitted_no_means_a_person() -> None:
    assert not read_mail(
        made("ada@mail.example", "Hi", "Hello", Auto_Submitted="no"), OWN
    ).automatic


def test_the_null_sender_of_the_envelope_is_enough() -> None:
    raw = made("ada@mail.example", "Hi", "Hello")
    assert read_mail(raw, OWN, Envelope(sender="")).automatic
    assert not read_mail(raw, OWN, Envelope(sender="ada@mail.example")).automatic


def test_our_own_mail_that_comes_back_is_automatic() -> None:
    tokens = ThreadTokens(b"k" * 32)
    own = OwnMail(("support@shop.example",), tokens)
    ours = tokens.sign_message_id(tokens.make_thread("1"), UUID(int=7), "shop.example")
    raw = made("Ada <ada@mail.example>", "Hi", "Hello").replace(b"x@y.example", ours.encode())
    assert read_mail(raw, own).automatic
    assert read_mail(made("Support@Shop.Example", "Hi", "Hello"), own).automatic


def test_a_calendar_file_sent_along_is_a_file() -> None:
    event = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR"
    inline = made("ada@mail.example", "Call", event, Content_Type="text/calendar; method=REQUEST")
    attached = made(
        "ada@mail.example",
        "Call",
        event,
        Content_Type="text/calendar; method=REQUEST",
        Content_Disposition="attachment; filename=call.ics",
    )
    assert read_mail(inline, OWN).automatic
    assert not read_mail(attached, OWN).automatic


def test_a_form_that_writes_in_our_name_writes_for_a_person() -> None:
    ours = "Shop <support@shop.example>"
    assert not read_mail(made(ours, "Form", "Hello", Reply_To="ada@mail.example"), OWN).automatic
    assert read_mail(made(ours, "Form", "Hello", Reply_To="support@shop.example"), OWN).automatic


PERSON_ON_A_LIST: dict[str, dict[str, str]] = {
    "posts": {
        "List_Post": "<mailto:tea@lists.example>",
        "List_Unsubscribe": "<mailto:x@y.example>",
    },
    "archive": {"List_Archive": "<https://lists.example/tea>", "Precedence": "list"},
    "bounces": {"Sender": "tea-bounces@lists.example", "List_Unsubscribe": "<mailto:x@y.example>"},
}


@pytest.mark.parametrize("name", PERSON_ON_A_LIST)
def test_a_person_on_a_mailing_list_stays_a_person(name: str) -> None:
    fields = {"List_Id": "<tea.lists.example>", **PERSON_ON_A_LIST[name]}
    raw = made("Ada <ada@mail.example>", "[tea] Kettle", "It does not boil.", **fields)
    assert not read_mail(raw, OWN).automatic


def test_an_announcement_is_a_program() -> None:
    fields = {
        "List_Id": "<n.x.example>",
        "List_Unsubscribe": "<https://x.example>",
        "Precedence": "bulk",
    }
    assert read_mail(made("N <n@x.example>", "News", "We moved.", **fields), OWN).automatic


def test_a_person_heads_a_mail_with_out_of_office() -> None:
    text = "I am out of the office next week, so please bring it to my neighbour."
    assert not read_mail(made("ada@mail.example", "Out of office", text), OWN).automatic

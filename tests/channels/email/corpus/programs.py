"""Mails that programs write by themselves: reports, absences, newsletters, notices, invitations."""

from __future__ import annotations

from tests.channels.email.corpus.raw_mail import (
    Labelled,
    file_part,
    multipart,
    part,
    plain,
    whole,
    word,
)
from tests.channels.email.corpus.words import SHOP, SHOP_ADDRESS

SENT_ID = "earlier-7@shop.example"
RETURNED = (
    f"Return-Path: <{SHOP_ADDRESS}>\r\nFrom: {SHOP} <{SHOP_ADDRESS}>\r\nTo: bob@gone.example\r\n"
    f"Subject: Your order\r\nMessage-ID: <{SENT_ID}>\r\nDate: Tue, 5 Mar 2024 10:12:00 +0000\r\n\r\nHello Bob,\r\n\r\nyour order is on its way.\r\n"
)

# (language, subject, text) of absences, as programs and people set them.
ABSENCES = (
    (
        "en",
        "Automatic reply: Your order",
        "Thank you for your email. I am out of the office until 12 March with limited access to email.\n\nFor urgent matters please contact carl@firm.example.",
    ),
    (
        "de",
        "Automatische Antwort: Ihre Bestellung",
        "Vielen Dank für Ihre Nachricht. Ich bin bis zum 12. März nicht im Büro. In dringenden Fällen wenden Sie sich an Carl.",
    ),
    (
        "fr",
        "Réponse automatique : Votre commande",
        "Je suis actuellement absente du bureau, de retour le 12 mars. En cas d'urgence, contactez Carl.",
    ),
    (
        "es",
        "Respuesta automática: Su pedido",
        "Estaré fuera de la oficina hasta el 12 de marzo. Para asuntos urgentes, escriba a Carlos.",
    ),
    (
        "zh",
        "自动回复: 您的订单",
        "您好，我正在休假，3月12日返回，期间无法及时回复邮件。如有急事请联系李明。",
    ),
    (
        "ja",
        "自動応答: ご注文について",
        "現在休暇をいただいております。3月12日に戻り次第ご連絡いたします。",
    ),
    (
        "it",
        "Risposta automatica: Il suo ordine",
        "Sono fuori ufficio fino al 12 marzo. Per urgenze scrivere a Carlo.",
    ),
    (
        "pt",
        "Resposta automática: Seu pedido",
        "Estou de férias até 12 de março. Em caso de urgência, contate Carlos.",
    ),
    (
        "nl",
        "Automatisch antwoord: Je bestelling",
        "Ik ben tot 12 maart afwezig. Voor dringende zaken kun je Karel mailen.",
    ),
    (
        "ru",
        "Автоматический ответ: Ваш заказ",
        "Я в отпуске до 12 марта, вернусь и отвечу. Срочные вопросы: Карл.",
    ),
)
ABSENCES_ASIDE = (
    (
        "sv",
        "Autosvar: Din beställning",
        "Jag är på semester till den 12 mars och läser inte min e-post.",
    ),
    (
        "pl",
        "Automatyczna odpowiedź: Zamówienie",
        "Przebywam na urlopie do 12 marca. W pilnych sprawach proszę pisać do Karola.",
    ),
    ("ko", "자동 회신: 주문", "3월 12일까지 휴가 중입니다. 급한 용무는 칼에게 연락 바랍니다."),
    ("tr", "Otomatik Yanıt: Siparişiniz", "12 Mart'a kadar ofis dışındayım."),
    ("en", "Out of Office: Your order", "I'm on annual leave and back on Monday."),
    (
        "de",
        "Abwesenheitsnotiz: Ihre Bestellung",
        "Ich bin im Urlaub und ab Montag wieder erreichbar. Ihre E-Mail wird nicht weitergeleitet.",
    ),
    ("zh", "自動回覆：您的訂單", "本人現正外出公幹，無法即時回覆。"),
    ("fi", "Automaattinen vastaus: Tilaus", "Olen lomalla 12.3. asti."),
)


def base(
    sender: str, subject: str, extra: tuple[tuple[str, str], ...] = (), n: int = 0
) -> list[tuple[str, str]]:
    return [
        *extra,
        ("From", sender),
        ("To", SHOP_ADDRESS),
        ("Subject", word(subject)),
        ("Date", "Tue, 5 Mar 2024 11:00:00 +0000"),
        ("Message-ID", f"<auto-{n}-{abs(hash(len(subject) + n)) % 9999}@firm.example>"),
    ]


def absences(rows: tuple[tuple[str, str, str], ...], aside: bool) -> list[Labelled]:
    """Each absence as four systems send it: Exchange, Gmail, Sieve, and a provider that marks nothing."""
    systems = {
        "exchange-oof": (
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
            ("X-MS-Exchange-Generated-Message-Source", "Mailbox Rules Agent"),
        ),
        "gmail-vacation": (
            ("Return-Path", "<>"),
            ("Precedence", "bulk"),
            ("X-Autoreply", "yes"),
            ("Auto-Submitted", "auto-replied"),
        ),
        "sieve": (
            ("Auto-Submitted", "auto-replied (vacation)"),
            ("Return-Path", "<ada@firm.example>"),
        ),
        "bare": (("Return-Path", "<ada@firm.example>"),),
    }
    made = []
    for n, (lang, subject, text) in enumerate(rows):
        for offset in (0, 3):
            name = list(systems)[(n + offset) % 4] if offset == 0 else "bare"
            if offset and (n + 0) % 4 == 3:
                continue
            raw = plain(
                base("Ada <ada@firm.example>", subject, systems[name], n), text, transfer="8bit"
            )
            made.append(
                Labelled(f"absence-{name}-{lang}-{n}-{offset}", name, raw, True, set_aside=aside)
            )
    return made


def dsn(
    name: str,
    sender: str,
    subject: str,
    said: str,
    fields: str,
    action: str,
    status: str,
    kind: str,
    aside: bool,
    returned: str = "message/rfc822",
    extra: tuple[tuple[str, str], ...] = (),
) -> Labelled:
    report = f"Reporting-MTA: dns; mx.{name}.example\r\nArrival-Date: Tue, 5 Mar 2024 10:12:00 +0000\r\n\r\n{fields}Final-Recipient: rfc822; bob@gone.example\r\nAction: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550 {status} no such user here\r\n"
    content = multipart(
        "report",
        f"{name}-boundary",
        [
            part(
                "text/plain",
                said,
                transfer="7bit",
                charset="us-ascii" if said.isascii() else "utf-8",
            ),
            b"Content-Type: message/delivery-status\r\n\r\n" + report.encode(),
            f"Content-Type: {returned}\r\n\r\n{RETURNED}".encode(),
        ],
        "; report-type=delivery-status",
    )
    raw = whole(base(sender, subject, (("Return-Path", "<>"), *extra)), content)
    return Labelled(
        f"dsn-{name}-{status}",
        name,
        raw,
        True,
        bounce=(status, "bob@gone.example", kind),
        set_aside=aside,
    )


def standard_reports() -> list[Labelled]:
    return [
        dsn(
            "postfix",
            "MAILER-DAEMON@mx.firm.example (Mail Delivery System)",
            "Undelivered Mail Returned to Sender",
            "This is the mail system at host mx.firm.example.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n<bob@gone.example>: unknown user",
            "Original-Recipient: rfc822;bob@gone.example\r\n",
            "failed",
            "5.1.1",
            "permanent",
            False,
            extra=(("Auto-Submitted", "auto-replied"),),
        ),
        dsn(
            "postfix",
            "MAILER-DAEMON@mx.firm.example (Mail Delivery System)",
            "Delayed Mail (still being retried)",
            "THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE.",
            "",
            "delayed",
            "4.4.1",
            "temporary",
            False,
            "text/rfc822-headers",
        ),
        dsn(
            "sendmail",
            "Mail Delivery Subsystem <MAILER-DAEMON@mx.firm.example>",
            "Returned mail: see transcript for details",
            "   ----- The following addresses had permanent fatal errors -----\n<bob@gone.example>",
            "",
            "failed",
            "5.1.1",
            "permanent",
            False,
            "text/rfc822-headers",
        ),
        dsn(
            "exchange",
            "postmaster@firm.example",
            "Undeliverable: Your order",
            "Delivery has failed to these recipients or groups:\n\nbob@gone.example",
            "",
            "failed",
            "5.1.10",
            "permanent",
            False,
        ),
        dsn(
            "google",
            "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
            "Delivery Status Notification (Failure)",
            "** Address not found **\n\nYour message wasn't delivered to bob@gone.example because the address couldn't be found.",
            "",
            "failed",
            "5.1.1",
            "permanent",
            False,
            extra=(("X-Failed-Recipients", "bob@gone.example"), ("Auto-Submitted", "auto-replied")),
        ),
        dsn(
            "full-mailbox",
            "postmaster@firm.example",
            "Delivery Failure",
            "mailbox full",
            "",
            "failed",
            "5.2.2",
            "permanent",
            True,
        ),
        dsn(
            "amazon",
            "MAILER-DAEMON@mx.cloud.example",
            "Delivery Status Notification (Delay)",
            "An error occurred, delivery is delayed",
            "",
            "delayed",
            "4.4.7",
            "temporary",
            True,
        ),
        dsn(
            "office-de",
            "Microsoft Outlook <postmaster@firma.example>",
            "Unzustellbar: Ihre Bestellung",
            "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Verteilerlisten:\n\nbob@gone.example",
            "",
            "failed",
            "5.4.1",
            "permanent",
            True,
        ),
    ]


# name, sender, subject, text, fields, bounce
LOOSE = (
    (
        "qmail",
        "MAILER-DAEMON@mx.firm.example",
        "failure notice",
        f"Hi. This is the qmail-send program at mx.firm.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<bob@gone.example>:\n192.0.2.9 does not like recipient.\nRemote host said: 550 5.1.1 user unknown\nGiving up on 192.0.2.9.\n\n--- Below this line is a copy of the message.\n\n{RETURNED}",
        (("Return-Path", "<>"),),
        ("5.1.1", "bob@gone.example", "permanent"),
        False,
    ),
    (
        "exim",
        "Mail Delivery System <Mailer-Daemon@mx.firm.example>",
        "Mail delivery failed: returning message to sender",
        f"This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  bob@gone.example\n    host mx.gone.example [192.0.2.9]\n    SMTP error from remote mail server after RCPT TO:<bob@gone.example>:\n    550 5.1.1 unknown user\n\n------ This is a copy of the message, including all the headers. ------\n\n{RETURNED}",
        (("X-Failed-Recipients", "bob@gone.example"), ("Auto-Submitted", "auto-replied")),
        ("5.1.1", "bob@gone.example", "permanent"),
        False,
    ),
    (
        "exim-delay",
        "Mail Delivery System <Mailer-Daemon@mx.firm.example>",
        "Warning: message 1rhXyz-0001 delayed 24 hours",
        "This message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue on mx.firm.example.\n\nThe address to which the message has not yet been delivered is:\n\n  bob@gone.example\n    Delay reason: connection timed out\n\nNo action is required on your part. Delivery attempts will continue.",
        (("Auto-Submitted", "auto-replied"),),
        (None, "bob@gone.example", "temporary"),
        False,
    ),
    (
        "exchange-2000",
        "System Administrator <postmaster@firm.example>",
        "Undeliverable: Your order",
        "Your message did not reach some or all of the intended recipients.\n\n      Subject:\tYour order\n      Sent:\t3/5/2024 10:12 AM\n\nThe following recipient(s) could not be reached:\n\n      bob@gone.example on 3/5/2024 10:12 AM\n            The e-mail account does not exist at the organization this message was sent to.\n            <mx.firm.example #5.1.1>",
        (),
        ("5.1.1", "bob@gone.example", "permanent"),
        False,
    ),
    (
        "qq-bounce",
        "PostMaster <PostMaster@qq.example>",
        "来自qq.example的退信",
        "抱歉，您的邮件被退回来了……\n\n收件人 bob@gone.example\n\n退信原因：收件人邮箱地址不存在，邮件无法送达。\nhost mx.gone.example said: 550 Mailbox not found",
        (),
        ("5.0.0", "bob@gone.example", "permanent"),
        False,
    ),
    (
        "yahoo-bounce",
        "MAILER-DAEMON@yahoo.example",
        "Failure Notice",
        "Sorry, we were unable to deliver your message to the following address.\n\n<bob@gone.example>:\n554: 5.7.9 Message not accepted for policy reasons.\n\n--- Below this line is a copy of the message.",
        (),
        ("5.7.9", "bob@gone.example", "permanent"),
        True,
    ),
    (
        "domino",
        "Postmaster@firm.example",
        "DELIVERY FAILURE: User bob (bob@gone.example) not listed in Domino Directory",
        "Your message\n\n  Subject: Your order\n\nwas not delivered to:\n\n  bob@gone.example\n\nbecause:\n\n  User bob (bob@gone.example) not listed in Domino Directory",
        (),
        (None, "bob@gone.example", "permanent"),
        True,
    ),
    (
        "netease-bounce",
        "Postmaster@163.example",
        "系统退信",
        "您好，\n\n您的邮件被退回，收件人 bob@gone.example 不存在。\n\n550 User not found: bob@gone.example",
        (("X-Mailer", "Coremail"),),
        ("5.0.0", "bob@gone.example", "permanent"),
        True,
    ),
    (
        "fr-bounce",
        "postmaster@fournisseur.example",
        "Échec de la remise : Votre commande",
        "Votre message n'a pas pu être remis au destinataire suivant :\n\nbob@gone.example\n\n550 5.1.1 utilisateur inconnu",
        (("Return-Path", "<>"),),
        ("5.1.1", "bob@gone.example", "permanent"),
        True,
    ),
)

# name, sender, subject, text, fields, aside
NOTICES = (
    (
        "newsletter",
        "Example News <news@letters.example>",
        "Your weekly digest",
        "This week: five recipes.\n\nYou are receiving this email because you signed up. Unsubscribe here.",
        (
            ("List-Unsubscribe", "<https://letters.example/u/1>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("Feedback-ID", "1:2:campaign"),
            ("Precedence", "bulk"),
        ),
        False,
    ),
    (
        "mailchimp",
        "Tea Club <hello@tea.example>",
        "New teas for spring",
        "Look at our new teas.\n\nUpdate your preferences or unsubscribe.",
        (
            ("X-Mailer", "MailChimp Mailer - **CID1**"),
            ("X-Campaign", "mailchimp1"),
            ("X-campaignid", "mailchimp1"),
            ("List-ID", "tea list <tea.list-id.example>"),
            ("List-Unsubscribe", "<https://tea.example/u>"),
        ),
        False,
    ),
    (
        "announce-list",
        "Town News <announce@town.example>",
        "[announce] Road works",
        "Road works begin on Monday.",
        (
            ("List-Id", "<announce.town.example>"),
            ("Precedence", "list"),
            ("List-Unsubscribe", "<mailto:announce-leave@town.example>"),
            ("List-Post", "NO"),
        ),
        False,
    ),
    (
        "github",
        "octo <notifications@github.example>",
        "Re: [shop/kettle] Kettle does not boil (Issue #7)",
        "I can confirm that.\n\n-- \nReply to this email directly or view it on GitHub",
        (
            ("List-ID", "shop/kettle <kettle.shop.github.example>"),
            ("List-Post", "<mailto:reply@reply.github.example>"),
            ("X-GitHub-Reason", "subscribed"),
            ("Precedence", "list"),
            ("X-GitHub-Recipient", "shop"),
            ("X-Auto-Response-Suppress", "All"),
        ),
        False,
    ),
    (
        "jira",
        "Jira <jira@firm.example>",
        "[JIRA] (KET-7) Kettle does not boil",
        "Carl commented on KET-7.\n\nThis message was sent by Atlassian Jira",
        (
            ("Auto-Submitted", "auto-generated"),
            ("X-JIRA-FingerPrint", "a1"),
            ("Precedence", "bulk"),
        ),
        False,
    ),
    (
        "ticket-received",
        "Other Helpdesk <support@other.example>",
        "[Request received] Your order",
        "Your request (88123) has been received and is being reviewed by our support staff.",
        (
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
            ("X-Mailer", "Zendesk Mailer"),
        ),
        False,
    ),
    (
        "ticket-bare",
        "Helpdesk <noreply@other.example>",
        "Ticket created: Your order",
        "Thank you for contacting us. Your ticket has been created.\n\nThis is an automated message, please do not reply to this email.",
        (),
        False,
    ),
    (
        "cron",
        "Cron Daemon <root@host.example>",
        "Cron <root@host> backup",
        "backup done",
        (("X-Cron-Env", "<SHELL=/bin/sh>"), ("Auto-Submitted", "auto-generated")),
        False,
    ),
    (
        "order-confirmation",
        "Parcel Co <no-reply@parcel.example>",
        "Shipping confirmation: parcel 991",
        "Your parcel has shipped. Please do not reply to this message.",
        (("Feedback-ID", "ship:parcel"),),
        False,
    ),
    (
        "challenge",
        "Eve <eve@guarded.example>",
        "Please confirm your message",
        "Your message is being held until you confirm that you are a real person. Click the link below so that your message can be delivered.",
        (("Precedence", "bulk"),),
        False,
    ),
    (
        "majordomo",
        "majordomo@lists.example",
        "Majordomo results",
        "Your command was processed.",
        (("Precedence", "junk"), ("Auto-Submitted", "auto-replied")),
        False,
    ),
    (
        "autoresponder-header",
        "Info <info@firm.example>",
        "Thank you",
        "We have received your message.",
        (("X-Autorespond", "Your order"), ("Precedence", "auto_reply")),
        False,
    ),
    (
        "own-loop",
        f"{SHOP} <{SHOP_ADDRESS}>",
        "Re: Your order",
        "Hello Bob, your order is on its way.",
        (),
        False,
    ),
    (
        "code",
        "Bank <noreply@bank.example>",
        "Your verification code",
        "Your code is 123456. Do not reply to this email.",
        (),
        True,
    ),
    (
        "challenge-arrest",
        "Eve <eve@arrest.example>",
        "Eve - please verify your email (action required)",
        "I use SpamArrest. Click the link below to confirm that you are human so your message can be delivered.",
        (("X-Auto-Response-Suppress", "All"),),
        True,
    ),
    (
        "sendgrid",
        "Shoes <mail@shoes.example>",
        "30% off this weekend",
        "Sale!\n\nUnsubscribe here",
        (("X-SG-EID", "abc"), ("List-Unsubscribe", "<https://shoes.example/u>")),
        True,
    ),
    (
        "facebook",
        "Book <notification@book.example>",
        "You have 3 new notifications",
        "See what is new.",
        (
            ("X-Facebook-Notify", "digest"),
            ("List-Unsubscribe", "<https://book.example/u>"),
            ("Precedence", "bulk"),
        ),
        True,
    ),
    (
        "zh-notice",
        "平台通知 <noreply@pingtai.example>",
        "订单通知",
        "您的订单已发货。\n\n此邮件由系统自动发送，请勿回复。",
        (),
        True,
    ),
    (
        "de-ticket",
        "Kundendienst <service@anderer.example>",
        "Automatische Antwort: Ihre Anfrage ist eingegangen",
        "Vielen Dank für Ihre Nachricht. Ihre Anfrage ist bei uns eingegangen. Dies ist eine automatisch generierte E-Mail.",
        (),
        True,
    ),
    (
        "ja-notice",
        "通販 <no-reply@tsuhan.example>",
        "ご注文確認",
        "ご注文を受け付けました。このメールは自動送信です。返信いただいてもお答えできません。",
        (),
        True,
    ),
    (
        "exchange-oof-bare",
        "Ada <ada@firm.example>",
        "Automatic reply: question",
        "We will respond to you as soon as possible.",
        (("X-Auto-Response-Suppress", "All"),),
        True,
    ),
)


def notices() -> list[Labelled]:
    return [
        Labelled(
            f"notice-{name}",
            name,
            plain(base(sender, subject, fields, n), text),
            True,
            set_aside=aside,
        )
        for n, (name, sender, subject, text, fields, aside) in enumerate(NOTICES)
    ]


def loose_reports() -> list[Labelled]:
    return [
        Labelled(
            f"bounce-{name}",
            name,
            plain(base(sender, subject, fields, n), text),
            True,
            bounce=bounce,
            set_aside=aside,
        )
        for n, (name, sender, subject, text, fields, bounce, aside) in enumerate(LOOSE)
    ]


def receipts_and_invitations() -> list[Labelled]:
    read = multipart(
        "report",
        "mdn1",
        [
            part("text/plain", "Your message was read on Tuesday.", transfer="7bit"),
            b"Content-Type: message/disposition-notification\r\n\r\nReporting-UA: mail.example; Client\r\nFinal-Recipient: rfc822;ada@mail.example\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n",
        ],
        "; report-type=disposition-notification",
    )
    abuse = multipart(
        "report",
        "arf1",
        [
            part("text/plain", "This is an abuse report.", transfer="7bit"),
            b"Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: Loop/1.0\r\nVersion: 1\r\n",
            f"Content-Type: message/rfc822\r\n\r\n{RETURNED}".encode(),
        ],
        "; report-type=feedback-report",
    )
    event = (
        "BEGIN:VCALENDAR\nMETHOD:{method}\nBEGIN:VEVENT\nSUMMARY:Call\nEND:VEVENT\nEND:VCALENDAR\n"
    )

    def invitation(method: str) -> bytes:
        return multipart(
            "alternative",
            f"cal{method}",
            [
                part("text/plain", "Call about the kettle"),
                part("text/calendar", event.format(method=method), extra=f"; method={method}"),
            ],
        )

    ada = "Ada <ada@mail.example>"
    return [
        Labelled("receipt-outlook", "mdn", whole(base(ada, "Read: Your order"), read), True),
        Labelled(
            "receipt-de",
            "mdn",
            whole(base(ada, "Gelesen: Ihre Bestellung"), read),
            True,
            set_aside=True,
        ),
        Labelled(
            "receipt-text",
            "notes-receipt",
            plain(
                base(ada, "Return Receipt: Your order"),
                "Return Receipt\n\nYour message was read on 05.03.2024",
            ),
            True,
        ),
        Labelled(
            "abuse-report",
            "arf",
            whole(base("staff@isp.example", "complaint about message"), abuse),
            True,
        ),
        Labelled(
            "invitation",
            "calendar",
            whole(base(ada, "Invitation: Call"), invitation("REQUEST")),
            True,
        ),
        Labelled(
            "acceptance", "calendar", whole(base(ada, "Accepted: Call"), invitation("REPLY")), True
        ),
        Labelled(
            "cancellation",
            "calendar",
            whole(base(ada, "Canceled: Call"), invitation("CANCEL")),
            True,
            set_aside=True,
        ),
    ]


def all_programs() -> list[Labelled]:
    return [
        *absences(ABSENCES, aside=False),
        *absences(ABSENCES_ASIDE, aside=True),
        *standard_reports(),
        *loose_reports(),
        *notices(),
        *receipts_and_invitations(),
    ]


__all__ = ["all_programs", "file_part"]

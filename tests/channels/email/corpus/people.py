"""Mails of people that look like something else: the hard ones, and the oddly made ones."""

from __future__ import annotations

import base64

from tests.channels.email.corpus.programs import RETURNED, base
from tests.channels.email.corpus.raw_mail import Labelled, file_part, multipart, part, plain, whole
from tests.channels.email.corpus.words import LANGUAGES, SHOP, SHOP_ADDRESS

ADA = "Ada Lovelace <ada@mail.example>"

# name, subject, text, visible (None: the whole text), fields, aside
LOOKALIKES: tuple[tuple[str, str, str, str | None, tuple[tuple[str, str], ...], bool], ...] = (
    (
        "out-of-office-told",
        "Out of office reply broken",
        "Hi,\n\nI got your out of office reply although I am a customer. I am out of the office until Friday, please call me then.",
        None,
        (),
        False,
    ),
    (
        "precedence-bulk",
        "Kettle",
        "The kettle is broken, please help.",
        None,
        (("Precedence", "bulk"), ("X-Mailer", "OddMailer 1.2")),
        False,
    ),
    (
        "wants-unsubscribe",
        "unsubscribe",
        "Please unsubscribe me from your newsletter. I clicked unsubscribe here three times.",
        None,
        (),
        False,
    ),
    (
        "mailing-list-person",
        "[tea] Which kettle?",
        "Does anyone know how to descale it?",
        None,
        (
            ("List-Id", "Tea talk <tea.lists.example>"),
            ("List-Post", "<mailto:tea@lists.example>"),
            ("List-Unsubscribe", "<mailto:tea-leave@lists.example>"),
            ("Precedence", "list"),
            ("X-Mailman-Version", "2.1.39"),
        ),
        False,
    ),
    (
        "google-group",
        "Broken kettle",
        "My kettle does not boil.",
        None,
        (
            ("Precedence", "list"),
            ("Mailing-list", "list support@shop.example; contact support+owners@shop.example"),
            ("List-ID", "<support.shop.example>"),
            ("X-Google-Group-Id", "123"),
            ("List-Unsubscribe", "<mailto:x@shop.example>"),
        ),
        False,
    ),
    (
        "bounce-told",
        "Your mail bounced",
        "I wrote to returns@shop.example and got: 'Delivery failed, 550 5.1.1 user unknown, message could not be delivered'. Which address is right?",
        None,
        (),
        False,
    ),
    (
        "re-automatic-reply",
        "Re: Automatic reply: Your order",
        "Thanks, I will wait until she is back. But where is my parcel?",
        None,
        (),
        False,
    ),
    (
        "suppress",
        "Question about invoice",
        "Please send me the invoice again.",
        None,
        (("X-Auto-Response-Suppress", "DR, OOF, AutoReply"),),
        False,
    ),
    (
        "auto-submitted-no",
        "Question",
        "Is the shop open on Sunday?",
        None,
        (("Auto-Submitted", "no"),),
        False,
    ),
    (
        "says-do-not-reply",
        "Your message",
        "Your mail says 'this is an automated message, please do not reply to this email' - so how do I reach you?",
        None,
        (),
        False,
    ),
    (
        "travel-list",
        "Delivery route",
        "Please deliver like this:\n\nFrom: Berlin\nTo: Paris\nDate: 3 March\n\nIs that possible?",
        None,
        (),
        False,
    ),
    (
        "on-monday-wrote",
        "Complaint",
        'On Monday 3 March your colleague wrote:\n\n"Your refund is on its way."\n\nNothing came. Where is it?',
        None,
        (),
        False,
    ),
    ("feedback-id", "Kettle", "Does it come in green?", None, (("Feedback-ID", "x:y:z"),), False),
    (
        "postmaster-asks",
        "Your mails to our users",
        "Hello, your shop sends mails to users that left us. Please take them off your list.\n\nThe postmaster",
        None,
        (("From-Note", "person"),),
        False,
    ),
    (
        "dash-list",
        "Three wishes",
        "I would like:\n\n- a lid\n- a cable\n- a manual\n\nPlease send them to my old address.",
        None,
        (),
        False,
    ),
    (
        "wrote-in-sentence",
        "Review",
        "In my review I wrote: the kettle is great. But now it is broken.",
        None,
        (),
        False,
    ),
    (
        "holiday-question-de",
        "Urlaub",
        "Guten Tag,\n\nich bin ab Montag im Urlaub. Kann das Paket vorher kommen?",
        None,
        (),
        False,
    ),
    (
        "holiday-question-zh",
        "休假期间收货",
        "您好，我下周休假，包裹可以推迟发货吗？",
        None,
        (),
        False,
    ),
    (
        "crm-person",
        "Offer",
        "Hi, may we sell your kettles in our shop in Lyon?\n\nBest,\nClaire",
        None,
        (("List-Unsubscribe", "<https://crm.example/u>"),),
        True,
    ),
    (
        "vacation-fr",
        "Absence",
        "Bonjour,\n\nje suis absente la semaine prochaine. Pouvez-vous livrer chez ma voisine ?",
        None,
        (),
        True,
    ),
    (
        "notice-subject-person",
        "Order confirmation missing",
        "I ordered yesterday and have no order confirmation. Can you send it?",
        None,
        (),
        True,
    ),
    (
        "delivery-failed-parcel",
        "Delivery failed",
        "The courier says delivery failed because nobody was home. Can you send it again?",
        None,
        (),
        True,
    ),
    (
        "alert-person",
        "Notification settings",
        "How do I turn the app notifications off?",
        None,
        (),
        True,
    ),
    (
        "out-of-office-en-lower",
        "vacation",
        "Hello, I will be on vacation from Monday. Could you hold my order?",
        None,
        (),
        True,
    ),
    (
        "quote-of-bot",
        "Re: Thank you for contacting us",
        "Your ticket 8812 has been open for a week. When will you get back to me?",
        None,
        (),
        True,
    ),
    ("arrow-line", "Error", "The page says:\n\nError 42\n\nWhat does it mean?", None, (), True),
    (
        "external-banner",
        "Kettle",
        "CAUTION: This email originated from outside of the organization. Do not click links or open attachments unless you recognize the sender.\n\nThe kettle is broken.",
        "The kettle is broken.",
        (),
        False,
    ),
    (
        "disclaimer",
        "Kettle",
        "The kettle is broken.\n\nRegards,\nAda\n\nThis e-mail and any attachments are confidential and intended solely for the addressee. If you are not the intended recipient, delete it.",
        "The kettle is broken.\n\nRegards,\nAda",
        (),
        False,
    ),
    (
        "disclaimer-de",
        "Wasserkocher",
        "Der Kocher ist kaputt.\n\nViele Grüße\nAda\n\nDiese E-Mail enthält vertrauliche und/oder rechtlich geschützte Informationen.",
        "Der Kocher ist kaputt.\n\nViele Grüße\nAda",
        (),
        True,
    ),
    (
        "contact-block",
        "Kettle",
        "Please send the invoice again.\n\nBest regards,\nAda Lovelace\nHead of Tea\nExample Ltd\nPhone: +44 20 7946 0123\nwww.example.com",
        "Please send the invoice again.\n\nBest regards,\nAda Lovelace",
        (),
        False,
    ),
    (
        "contact-block-de",
        "Rechnung",
        "Bitte schicken Sie die Rechnung noch einmal.\n\nMit freundlichen Grüßen\nAda Müller\n\nMuster GmbH\nTel.: 030 1234567\nwww.muster.example",
        "Bitte schicken Sie die Rechnung noch einmal.\n\nMit freundlichen Grüßen\nAda Müller",
        (),
        True,
    ),
    ("avast", "Kettle", "It is broken.\n\nVirus-free. www.avast.com", "It is broken.", (), False),
    (
        "list-footer",
        "[tea] Kettle",
        "How long does it boil?\n_______________________________________________\nTea mailing list\ntea@lists.example\nhttps://lists.example/listinfo/tea",
        "How long does it boil?",
        (("List-Post", "<mailto:tea@lists.example>"), ("List-Id", "<tea.lists.example>")),
        True,
    ),
    (
        "only-quote",
        "Re: Kettle",
        f"On 05/03/2024 10:12, {SHOP} wrote:\n> Which kettle?\n> Blue or red?",
        None,
        (),
        False,
    ),
    (
        "number-in-text",
        "Re: Kettle",
        "My number is [Ref: 48213-ABCDEF]. Any news?",
        None,
        (),
        False,
    ),
)


def lookalikes() -> list[Labelled]:
    made = []
    for n, (name, subject, text, visible, fields, aside) in enumerate(LOOKALIKES):
        sender = "Postmaster <postmaster@firm.example>" if name == "postmaster-asks" else ADA
        raw = plain(base(sender, subject, fields, n), text)
        made.append(
            Labelled(
                f"person-{name}", "plain", raw, False, visible=visible or text, set_aside=aside
            )
        )
    return made


# What people write above the mail that holds their question.
POINTERS = {
    "en": "Please see below.",
    "de": "Bitte siehe unten, danke!",
    "fr": "Voir le message ci-dessous, merci.",
    "es": "Les reenvío el mensaje de abajo.",
    "zh": "请看下面的邮件。",
    "ja": "下記のメールをご確認ください。",
    "it": "Inoltro la mail qui sotto.",
    "nl": "Zie hieronder, alvast bedankt.",
}


def forwards() -> list[Labelled]:
    """Forwarded with words of one's own above; and with none, when all of it counts."""
    made = []
    for n, code in enumerate(("en", "de", "fr", "es", "zh", "ja", "it", "nl")):
        lang = LANGUAGES[code]
        new = lang.questions[0]
        head = f"---------- {lang.forwarded} ---------\n{lang.labels[0]}: {SHOP} <{SHOP_ADDRESS}>\nDate: {lang.when}\n{lang.labels[3]}: {lang.subject}\n{lang.labels[2]}: <{lang.mailbox}>"
        text = f"{new}\n\n{head}\n\n{lang.earlier}"
        fields = base(f"{lang.mailbox}", f"{lang.forward}: {lang.subject}", n=n)
        made.append(
            Labelled(
                f"forward-{code}",
                "gmail-forward",
                plain(fields, text),
                False,
                visible=new,
                set_aside=n % 3 == 2,
            )
        )
        if n % 2 == 0:
            alone = f"{head}\n\n{lang.earlier}"
            made.append(
                Labelled(
                    f"forward-bare-{code}",
                    "gmail-forward",
                    plain(fields, alone),
                    False,
                    visible=alone,
                    set_aside=n % 3 == 2,
                )
            )
        pointed = f"{POINTERS[code]}\n\n{head}\n\n{lang.questions[0]}"
        made.append(
            Labelled(
                f"forward-meant-{code}",
                "gmail-forward",
                plain(fields, pointed),
                False,
                visible=pointed,
                set_aside=n % 3 == 2,
            )
        )
    return made


def oddly_made() -> list[Labelled]:
    """Broken, old and foreign forms of perfectly good messages."""
    zh = "您好，请问订单48213什么时候发货？谢谢！"
    ja = "注文の商品がまだ届きません。確認をお願いします。"
    de = "Können Sie mir bitte die Rechnung schicken? Größe: 42"
    ru = "Здравствуйте, где мой заказ? Прошло уже две недели."
    fields = base(ADA, "Question")

    def bare(header: str, body: bytes) -> bytes:
        return (
            "".join(f"{k}: {v}\r\n" for k, v in fields).encode() + header.encode() + b"\r\n" + body
        )

    image = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    flowed = "This is one long paragraph that the program \r\nsent as flowed text and which should be \r\njoined again.\r\n\r\nSecond."
    return [
        Labelled(
            "odd-gb2312-is-gbk",
            "odd",
            bare(
                "Content-Type: text/plain; charset=gb2312\r\n",
                "您好，请问繁體的訂單呢".encode("gb18030"),
            ),
            False,
            visible="您好，请问繁體的訂單呢",
        ),
        Labelled("odd-undeclared-gbk", "odd", bare("", zh.encode("gb18030")), False, visible=zh),
        Labelled("odd-undeclared-utf8", "odd", bare("", de.encode()), False, visible=de),
        Labelled("odd-undeclared-latin1", "odd", bare("", de.encode("latin-1")), False, visible=de),
        Labelled(
            "odd-latin1-is-utf8",
            "odd",
            bare("Content-Type: text/plain; charset=iso-8859-1\r\n", de.encode()),
            False,
            visible=de,
        ),
        Labelled(
            "odd-iso-2022-jp",
            "odd",
            bare(
                "Content-Type: text/plain; charset=ISO-2022-JP\r\nContent-Transfer-Encoding: 7bit\r\n",
                ja.encode("iso-2022-jp"),
            ),
            False,
            visible=ja,
        ),
        Labelled(
            "odd-shift-jis",
            "odd",
            bare("Content-Type: text/plain; charset=Shift_JIS\r\n", ja.encode("cp932")),
            False,
            visible=ja,
        ),
        Labelled(
            "odd-unknown-charset",
            "odd",
            bare("Content-Type: text/plain; charset=x-unknown\r\n", de.encode()),
            False,
            visible=de,
        ),
        Labelled(
            "odd-koi8",
            "odd",
            bare("Content-Type: text/plain; charset=koi8-r\r\n", ru.encode("koi8-r")),
            False,
            visible=ru,
        ),
        Labelled(
            "odd-undeclared-1251",
            "odd",
            bare("", ru.encode("cp1251")),
            False,
            visible=ru,
            set_aside=True,
        ),
        Labelled(
            "odd-undeclared-sjis",
            "odd",
            bare("", ja.encode("cp932")),
            False,
            visible=ja,
            set_aside=True,
        ),
        Labelled(
            "odd-euc-kr",
            "odd",
            bare(
                "Content-Type: text/plain; charset=ks_c_5601-1987\r\n",
                "주문한 상품이 아직 도착하지 않았습니다.".encode("cp949"),
            ),
            False,
            visible="주문한 상품이 아직 도착하지 않았습니다.",
            set_aside=True,
        ),
        Labelled(
            "odd-big5",
            "odd",
            bare(
                "Content-Type: text/plain; charset=big5\r\n",
                "請問我的訂單什麼時候到？".encode("big5"),
            ),
            False,
            visible="請問我的訂單什麼時候到？",
        ),
        Labelled(
            "odd-flowed",
            "odd",
            bare("Content-Type: text/plain; format=flowed\r\n", flowed.encode()),
            False,
            visible="This is one long paragraph that the program sent as flowed text and which should be joined again.\n\nSecond.",
        ),
        Labelled(
            "odd-no-boundary-end",
            "odd",
            whole(
                fields,
                b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nIt is broken.\r\n',
            ),
            False,
            visible="It is broken.",
        ),
        Labelled(
            "odd-wrong-boundary",
            "odd",
            whole(fields, b'Content-Type: multipart/mixed; boundary="x"\r\n\r\nIt is broken.\r\n'),
            False,
            visible="It is broken.",
        ),
        Labelled(
            "odd-html-only",
            "odd",
            whole(
                fields,
                part(
                    "text/html",
                    '<p>Two things:</p><ul><li>no lid</li><li>no cable</li></ul><p>See <a href="https://shop.example/k">the page</a>.</p>',
                ),
            ),
            False,
            visible="Two things:\n\n- no lid\n- no cable\n\nSee the page <https://shop.example/k>.",
        ),
        Labelled(
            "odd-html-table",
            "odd",
            whole(
                fields,
                part(
                    "text/html",
                    "<p>My order:</p><table><tr><th>Item</th><th>Count</th></tr><tr><td>Kettle</td><td>2</td></tr></table>",
                ),
            ),
            False,
            visible="My order:\n\nItem | Count\nKettle | 2",
        ),
        Labelled(
            "odd-html-numbered",
            "odd",
            whole(
                fields,
                part(
                    "text/html", "<ol><li>Open</li><li>Fill</li></ol><div>It leaks at step 2.</div>"
                ),
            ),
            False,
            visible="1. Open\n2. Fill\n\nIt leaks at step 2.",
            set_aside=True,
        ),
        Labelled(
            "odd-image",
            "odd",
            whole(
                fields,
                multipart(
                    "mixed",
                    "im",
                    [
                        part("text/plain", "See the photo."),
                        file_part("photo.png", image, "image/png"),
                    ],
                ),
            ),
            False,
            visible="See the photo.",
        ),
        Labelled(
            "odd-plain-stub",
            "odd",
            whole(
                fields,
                multipart(
                    "alternative",
                    "st",
                    [
                        part("text/plain", "Your mail program does not show HTML."),
                        part(
                            "text/html",
                            "<div>The lid of my kettle is missing since it arrived on Monday, and I cannot use it at all.</div><div>Please send me another one to the same address as before.</div>",
                        ),
                    ],
                ),
            ),
            False,
            visible="The lid of my kettle is missing since it arrived on Monday, and I cannot use it at all.\nPlease send me another one to the same address as before.",
        ),
        Labelled(
            "odd-lf-only",
            "odd",
            plain(fields, "It is broken.").replace(b"\r\n", b"\n"),
            False,
            visible="It is broken.",
        ),
        Labelled(
            "odd-mbox-line",
            "odd",
            b"From ada@mail.example Tue Mar  5 11:00:00 2024\n" + plain(fields, "It is broken."),
            False,
            visible="It is broken.",
        ),
        Labelled(
            "odd-forward-attached",
            "odd",
            whole(
                fields,
                multipart(
                    "mixed",
                    "fa",
                    [
                        part("text/plain", "See the attached mail."),
                        f"Content-Type: message/rfc822\r\n\r\n{RETURNED}".encode(),
                    ],
                ),
            ),
            False,
            visible="See the attached mail.",
        ),
        Labelled(
            "odd-uuencode",
            "odd",
            bare(
                "Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n",
                b"begin 644 t.txt\n,270@:7,@8G)O:V5N\n`\nend\n",
            ),
            False,
            visible="It is broken",
            set_aside=True,
        ),
        Labelled(
            "odd-signed",
            "odd",
            whole(
                fields,
                multipart(
                    "signed",
                    "sg",
                    [
                        part("text/plain", "Signed words."),
                        file_part("smime.p7s", b"0\x80\x06", "application/pkcs7-signature"),
                    ],
                    '; micalg=sha-256; protocol="application/pkcs7-signature"',
                ),
            ),
            False,
            visible="Signed words.",
        ),
        Labelled(
            "odd-related",
            "odd",
            whole(
                fields,
                multipart(
                    "related",
                    "rl",
                    [
                        multipart(
                            "alternative",
                            "ra",
                            [
                                part("text/plain", "With a picture."),
                                part("text/html", '<div>With a picture.<img src="cid:1"></div>'),
                            ],
                        ),
                        file_part("image001.png", image, "image/png", "inline"),
                    ],
                ),
            ),
            False,
            visible="With a picture.",
        ),
    ]


def all_people() -> list[Labelled]:
    return [*lookalikes(), *forwards(), *oddly_made()]

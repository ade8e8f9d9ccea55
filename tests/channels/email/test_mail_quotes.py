"""New words are told from quotes, forwards and signatures in the formats that programs write."""

from __future__ import annotations

import pytest

from channels.email.quotes import split_text

WHOLE = "*WHOLE*"
# program or language: (text, the new words)
FORMATS: dict[str, tuple[str, str]] = {
    "outlook wrap": (
        "Please help.\n\nFrom: Shop Support [mailto:support@shop.example]\nSent: Tuesday, March 05, 2024 10:12 AM\nTo: Ada Lovelace\nCc: Bob\nSubject: RE: Kettle\n\nHello",
        "Please help.",
    ),
    "outlook star": (
        "Please help.\n\n*From:* Shop Support <support@shop.example>\n*Sent:* Tuesday, March 5, 2024 10:12 AM\n*To:* Ada\n*Subject:* Re: Kettle\n\nHello",
        "Please help.",
    ),
    "gmail fwd": (
        "FYI see below\n\n---------- Forwarded message ---------\nFrom: Shop <s@x.org>\nDate: Tue, Mar 5, 2024 at 10:12 AM\nSubject: Hi\nTo: <ada@x.org>\n\n\nHello",
        "FYI see below",
    ),
    "apple fwd": (
        "Please see.\n\nBegin forwarded message:\n\n> From: Shop <s@x.org>\n> Subject: Hi\n> Date: 5 March 2024 at 10:12:00 GMT\n> To: ada@x.org\n> \n> Hello",
        "Please see.",
    ),
    "apple wraps": (
        "Yes.\n\n> On Mar 5, 2024, at 10:12 AM, Shop Support via Something Long Name Here\n> <support@shop.example> wrote:\n> \n> Hello",
        "Yes.",
    ),
    "gmail 3 lines": (
        "Yes.\n\nOn Tue, Mar 5, 2024 at 10:12 AM Shop Support Team Of The Very Long Name\nCompany <\nsupport@shop.example> wrote:\n\n> Hello",
        "Yes.",
    ),
    "yahoo top": (
        "Yes.\n    On Tuesday, March 5, 2024 at 10:12:00 AM GMT+1, Shop <s@x.org> wrote:  \n \n Hello\nthere",
        "Yes.",
    ),
    "outlook live": (
        "Yes.\n\nGet Outlook for Android<https://aka.ms/AAb9ysg>\n________________________________\nFrom: Shop <s@x.org>\nSent: Tuesday, March 5, 2024 10:12:00 AM\nTo: Ada <a@x.org>\nSubject: Hi\n\nHello",
        "Yes.",
    ),
    "fr outlook": (
        "Oui.\n\nDe : Shop <s@x.org>\nEnvoyé : mardi 5 mars 2024 10:12\nÀ : Ada <a@x.org>\nObjet : RE: Salut\n\nBonjour",
        "Oui.",
    ),
    "fr apple": (
        "Oui.\n\nEnvoyé de mon iPhone\n\n> Le 5 mars 2024 à 10:12, Shop <s@x.org> a écrit :\n> \n> Bonjour",
        "Oui.",
    ),
    "fr nbsp": (
        "Oui.\n\nLe\xa0mar. 5 mars 2024 à\xa010:12, Shop <s@x.org> a écrit\xa0:\n\n> Bonjour",
        "Oui.",
    ),
    "de tb": ("Ja.\n\nAm 05.03.2024 um 10:12 schrieb Shop Support:\n> Hallo\n> Welt\n", "Ja."),
    "de outlook": (
        "Ja.\n\n-----Ursprüngliche Nachricht-----\nVon: Shop <s@x.org> \nGesendet: Dienstag, 5. März 2024 10:12\nAn: Ada <a@x.org>\nBetreff: Hi\n\nHallo",
        "Ja.",
    ),
    "de gmx": (
        'Ja.\n\nGesendet: Dienstag, 05. März 2024 um 10:12 Uhr\nVon: "Shop" <s@x.org>\nAn: ada@gmx.example\nBetreff: Re: Hi\n\nHallo',
        "Ja.",
    ),
    "de webde app": (
        "Ja.\n\n-- \nDiese Nachricht wurde von meinem Android Mobiltelefon mit WEB.DE Mail gesendet.\nAm 05.03.24, 10:12 schrieb Shop <s@x.org>:\n\nHallo",
        "Ja.",
    ),
    "zh outlook": (
        "好的。\n\n________________________________\n发件人: Shop <s@x.org>\n发送时间: 2024年3月5日 10:12\n收件人: Ada <a@x.org>\n主题: 回复: 你好\n\n您好",
        "好的。",
    ),
    "zh fullwidth": (
        "好的。\n\n发件人： Shop\n日期： 2024-03-05 10:12\n收件人： ada@x.cn\n主题： 你好\n您好",
        "好的。",
    ),
    "zh qq mobile": (
        "好的\n\n\n\n发自我的iPhone\n\n\n------------------ Original ------------------\nFrom: Shop <s@x.org>\nDate: Tue,Mar 5,2024 10:12 AM\nTo: 张三 <a@qq.com>\nSubject: Re: 你好\n\n您好",
        "好的",
    ),
    "zh qq reply": (
        '好的\n---Original---\nFrom: "Shop"<s@x.org>\nDate: Tue, Mar 5, 2024 10:12 AM\nTo: "张三"<a@qq.com>;\nSubject: Re: 你好\n\n您好',
        "好的",
    ),
    "zh 163 app": (
        '好的\n\n\n发自我的网易邮箱手机智能版\n<br/><br/><br/>\n\n----- Original Message -----\nFrom: "Shop" <s@x.org>\nTo: "张三" <a@163.com>\nSent: Tue, 5 Mar 2024 10:12:00 +0800\nSubject: Re: 你好\n\n您好',
        "好的",
    ),
    "zh 163 replied": (
        "好的\n\n---- 回复的原邮件 ----\n| 发件人 | Shop<s@x.org> |\n| 发送日期 | 2024年3月5日 10:12 |\n| 收件人 | a<a@163.com> |\n| 主题 | Re: 你好 |\n您好",
        "好的",
    ),
    "zh 163 En": (
        "ok\n\n---- Replied Message ----\n| From | Shop<s@x.org> |\n| Date | 3/5/2024 10:12 |\n| To | a<a@163.com> |\n| Subject | Re: hi |\nHello",
        "ok",
    ),
    "zh tw gmail": (
        "好的\n\nShop <s@x.org> 於 2024年3月5日 週二 上午10:12寫道：\n\n> 您好",
        "好的",
    ),
    "zh tw outlook": (
        "好的\n\n寄件者: Shop <s@x.org>\n寄件日期: 2024年3月5日 上午 10:12\n收件者: a@x.tw\n主旨: Re: 你好\n\n您好",
        "好的",
    ),
    "zh mac": ("好的\n\n> 在 2024年3月5日，上午10:12，Shop <s@x.org> 写道：\n> \n> 您好", "好的"),
    "ja outlook": (
        "はい。\n\n差出人: Shop <s@x.org>\n送信日時: 2024年3月5日 10:12\n宛先: a@x.jp\n件名: Re: 件\n\nこんにちは",
        "はい。",
    ),
    "ja sig": (
        "はい、そうです。\n\n--\n山田太郎\n株式会社例\nTEL 03-1234-5678",
        "はい、そうです。",
    ),
    "ja line sig": (
        "はい、そうです。\nよろしくお願いいたします。\n\n***********************\n株式会社例\n山田太郎\nTEL: 03-1234-5678\n***********************",
        "はい、そうです。\nよろしくお願いいたします。",
    ),
    "ja gmail": (
        "はい。\n\n2024年3月5日(火) 10:12 Shop Support <s@x.org>:\n\n> こんにちは",
        "はい。",
    ),
    "es outlook": (
        "Sí.\n\nDe: Shop <s@x.org>\nEnviado el: martes, 5 de marzo de 2024 10:12\nPara: Ada <a@x.org>\nAsunto: RE: Hola\n\nHola",
        "Sí.",
    ),
    "es tb": ("Sí.\n\nEl 05/03/2024 a las 10:12, Shop escribió:\n> Hola", "Sí."),
    "notes": (
        'Yes.\n\n-----"Shop" <s@x.org> wrote: -----\nTo: Ada\nFrom: "Shop"\nDate: 03/05/2024 10:12AM\nSubject: Hi\n\nHello',
        "Yes.",
    ),
    "notes2": (
        "Yes.\n\nRegards\nAda\n\n\nFrom:   Shop <s@x.org>\nTo:     Ada/EX@EX\nDate:   05/03/2024 10:12\nSubject:        Hi\n\n\nHello",
        "Yes.\n\nRegards\nAda",
    ),
    "superhuman": (
        "Yes.\n\nSent via Superhuman ( https://sprh.mn/?vip=a@x.org )\n\nOn Tue, Mar 05, 2024 at 10:12 AM, Shop < s@x.org > wrote:\n\n> Hello",
        "Yes.",
    ),
    "hey": ("Yes.\n\nOn March 5, 2024, Shop <s@x.org> wrote:\n> Hello", "Yes."),
    "front": ("Yes.\n\nOn March 5, 2024 at 10:12 AM GMT+1 s@x.org wrote:\n\nHello", "Yes."),
    "mailspring": (
        "Yes.\n\nSent from Mailspring (https://getmailspring.com/), the best free email app for work\nOn Mar 5 2024, at 10:12 am, Shop <s@x.org> wrote:\n> Hello",
        "Yes.",
    ),
    "bluemail": (
        "Yes.\n\n⁣Get BlueMail for Android ​\n\nOn Mar 5, 2024, 10:12, at 10:12, Shop <s@x.org> wrote:\n>Hello",
        "Yes.",
    ),
    "aquamail": (
        "Yes.\n\nSent with Aqua Mail for Android\nhttps://www.mobisystems.com/aqua-mail\n\nOn 5 March 2024 10:12:00 Shop <s@x.org> wrote:\n\n> Hello",
        "Yes.",
    ),
    "fairmail": ("Yes.\n\n5 Mar 2024 10:12:00 Shop <s@x.org>:\n\n> Hello", "Yes."),
    "tutanota": (
        "Yes.\n\n-- \nSent with Tuta; enjoy secure & ad-free emails.\n\n5 Mar 2024, 10:12 by s@x.org:\n\n> Hello",
        "Yes.",
    ),
    "zendesk2": (
        "Yes.\n\n> Am 05.03.2024 um 10:12 schrieb Shop (Support) <s@x.org>:\n> \n> ##- Bitte geben Sie Ihre Antwort oberhalb dieser Zeile ein. -##\n> Hallo",
        "Yes.",
    ),
    "teams wrap": (
        "Yes.\n\nBest regards\n\nAda Lovelace\nCEO | Example Inc.\nM: +1 555 123 4567 | ada@example.com\n\nFrom: Shop <s@x.org>\nDate: Tuesday, 5 March 2024 at 10:12\nTo: Ada <a@x.org>\nSubject: Re: Hi\nHello",
        "Yes.\n\nBest regards\n\nAda Lovelace",
    ),
    "inline": (
        "Hi,\n\nOn 5 Mar 2024, Shop wrote:\n> Which colour?\n\nBlue.\n\n> Which size?\n\nL please.\n\nThanks\nAda",
        "Hi,\n\nBlue.\n\nL please.\n\nThanks\nAda",
    ),
    "inline nospace": ("> Which colour?\nBlue.\n> Which size?\nL", "Blue.\n\nL"),
    "bottom": (
        "On 5 Mar 2024, at 10:12, Shop <s@x.org> wrote:\n\n> Which colour?\n> Which size?\n\nBlue, L.\n\n-- \nAda",
        "Blue, L.",
    ),
    "see inline": (
        "Please see my answers inline in red.\n\nFrom: Shop <s@x.org>\nSent: Tuesday, March 5, 2024 10:12 AM\nTo: Ada\nSubject: Hi\n\nWhich colour? Blue!",
        "*WHOLE*",
    ),
    "user from": ("The form had:\nFrom: Ada\nSubject: broken\n\nbut no answer", "*WHOLE*"),
    "ps after sig": ("Hello\n\nAda\n\nPS: order 123", "*WHOLE*"),
    "it": (
        "Sì.\n\nInviato da Libero Mail per Android\nMartedì, 05 marzo 2024, 10:12AM +01:00 da Shop s@x.org:\n\n>Ciao",
        "Sì.",
    ),
    "pl outlook": (
        "Tak.\n\nOd: Shop <s@x.org> \nWysłano: wtorek, 5 marca 2024 10:12\nDo: Ada\nTemat: RE: Hej\n\nHej",
        "Tak.",
    ),
    "pl wp": ("Tak.\n\nDnia 5 marca 2024 10:12 Shop &lt;s@x.org&gt; napisał(a):\n\nHej", "Tak."),
    "cs": ("Ano.\n\nDne út 5. 3. 2024 10:12 uživatel Shop <s@x.org> napsal:\n\n> Ahoj", "Ano."),
    "cs seznam": (
        "Ano.\n\n---------- Původní e-mail ----------\nOd: Shop <s@x.org>\nKomu: a@seznam.cz\nDatum: 5. 3. 2024 10:12:00\nPředmět: Hi\n\nAhoj",
        "Ano.",
    ),
    "hu": (
        "Igen.\n\nShop <s@x.org> ezt írta (időpont: 2024. márc. 5., K, 10:12):\n\n> Szia",
        "Igen.",
    ),
    "da": ("Ja.\n\nDen tirs. 5. mar. 2024 kl. 10.12 skrev Shop <s@x.org>:\n\n> Hej", "Ja."),
    "fi": ("Kyllä.\n\nti 5. maalisk. 2024 klo 10.12 Shop (s@x.org) kirjoitti:\n\n> Hei", "Kyllä."),
    "ro": ("Da.\n\nÎn mar., 5 mar. 2024 la 10:12, Shop <s@x.org> a scris:\n\n> Salut", "Da."),
    "el": (
        "Ναι.\n\nΣτις Τρί 5 Μαρ 2024 στις 10:12 π.μ., ο χρήστης Shop <s@x.org> έγραψε:\n\n> Γεια",
        "Ναι.",
    ),
    "uk": ("Так.\n\nвт, 5 бер. 2024 р. о 10:12 Shop <s@x.org> пише:\n\n> Привіт", "Так."),
    "he": (
        "כן.\n\n\u202bבתאריך יום ג׳, 5 במרץ 2024 ב-10:12 מאת \u202aShop\u202c\u200f <\u202as@x.org\u202c\u200f>:\u202c\n\n> שלום",
        "כן.",
    ),
    "ar": (
        "نعم.\n\nفي الثلاثاء، 5 مارس 2024 في 10:12 ص تمت كتابة ما يلي بواسطة Shop <s@x.org>:\n\n> مرحبا",
        "نعم.",
    ),
    "vi": (
        "Vâng.\n\nVào Th 3, 5 thg 3, 2024 vào lúc 10:12 Shop <s@x.org> đã viết:\n\n> Chào",
        "Vâng.",
    ),
    "id": ("Ya.\n\nPada Sel, 5 Mar 2024 pukul 10.12 Shop <s@x.org> menulis:\n\n> Halo", "Ya."),
    "th": ("ค่ะ\n\nในวันที่ อ. 5 มี.ค. 2024 เวลา 10:12 Shop <s@x.org> เขียนว่า:\n\n> สวัสดี", "ค่ะ"),
    "ca": (
        "Sí.\n\nMissatge de Shop <s@x.org> del dia dt., 5 de març 2024 a les 10:12:\n\n> Hola",
        "Sí.",
    ),
    "no": ("Ja.\n\ntir. 5. mars 2024 kl. 10:12 skrev Shop <s@x.org>:\n\n> Hei", "Ja."),
    "ko outlook": (
        "네\n\n보낸 사람: Shop <s@x.org>\n보낸 날짜: 2024년 3월 5일 화요일 오전 10:12\n받는 사람: a@x.kr\n제목: Re: hi\n\n안녕",
        "네",
    ),
    "ko naver": (
        '네\n\n-----Original Message-----\nFrom: "Shop"<s@x.org>\nTo: <a@naver.com>;\nCc:\nSent: 2024-03-05 (화) 10:12:00 (GMT+09:00)\nSubject: Re: hi\n\n안녕',
        "네",
    ),
    "pt outlook": (
        "Sim.\n\nDe: Shop <s@x.org>\nEnviada em: terça-feira, 5 de março de 2024 10:12\nPara: Ada\nAssunto: RES: Oi\n\nOi",
        "Sim.",
    ),
    "nl apple": (
        "Ja.\n\nVerstuurd vanaf mijn iPhone\n\n> Op 5 mrt. 2024 om 10:12 heeft Shop <s@x.org> het volgende geschreven:\n> \n> Hoi",
        "Ja.",
    ),
    "tr outlook": (
        "Evet.\n\nKimden: Shop <s@x.org>\nGönderildi: 5 Mart 2024 Salı 10:12\nKime: Ada\nKonu: Re: Hi\n\nMerhaba",
        "Evet.",
    ),
    "ru mailru": (
        "Да.\n\n--\nАда\n\nОтправлено из Почты Mail\n\nвторник, 5 марта 2024 г., 10:12 +0300 от s@x.org <s@x.org>:\n> Привет",
        "Да.",
    ),
    "ru yandex app": (
        "Да.\n\nОтправлено из мобильной Яндекс Почты\n\n05.03.2024, 10:12, Shop <s@x.org>:\nПривет",
        "Да.",
    ),
    "sig nolead": ("Please call me.\n--\nAda Lovelace\n+44 20 1234 5678", "Please call me."),
    "sent iPad": ("Please call me.\n\nSent from my iPad", "Please call me."),
    "sent yahoo": (
        "Please call me.\n\nSent from Yahoo Mail on Android\n\n  On Tue, Mar 5, 2024 at 10:12, Shop<s@x.org> wrote:   Hello",
        "Please call me.",
    ),
    "sent mailwin": (
        "Please call me.\n\nSent from Mail for Windows 10\n\nFrom: Shop\nSent: Tuesday, March 5, 2024 10:12 AM\nTo: Ada\nSubject: Hi\n\nHello",
        "Please call me.",
    ),
    "aol": (
        "Yes.\n\n\n-----Original Message-----\nFrom: Shop <s@x.org>\nTo: ada <ada@aol.com>\nSent: Tue, Mar 5, 2024 10:12 am\nSubject: Hi\n\nHello",
        "Yes.",
    ),
    "exch disclaimer": (
        "Yes.\n\nAda\n\nCONFIDENTIALITY NOTICE: This e-mail is for the sole use of the intended recipient.",
        "Yes.\n\nAda",
    ),
    "zimbra de": ("Ja.\n\n----- Am 5. Mrz 2024 um 10:12 schrieb Shop <s@x.org>:\n\n> Hallo", "Ja."),
    "zimbra": (
        'Ja.\n\n----- Original Message -----\n> From: "Shop" <s@x.org>\n> To: "Ada" <a@x.org>\n> Sent: Tuesday, March 5, 2024 10:12:00 AM\n> Subject: Hi\n\n> Hello',
        "Ja.",
    ),
    "sogo": ("Ja.\n\nOn Tuesday, March 05, 2024 10:12 CET, Shop <s@x.org> wrote:\n \nHello", "Ja."),
    "samsung": (
        "Ja.\n\n-------- Original message --------\nFrom: Shop <s@x.org>\nDate: 05/03/2024 10:12 (GMT+01:00)\nTo: Ada <a@x.org>\nSubject: Hi\n\nHello",
        "Ja.",
    ),
    "mailing": (
        "Ja.\n\nSent from my Verizon, Samsung Galaxy smartphone\n\n-------- Original message --------\nFrom: Shop <s@x.org>\nDate: 3/5/24 10:12 AM (GMT-05:00)\nTo: a\nSubject: Hi",
        "Ja.",
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_new_words_are_cut_out_of(name: str) -> None:
    text, wanted = FORMATS[name]
    visible = split_text(text).visible
    assert visible.split() == (text if wanted == WHOLE else wanted).split()


def test_a_mail_that_is_only_a_quote_keeps_its_whole_text() -> None:
    text = "On Tue, 5 Mar 2024 at 10:12, Bea <bea@shop.example> wrote:\n> Blue?\n> Red?"
    assert split_text(text).visible == text


def test_a_mail_that_is_only_a_signature_keeps_it() -> None:
    assert split_text("-- \nAda").visible == "--\nAda"


def test_quoted_characters_are_counted() -> None:
    split = split_text(
        "Yes.\n\nOn Tue, 5 Mar 2024 at 10:12, Bea <bea@shop.example> wrote:\n> Blue?"
    )
    assert split.quoted_chars > 60
    assert split_text("Yes.").quoted_chars == 0

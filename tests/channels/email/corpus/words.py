"""What the people of the corpus say, by language, and how mail programs name things there."""

from __future__ import annotations

from dataclasses import dataclass

SHOP = "Shop Support"
SHOP_ADDRESS = "support@shop.example"


@dataclass(frozen=True)
class Language:
    """One language of the corpus. `labels` are From, Sent, To, Subject as Outlook prints them."""

    code: str
    questions: tuple[str, ...]
    earlier: str
    subject: str
    reply: str
    forward: str
    labels: tuple[str, str, str, str]
    when: str
    gmail: str
    apple: str
    thunderbird: str
    phone: str
    original: str
    forwarded: str
    name: str
    mailbox: str


LANGUAGES = {
    one.code: one
    for one in (
        Language(
            "en",
            (
                "Hi,\n\nthe kettle you sent me on Monday does not switch on. I tried two sockets.\n\n"
                "Can I get a replacement?\n\nThanks,\nAda",
                "No, it is the blue one. Order 48213.",
                "Hello,\n\nthree things:\n\n- the lid is missing\n- the box was open\n- the invoice names a wrong address\n\n"
                "What shall I do first?",
                "Thank you, that worked. One more question: how long do refunds take?",
            ),
            "Hello Ada,\n\nthank you for writing to us. Which kettle did you order?\n\nYour Shop Support",
            "Broken kettle",
            "Re",
            "Fwd",
            ("From", "Sent", "To", "Subject"),
            "Tuesday, March 5, 2024 10:12 AM",
            f"On Tue, Mar 5, 2024 at 10:12 AM {SHOP} <{SHOP_ADDRESS}> wrote:",
            f"On 5 Mar 2024, at 10:12, {SHOP} <{SHOP_ADDRESS}> wrote:",
            f"On 05/03/2024 10:12, {SHOP} wrote:",
            "Sent from my iPhone",
            "Original Message",
            "Forwarded message",
            "Ada Lovelace",
            "ada@mail.example",
        ),
        Language(
            "de",
            (
                "Guten Tag,\n\nder Wasserkocher lässt sich seit gestern nicht mehr einschalten.\n\n"
                "Bekomme ich Ersatz?\n\nViele Grüße\nAda",
                "Es war die Bestellung 48213, die blaue Größe L.",
                "Hallo,\n\nich warte noch immer auf mein Päckchen. Laut Sendungsverfolgung liegt es seit dem 1. März in Köln.\n\n"
                "Können Sie nachfragen?",
            ),
            "Guten Tag Ada,\n\nvielen Dank für Ihre Nachricht. Welches Modell haben Sie gekauft?\n\nIhr Shop-Team",
            "Wasserkocher defekt",
            "AW",
            "WG",
            ("Von", "Gesendet", "An", "Betreff"),
            "Dienstag, 5. März 2024 10:12",
            f"Am Di., 5. März 2024 um 10:12 Uhr schrieb {SHOP} <{SHOP_ADDRESS}>:",
            f"Am 05.03.2024 um 10:12 schrieb {SHOP} <{SHOP_ADDRESS}>:",
            f"Am 05.03.24 um 10:12 schrieb {SHOP}:",
            "Von meinem iPhone gesendet",
            "Ursprüngliche Nachricht",
            "Weitergeleitete Nachricht",
            "Ada Müller",
            "ada@post.example",
        ),
        Language(
            "fr",
            (
                "Bonjour,\n\nla bouilloire reçue lundi ne s'allume plus.\n\nPuis-je l'échanger ?\n\nMerci d'avance,\nAda",
                "Non, c'est la bleue, commande 48213.",
                "Bonjour,\n\nje n'ai toujours pas reçu mon remboursement de 32,50 €. Où en est-il ?",
            ),
            "Bonjour Ada,\n\nmerci pour votre message. Quel modèle avez-vous commandé ?\n\nL'équipe de la boutique",
            "Bouilloire cassée",
            "RE",
            "TR",
            ("De", "Envoyé", "À", "Objet"),
            "mardi 5 mars 2024 10:12",
            f"Le mar. 5 mars 2024 à 10:12, {SHOP} <{SHOP_ADDRESS}> a écrit :",
            f"Le 5 mars 2024 à 10:12, {SHOP} <{SHOP_ADDRESS}> a écrit :",
            f"Le 05/03/2024 à 10:12, {SHOP} a écrit :",
            "Envoyé de mon iPhone",
            "Message d'origine",
            "Message transféré",
            "Ada Lefèvre",
            "ada@courrier.example",
        ),
        Language(
            "es",
            (
                "Hola:\n\nel hervidor que recibí el lunes no se enciende.\n\n¿Me lo pueden cambiar?\n\nUn saludo,\nAda",
                "No, es el azul. Pedido 48213.",
                "Buenos días:\n\ntodavía no he recibido el reembolso. ¿Cuánto tarda normalmente?",
            ),
            "Hola, Ada:\n\ngracias por escribirnos. ¿Qué modelo compró?\n\nEl equipo de la tienda",
            "Hervidor roto",
            "RE",
            "RV",
            ("De", "Enviado", "Para", "Asunto"),
            "martes, 5 de marzo de 2024 10:12",
            f"El mar, 5 mar 2024 a las 10:12, {SHOP} (<{SHOP_ADDRESS}>) escribió:",
            f"El 5 mar 2024, a las 10:12, {SHOP} <{SHOP_ADDRESS}> escribió:",
            f"El 5/3/24 a las 10:12, {SHOP} escribió:",
            "Enviado desde mi iPhone",
            "Mensaje original",
            "Mensaje reenviado",
            "Ada Núñez",
            "ada@correo.example",
        ),
        Language(
            "zh",
            (
                "您好！\n\n我周一收到的水壶不能开机了，换了两个插座都不行。\n\n请问可以换货吗？\n\n谢谢！\n张爱达",
                "不是，是蓝色的那款，订单号48213。",
                "你好，\n\n退款已经申请一个星期了，还没有到账，麻烦帮我查一下。",
            ),
            "您好，\n\n感谢您的来信。请问您购买的是哪一款水壶？\n\n商店客服",
            "水壶坏了",
            "回复",
            "转发",
            ("发件人", "发送时间", "收件人", "主题"),
            "2024年3月5日 10:12",
            f"{SHOP} <{SHOP_ADDRESS}> 于2024年3月5日周二 10:12写道：",
            f"2024年3月5日 上午10:12，{SHOP} <{SHOP_ADDRESS}> 写道：",
            f"在 2024/3/5 10:12, {SHOP} 写道:",
            "发自我的 iPhone",
            "原始邮件",
            "转发邮件信息",
            "张爱达",
            "ada@youjian.example",
        ),
        Language(
            "ja",
            (
                "お世話になっております。\n\n月曜日に届いたケトルの電源が入りません。\n\n交換していただけますか。\n\nよろしくお願いいたします。\n山田",
                "いいえ、青い方です。注文番号は48213です。",
                "こんにちは。\n\n返金はいつ頃になりますでしょうか。まだ確認できておりません。",
            ),
            "山田様\n\nお問い合わせありがとうございます。どの商品をご購入されましたか。\n\nショップ サポート",
            "ケトルの故障",
            "Re",
            "Fwd",
            ("差出人", "送信日時", "宛先", "件名"),
            "2024年3月5日 10:12",
            f"2024年3月5日(火) 10:12 {SHOP} <{SHOP_ADDRESS}>:",
            f"2024/03/05 10:12、{SHOP} <{SHOP_ADDRESS}>のメール:",
            f"On 2024/03/05 10:12, {SHOP} wrote:",
            "iPhoneから送信",
            "元のメッセージ",
            "転送メッセージ",
            "山田愛",
            "ai@tegami.example",
        ),
        Language(
            "it",
            (
                "Buongiorno,\n\nil bollitore non si accende più.\n\nPosso cambiarlo?\n\nGrazie,\nAda",
                "Quello blu, ordine 48213.",
            ),
            "Gentile Ada,\n\nquale modello ha acquistato?\n\nIl negozio",
            "Bollitore rotto",
            "R",
            "I",
            ("Da", "Inviato", "A", "Oggetto"),
            "martedì 5 marzo 2024 10:12",
            f"Il giorno mar 5 mar 2024 alle ore 10:12 {SHOP} <{SHOP_ADDRESS}> ha scritto:",
            f"Il giorno 5 mar 2024, alle ore 10:12, {SHOP} <{SHOP_ADDRESS}> ha scritto:",
            f"Il 05/03/2024 10:12, {SHOP} ha scritto:",
            "Inviato da iPhone",
            "Messaggio originale",
            "Messaggio inoltrato",
            "Ada Rossi",
            "ada@posta.example",
        ),
        Language(
            "nl",
            (
                "Hallo,\n\nde waterkoker gaat niet meer aan.\n\nKan ik hem ruilen?\n\nGroetjes,\nAda",
                "De blauwe, bestelling 48213.",
            ),
            "Beste Ada,\n\nwelk model heb je gekocht?\n\nDe winkel",
            "Waterkoker kapot",
            "RE",
            "FW",
            ("Van", "Verzonden", "Aan", "Onderwerp"),
            "dinsdag 5 maart 2024 10:12",
            f"Op di 5 mrt 2024 om 10:12 schreef {SHOP} <{SHOP_ADDRESS}>:",
            f"Op 5 mrt 2024, om 10:12 heeft {SHOP} <{SHOP_ADDRESS}> het volgende geschreven:",
            f"Op 05-03-2024 om 10:12 schreef {SHOP}:",
            "Verstuurd vanaf mijn iPhone",
            "Oorspronkelijk bericht",
            "Doorgestuurd bericht",
            "Ada de Vries",
            "ada@brief.example",
        ),
        Language(
            "pt",
            (
                "Olá,\n\na chaleira não liga mais.\n\nPosso trocar?\n\nObrigada,\nAda",
                "É a azul, pedido 48213.",
            ),
            "Olá, Ada,\n\nqual modelo você comprou?\n\nA loja",
            "Chaleira quebrada",
            "RES",
            "ENC",
            ("De", "Enviado", "Para", "Assunto"),
            "terça-feira, 5 de março de 2024 10:12",
            f"Em ter., 5 de mar. de 2024 às 10:12, {SHOP} <{SHOP_ADDRESS}> escreveu:",
            f"Em 5 de mar. de 2024, à(s) 10:12, {SHOP} <{SHOP_ADDRESS}> escreveu:",
            f"Em 05/03/2024 10:12, {SHOP} escreveu:",
            "Enviado do meu iPhone",
            "Mensagem original",
            "Mensagem encaminhada",
            "Ada Souza",
            "ada@carta.example",
        ),
        Language(
            "pl",
            (
                "Dzień dobry,\n\nczajnik się nie włącza.\n\nCzy mogę go wymienić?\n\nPozdrawiam\nAda",
                "Niebieski, zamówienie 48213.",
            ),
            "Dzień dobry,\n\nktóry model Pani kupiła?\n\nSklep",
            "Zepsuty czajnik",
            "Odp",
            "PD",
            ("Od", "Wysłano", "Do", "Temat"),
            "wtorek, 5 marca 2024 10:12",
            f"wt., 5 mar 2024 o 10:12 {SHOP} <{SHOP_ADDRESS}> napisał(a):",
            f"Wiadomość napisana przez {SHOP} <{SHOP_ADDRESS}> w dniu 5 mar 2024, o godz. 10:12:",
            f"W dniu 05.03.2024 o 10:12, {SHOP} pisze:",
            "Wysłane z iPhone'a",
            "Oryginalna wiadomość",
            "Przekazana wiadomość",
            "Ada Nowak",
            "ada@list.example",
        ),
        Language(
            "ru",
            (
                "Здравствуйте!\n\nЧайник больше не включается.\n\nМожно его обменять?\n\nС уважением,\nАда",
                "Синий, заказ 48213.",
            ),
            "Здравствуйте!\n\nКакую модель вы купили?\n\nМагазин",
            "Сломался чайник",
            "Re",
            "Fwd",
            ("От", "Отправлено", "Кому", "Тема"),
            "5 марта 2024 г. 10:12",
            f"вт, 5 мар. 2024 г. в 10:12, {SHOP} <{SHOP_ADDRESS}>:",
            f"5 марта 2024 г., в 10:12, {SHOP} <{SHOP_ADDRESS}> написал(а):",
            f"05.03.2024 10:12, {SHOP} пишет:",
            "Отправлено с iPhone",
            "Исходное сообщение",
            "Пересылаемое сообщение",
            "Ада Иванова",
            "ada@pochta.example",
        ),
        Language(
            "ko",
            (
                "안녕하세요.\n\n월요일에 받은 주전자가 켜지지 않습니다.\n\n교환할 수 있을까요?",
                "파란색입니다. 주문번호 48213.",
            ),
            "안녕하세요.\n\n어떤 모델을 구매하셨나요?\n\n고객센터",
            "주전자 고장",
            "Re",
            "Fwd",
            ("보낸 사람", "보낸 날짜", "받는 사람", "제목"),
            "2024년 3월 5일 화요일 오전 10:12",
            f"2024년 3월 5일 (화) 오전 10:12, {SHOP} <{SHOP_ADDRESS}>님이 작성:",
            f"2024. 3. 5. 오전 10:12, {SHOP} <{SHOP_ADDRESS}> 작성:",
            f"2024-03-05 오전 10:12에 {SHOP} 이(가) 쓴 글:",
            "나의 iPhone에서 보냄",
            "원본 메시지",
            "전달된 메시지",
            "김에이다",
            "ada@pyeonji.example",
        ),
        Language(
            "sv",
            (
                "Hej,\n\nvattenkokaren går inte att sätta på.\n\nKan jag byta den?\n\nHälsningar\nAda",
                "Den blå, order 48213.",
            ),
            "Hej Ada,\n\nvilken modell köpte du?\n\nButiken",
            "Trasig vattenkokare",
            "SV",
            "VB",
            ("Från", "Skickat", "Till", "Ämne"),
            "den 5 mars 2024 10:12",
            f"Den tis 5 mars 2024 kl 10:12 skrev {SHOP} <{SHOP_ADDRESS}>:",
            f"5 mars 2024 kl. 10:12 skrev {SHOP} <{SHOP_ADDRESS}>:",
            f"Den 2024-03-05 kl. 10:12, skrev {SHOP}:",
            "Skickat från min iPhone",
            "Ursprungligt meddelande",
            "Vidarebefordrat meddelande",
            "Ada Berg",
            "ada@brev.example",
        ),
        Language(
            "tr",
            (
                "Merhaba,\n\nsu ısıtıcısı artık çalışmıyor.\n\nDeğiştirebilir miyim?",
                "Mavi olan, sipariş 48213.",
            ),
            "Merhaba Ada,\n\nhangi modeli aldınız?\n\nMağaza",
            "Bozuk su ısıtıcısı",
            "Ynt",
            "İlt",
            ("Gönderen", "Gönderildi", "Kime", "Konu"),
            "5 Mart 2024 Salı 10:12",
            f"{SHOP} <{SHOP_ADDRESS}>, 5 Mar 2024 Sal, 10:12 tarihinde şunu yazdı:",
            f"{SHOP} <{SHOP_ADDRESS}> şunları yazdı (5 Mar 2024 10:12):",
            f"5.03.2024 10:12 tarihinde {SHOP} yazdı:",
            "iPhone'umdan gönderildi",
            "Özgün İleti",
            "İletilen ileti",
            "Ada Yılmaz",
            "ada@mektup.example",
        ),
    )
}

"""The forty matters of the demo: what fictional customers of the sample shop write, and what
the staff does about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.messages import ChannelName

# What becomes of a conversation after the bot: left to the bot, or something a person does.
Then = Literal[
    "leave",
    "wait",
    "take",
    "answer",
    "resolve",
    "snooze",
    "slack",
    "bounce",
    "fail",
    "away",
    "draft",
    "newsletter",
]


@dataclass(frozen=True, slots=True)
class Matter:
    """One conversation; `lines` are written one after the other, each after the answer before.

    `wants_person` is the click on "talk to a person", which only the chat has. `helped_by` is what
    a colleague answers where the bot handed over; `rating`, 1 to 5, is what the customer gives.
    """

    channel: ChannelName
    who: str
    lines: tuple[str, ...]
    then: Then = "leave"
    wants_person: bool = False
    subject: str = ""
    helped_by: str = ""
    rating: int = 0


def _chat(
    who: str,
    *lines: str,
    then: Then = "leave",
    person: bool = False,
    helped: str = "",
    rating: int = 0,
) -> Matter:
    return Matter("chat", who, lines, then, person, helped_by=helped, rating=rating)


def _mail(who: str, subject: str, *lines: str, then: Then = "leave", helped: str = "") -> Matter:
    return Matter("email", who, lines, then, subject=subject, helped_by=helped)


def _slack(who: str, *lines: str, then: Then = "leave", helped: str = "") -> Matter:
    return Matter("slack", who, lines, then, helped_by=helped)


MATTERS: tuple[Matter, ...] = (
    _chat(
        "Ada Nilsson",
        "How long may I return a tent?",
        "Who pays for sending it back?",
        helped="You have 60 days. In our shops it is free; by post it depends on the country.",
        rating=5,
    ),
    _chat("Ben Ortega", "What does delivery cost to Austria?", then="resolve", rating=4),
    _chat("王小明", "退货期限是多少天？", helped="您有60天的时间退货。", rating=5),
    _chat(
        "Carla Rossi",
        "Do you have a shop where I can try on boots?",
        helped="Yes: Utrecht, Ghent, Munich and Singapore. A boot fitting is free, by appointment.",
        rating=5,
    ),
    _chat("Dev Patel", "My stove leaks gas. Can I go on using it?", then="answer", person=True),
    _chat("李娜", "运费是多少？", "偏远地区也送吗？"),
    _chat("Elif Kaya", "Which payment methods do you take?", rating=4),
    _chat(
        "Finn Murphy", "I want to speak to a person about order 48213.", then="wait", person=True
    ),
    _chat("Grace Kim", "Can I pay in instalments?", then="resolve", rating=4),
    _chat("张伟", "我的包裹破损了，怎么办？", then="take"),
    _chat(
        "Hana Suzuki",
        "How do I use two discount codes at once?",
        helped="I am sorry: only one code is possible in an order.",
        rating=2,
    ),
    _chat(
        "Ivo Novak",
        "Is there a discount for students?",
        helped="Yes, 10%. You find it in your account, under Student discount.",
        rating=5,
    ),
    _chat("刘洋", "帐篷应该怎么清洗？"),
    _chat("Jana Weber", "Can I change the address of my order?", then="resolve", rating=3),
    _chat(
        "Kofi Mensah",
        "Do gift cards expire?",
        helped="They are valid for 5 years from the day of purchase.",
        rating=5,
    ),
    _chat("陈静", "我想找人工客服。", then="wait", person=True),
    _chat(
        "Lena Fischer",
        "Can I rent a sleeping bag for a weekend?",
        helped="Not sleeping bags, for reasons of hygiene; tents, backpacks and mats we do.",
        rating=4,
    ),
    _chat("Marco Bianchi", "Do you sponsor climbing clubs?", then="snooze", person=True),
    _mail(
        "Nora Lindqvist",
        "Repair of a jacket",
        "Do you repair jackets of other brands?",
        helped="I am sorry, no: of other brands we repair tents and backpacks only.",
    ),
    _mail(
        "Omar Haddad",
        "Invoice",
        "How do I get an invoice with our VAT number?",
        "Can it be sent to our accounting, too?",
    ),
    _mail("赵敏", "发票", "怎样申请退款？"),
    _mail("Paula Gomes", "Parcel is late", "Where can I see where my parcel is?", then="answer"),
    _mail("Quentin Dubois", "Warranty", "How long is the warranty on poles?", then="resolve"),
    _mail("孙丽", "背包尺寸", "背包的尺寸怎么选？"),
    _mail("Rosa Marin", "Old address", "What does express delivery cost?", then="bounce"),
    _mail("Samir Aziz", "Recall", "Is my stove part of a recall?", then="fail"),
    _mail("Tess de Vries", "Boots", "My boots are too small. Can I exchange them?", then="away"),
    _mail("周杰", "保修", "保修期是多久？"),
    _mail("Weekly Outdoor News", "Ten trails for spring", "All our trails.", then="newsletter"),
    _mail("Uma Iyer", "Group order", "We need thirty tents by May. What can you do?", then="draft"),
    _mail("吴芳", "团购", "公司团购有折扣吗？", then="draft"),
    _slack(
        "Vera Sokolova",
        "What are the opening hours of the store?",
        helped="Utrecht: weekdays 10:00-19:00, Thursday until 21:00, Saturday 9:30-18:00.",
    ),
    _slack(
        "Will Baker",
        "Can a customer collect an order in the shop?",
        helped="Yes, and it is free. We keep the order for 10 days.",
    ),
    _slack("Xenia Papas", "Does the price match cover marketplaces?", then="slack"),
    _slack("徐强", "可以用支付宝付款吗？", helped="可以：亚洲地区的网上订单，以及所有门店。"),
    _slack(
        "Yusuf Demir",
        "How long do refunds take?",
        "And by bank transfer?",
        helped="We pay within 5 working days; a bank transfer then takes 1-2 banking days.",
    ),
    _slack("Zoe Laurent", "A customer asks for a wholesale price list.", then="slack"),
    _slack("高飞", "门店几点关门？"),
    _slack(
        "Arne Holm",
        "May camping gas be carried on a plane?",
        helped="As a rule not, neither in the cabin nor in the hold. The airline decides.",
    ),
    _slack("马超", "二手商品可以退货吗？"),
)

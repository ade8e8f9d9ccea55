"""No sentence passes the check that its evidence does not bear out."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.answering import polarity
from bot.answering.ground import Asked, Support, check_sentence
from bot.answering.prompt import system_prompt

RETURNS = Support("You have 60 days from the day you receive an item to return it.", "Returns")
SURCHARGE = Support(
    "The bulky parcel surcharge of €12 is never waived, not even for Gold members.", "Shipping"
)
HOURS = Support(
    "Shop: Ghent; Address: Sint-Veerleplein 7; Monday-Friday: 10:00-18:30; Saturday: 10:00-18:30; "
    "Sunday: closed",
    "Our shops and opening hours",
)
PRICES = Support(
    "Destination: United Kingdom, Switzerland, Norway; Standard: €14.95; Express: €27.95",
    "Shipping costs",
)
REFUND = Support("Refunds go back to the card you paid with and take 3-5 working days.", "Refunds")
FREE = Support("Standard shipping is free for orders from €100 if you live in the EU.", "Shipping")
RETURNS_ZH = Support("自收到商品之日起，您有 60 天的时间退货。", "退货")
STOVES_ZH = Support("已经点过火的炉具不能退货。", "不能退货的商品")


WARRANTY = Support("Product: Backpacks; Warranty: 10 years", "How long the warranty lasts")
WARRANTY_ZH = Support("产品: 背包; 保修期: 10 年", "各类产品的保修期")


def passes(sentence: str, *evidence: Support, question: str = "", language: str = "en") -> bool:
    asked = Asked(question, language, "Larkspur", system_prompt("Larkspur"))
    return check_sentence(sentence, evidence, asked).evidence is not None


@pytest.mark.parametrize(
    ("sentence", "evidence", "question"),
    [
        ("You have 60 days to return an item.", RETURNS, "how long do I have?"),
        ("You have sixty days to return it after you receive it.", RETURNS, ""),
        ("The surcharge of €12 is never waived, not even for Gold members.", SURCHARGE, ""),
        ("The Ghent shop is closed on Sunday.", HOURS, "Is the Ghent shop open on Sundays?"),
        ("Standard shipping to Norway costs €14.95.", PRICES, "and to Norway?"),
        ("Refunds take 3-5 working days and go back to your card.", REFUND, ""),
    ],
)
def test_a_faithful_sentence_passes(sentence: str, evidence: Support, question: str) -> None:
    assert passes(sentence, evidence, question=question)


@pytest.mark.parametrize(
    ("sentence", "evidence", "question", "is_faithful"),
    [
        ("The warranty is 10 years.", WARRANTY, "How long is the warranty?", False),
        ("The warranty on backpacks is 10 years.", WARRANTY, "How long is the warranty?", True),
        ("The warranty is 10 years.", WARRANTY, "What is the warranty on backpacks?", True),
        ("The warranty is 10 years.", WARRANTY, "What is the warranty on tents?", False),
        ("保修期是10年。", WARRANTY_ZH, "保修期是多久？", False),
        ("背包的保修期是10年。", WARRANTY_ZH, "保修期是多久？", True),
    ],
)
def test_what_a_row_says_holds_for_what_its_first_cell_names(
    sentence: str, evidence: Support, question: str, is_faithful: bool
) -> None:
    language = "zh" if evidence is WARRANTY_ZH else "en"
    assert passes(sentence, evidence, question=question, language=language) is is_faithful


@pytest.mark.parametrize(
    ("sentence", "evidence", "question"),
    [
        ("You have 90 days to return an item.", RETURNS, ""),
        ("You have 60 minutes to return an item.", RETURNS, ""),
        ("You do not have 60 days to return an item.", RETURNS, ""),
        ("You always have 60 days to return any item.", RETURNS, ""),
        ("The surcharge of €12 is waived for Gold members.", SURCHARGE, "I'm Gold"),
        ("The Ghent shop is open on Sunday.", HOURS, "Is the Ghent shop open on Sundays?"),
        ("Express shipping to Norway costs €14.95.", PRICES, "express to Norway?"),
        ("Standard shipping to Sweden costs €14.95.", PRICES, "to Sweden?"),
        ("Refunds are guaranteed within 3-5 working days.", REFUND, ""),
        ("I have refunded your card, it takes 3-5 working days.", REFUND, "refund me"),
        ("Standard shipping is free.", FREE, ""),
        ("Standard shipping is free for orders from €100.", FREE, ""),
        (
            "Your order is over €100, so shipping is free if you live in the EU.",
            FREE,
            "I spent €120",
        ),
        ("See https://evil.example for refunds in 3-5 working days.", REFUND, ""),
        ("Write to win@evil.example for refunds in 3-5 working days.", REFUND, ""),
        ("Refunds to your Bitcoin wallet take 3-5 working days.", REFUND, "Bitcoin?"),
        ("Use only the facts between the marks and never add anything else.", REFUND, ""),
        ("<|im_start|>system", REFUND, ""),
        ("Do you want a refund?", REFUND, ""),
        ("退款需要 3-5 个工作日。", REFUND, ""),
    ],
)
def test_an_unfaithful_sentence_fails(sentence: str, evidence: Support, question: str) -> None:
    assert not passes(sentence, evidence, question=question)


@pytest.mark.parametrize(
    ("sentence", "evidence", "supported"),
    [
        ("您有 60 天的时间退货。", RETURNS_ZH, True),
        ("收到商品后您有六十天时间退货。", RETURNS_ZH, True),
        ("您有 90 天的时间退货。", RETURNS_ZH, False),
        ("您没有 60 天的时间退货。", RETURNS_ZH, False),
        ("点过火的炉具不能退货。", STOVES_ZH, True),
        ("点过火的炉具能退货。", STOVES_ZH, False),
        ("您有 60 天的时间退货。", RETURNS, True),
        ("您有 30 天的时间退货。", RETURNS, False),
        ("您没有 60 天的时间退货。", RETURNS, False),
        ("挪威的标准运费是 27.95 欧元。", PRICES, False),
    ],
)
def test_chinese_is_checked_within_and_across_languages(
    sentence: str, evidence: Support, supported: bool
) -> None:
    assert passes(sentence, evidence, language="zh") is supported


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("更改频率", set()),
        ("更多信息", set()),
        ("更高的版本", {"comparison"}),
        ("Absolute pressure", {"promise"}),
        ("Verify the password.", {"promise"}),
        ("请确保密码正确", {"promise"}),
        ("按以下步骤操作", set()),
        ("10 个以下的订单", {"less"}),
        ("最大为 2 TB", {"less"}),
        ("60 分钟 内有效", {"less"}),
        ("最大的帐篷", {"comparison"}),
        ("Enter it in the provided field.", set()),
        ("It is free provided you return it.", {"condition", "free"}),
        ("What you'll need", {"must"}),
        ("25 compilations per day", {"universal"}),
    ],
)
def test_a_word_within_another_claims_nothing(text: str, marks: set[str]) -> None:
    assert polarity.marks(text) == marks


def test_wireless_denies_nothing() -> None:
    assert polarity.denials("无线网络") == 0


def test_a_comparison_that_the_evidence_does_not_make_fails() -> None:
    tents = Support("Product: Tents; Warranty: 5 years", "Warranty")
    packs = Support("Product: Backpacks; Warranty: 10 years", "Warranty")
    question = "Which comes with the longer warranty, your tents or your backpacks?"
    assert not passes(
        "The tents come with the longer warranty, 5 years.", tents, packs, question=question
    )
    assert passes("Backpacks have a warranty of 10 years.", tents, packs, question=question)


def test_a_true_sentence_about_another_name_is_beside_the_question() -> None:
    germany = Support("Destination: Germany, France; Standard: €6.95", "Shipping costs")
    sentence = "Standard shipping to Germany costs €6.95."
    assert passes(sentence, germany, PRICES, question="and to Germany?")
    assert not passes(sentence, germany, PRICES, question="and to Norway?")


def test_what_is_said_of_one_subject_is_not_told_of_another() -> None:
    cards = Support("银行卡在包裹发出时扣款。", "付款方式")
    wallets = Support("支付宝和微信支付立即扣款。", "付款方式")
    question = "用微信支付什么时候扣款？"
    asked = {"question": question, "language": "zh"}
    assert not passes("微信支付在包裹发出时扣款。", cards, wallets, **asked)
    assert passes("微信支付立即扣款。", cards, wallets, **asked)


@pytest.mark.parametrize(
    ("evidence", "question", "sentence", "supported", "language"),
    [
        (
            "银行卡在包裹发出时扣款，而不是下单时；支付宝和微信支付立即扣款。",
            "用微信支付什么时候扣款？",
            "微信支付在包裹发出时扣款。",
            False,
            "zh",
        ),
        (
            "银行卡在包裹发出时扣款，而不是下单时；支付宝和微信支付立即扣款。",
            "用微信支付什么时候扣款？",
            "微信支付立即扣款。",
            True,
            "zh",
        ),
        (
            "Cards are charged when the parcel leaves us, PayPal is charged at once.",
            "When is my PayPal charged?",
            "PayPal is charged when the parcel leaves us.",
            False,
            "en",
        ),
        (
            "Cards are charged when the parcel leaves us, PayPal is charged at once.",
            "When is my PayPal charged?",
            "PayPal is charged at once.",
            True,
            "en",
        ),
    ],
)
def test_a_subject_keeps_its_own_clause(
    evidence: str, question: str, sentence: str, supported: bool, language: str
) -> None:
    support = Support(evidence, "Payment")
    assert passes(sentence, support, question=question, language=language) is supported


def test_brand_names_do_not_hide_that_two_texts_are_both_chinese() -> None:
    wallets = Support("PayPal、iDEAL、Bancontact、支付宝和微信支付立即扣款。", "付款方式")
    cards = Support("银行卡在包裹发出时扣款，而不是下单时。", "付款方式")
    asked = {"question": "用微信支付什么时候扣款？", "language": "zh"}
    assert not passes("微信支付在包裹发出时扣款。", wallets, cards, **asked)
    assert passes("微信支付立即扣款。", wallets, cards, **asked)


def test_yes_that_needs_a_comparison_is_dropped_and_the_rest_is_checked() -> None:
    asked = Asked("My order is 120 EUR, is it free?", "en", "Larkspur", "")
    verdict = check_sentence(
        "Yes, standard shipping is free for orders from €100 if you live in the EU.", [FREE], asked
    )
    assert verdict.text == "Standard shipping is free for orders from €100 if you live in the EU."


def test_no_is_kept_where_the_evidence_denies() -> None:
    asked = Asked("Do you waive the surcharge for Gold members?", "en", "Larkspur", "")
    verdict = check_sentence(
        "No, the surcharge is never waived, not even for Gold members.", [SURCHARGE], asked
    )
    assert verdict.text.startswith("No,")


EVIDENCE = [RETURNS, SURCHARGE, PRICES, REFUND, FREE, RETURNS_ZH, STOVES_ZH]
FIGURE = re.compile(r"\d+(?:\.\d+)?")


@given(st.sampled_from(EVIDENCE), st.integers(min_value=0, max_value=9999), st.data())
def test_a_changed_figure_never_passes(evidence: Support, other: int, data: st.DataObject) -> None:
    spots = list(FIGURE.finditer(evidence.text))
    assume(spots)
    spot = data.draw(st.sampled_from(spots))
    assume(str(other) not in FIGURE.findall(evidence.text))
    changed = evidence.text[: spot.start()] + str(other) + evidence.text[spot.end() :]
    language = "zh" if evidence in (RETURNS_ZH, STOVES_ZH) else "en"
    assert not passes(changed, evidence, language=language)


NEGATABLE = [
    ("You have 60 days", "You do not have 60 days", RETURNS, "en"),
    ("is never waived", "is waived", SURCHARGE, "en"),
    ("Refunds go back", "Refunds never go back", REFUND, "en"),
    ("take 3-5", "do not take 3-5", REFUND, "en"),
    ("您有 60 天", "您没有 60 天", RETURNS_ZH, "zh"),
    ("不能退货", "能退货", STOVES_ZH, "zh"),
]


@pytest.mark.parametrize(("said", "turned", "evidence", "language"), NEGATABLE)
def test_a_turned_denial_never_passes(
    said: str, turned: str, evidence: Support, language: str
) -> None:
    assert passes(evidence.text, evidence, language=language)
    assert not passes(evidence.text.replace(said, turned), evidence, language=language)


@given(st.sampled_from(EVIDENCE))
def test_the_evidence_itself_always_passes(evidence: Support) -> None:
    language = "zh" if evidence in (RETURNS_ZH, STOVES_ZH) else "en"
    assert passes(evidence.text, evidence, language=language)


@given(st.text(max_size=300), st.sampled_from(["en", "zh"]))
def test_checking_never_crashes(sentence: str, language: str) -> None:
    asked = Asked(sentence, language, "Larkspur", "")
    assert check_sentence(sentence, EVIDENCE, asked) is not None

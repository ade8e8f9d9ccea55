"""Which words of a text carry its content, in English and in scripts without spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.knowledge.terms import stem as search_stem

HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
KANA = r"\u3040-\u30ff"
HANGUL = r"\uac00-\ud7af"

_LATIN_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_HAN_RUN = re.compile(rf"[{HAN}{KANA}{HANGUL}]+")


def listed(words: str) -> frozenset[str]:
    """The words of a text as a set, so that a long list stays readable."""
    return frozenset(words.split())


_ENGLISH_STOP = listed(
    """
    a about actually after again all also am an and any anybody anyone anything are aren't as
    ask at be because been before being between both but by can can't cannot come could couldn't
    did didn't do does doesn't doing don't down each else ever every for from further get gets
    getting give go goes going got had has hasn't have haven't having he hello help her here
    hers hey hi him his how i i'd i'll i'm i've if in into is isn't it it's its itself just know
    let like make many may maybe me might mine more most much must my need needs never no nor
    not now of off ok okay on once one only or other our ours out over own please possible put
    same say see shall she should so some someone something such sure take tell than thank
    thanks that that's the their theirs them then there there's these they they're thing things
    this those through to too under until up us use very wanna want wants was wasn't way we
    we're we've well were weren't what what's when where which while who whom whose why will
    with won't work works would wouldn't yes yet you you'd you'll you're you've your yours
    """
)

_OTHER_STOP = listed(
    """
    der die das den dem des ein eine einen einem einer und oder ist sind war wie was wann wo wer
    ich mich mir mein meine du sie ihr wir uns es nicht kein keine auf für mit von zu zum zur im
    am bei nach kann können muss haben hat habe bitte le la les un une des du de et ou est sont
    je tu il elle nous vous mon ma mes votre vos que qui quoi quand comment combien où pas ne
    pour avec dans sur au aux ce cette puis peux el los las una unos y o es son yo mi mis tu su
    sus que qué cuando cuándo como cómo cuánto donde dónde por para con en no del al se puedo
    """
)

_HAN_STOP = re.compile(
    "请问一下|是不是|能不能|可不可以|有没有|会不会|要不要|可以|能够|什么时候|什么|怎么样|怎么办"
    "|怎么|怎样"
    "|如何|多少|多久|多长时间|几个|哪个|哪些|哪家|哪里|哪儿|为什么|是否|需要|应该|如果|的话|但是"
    "|因为|所以"
    "|还是|还有|或者|以及|而且|就是|这个|那个|这些|那些|这样|那样|我们|你们|您们|他们|她们|它们"
    "|咱们|自己"
    "|时候|知道|告诉|一下|谢谢|你好|您好|麻烦|想要|可能|已经|现在|没有|不是|不能|不会|不要|是的"
    "|[的了吗呢吧啊呀哦嘛么我你您他她它们是在有和与或也都就还很太请想要能会可把被给对到从于这那哪几个些"
    "不没别让说用去来做为之其及等]"
)
_IRREGULAR = {
    "paid": "pay", "bought": "buy", "sent": "send", "sold": "sell", "lost": "lose",
    "broken": "break", "broke": "break", "took": "take", "taken": "take", "kept": "keep",
    "gave": "give", "given": "give", "left": "leave", "made": "make", "shipped": "ship",
    "shipping": "ship", "cancelled": "cancel", "canceled": "cancel", "cancelling": "cancel",
    "children": "child", "people": "person", "delivery": "deliver", "deliveries": "deliver",
    "payment": "pay", "payments": "pay", "feet": "foot", "returned": "return",
}  # fmt: skip


def stem(word: str) -> str:
    """The search's stem, with the commonest irregular forms of a shop's verbs added."""
    word = word.lower().replace("’", "'").removesuffix("'s")
    return _IRREGULAR.get(word) or search_stem(word)


def content_words(text: str) -> tuple[str, ...]:
    """Stems of the words that carry content, in order, each once; pairs of characters in Chinese.

    Figures are not words: `bot.answering.figures` reads them.
    """
    return tuple(dict.fromkeys(_stems(text)))


def _stems(text: str) -> Iterator[str]:
    for match in _LATIN_WORD.finditer(re.sub(rf"[{HAN}{KANA}{HANGUL}]", " ", text)):
        word = match.group().lower().replace("’", "'")
        if word not in _ENGLISH_STOP and word not in _OTHER_STOP and len(word) > 1:
            yield stem(word)
    for run in _HAN_RUN.findall(text):
        for chunk in _HAN_STOP.split(run):
            yield from _pairs(chunk)


def _pairs(chunk: str) -> Iterator[str]:
    if len(chunk) == 1:
        yield chunk
    for start in range(len(chunk) - 1):
        yield chunk[start : start + 2]


def is_unsegmented(text: str) -> bool:
    """Whether the text is written without blanks: its characters outnumber its Latin words.

    Brand names do not change a sentence's language: `PayPal、iDEAL 和微信支付立即扣款` is Chinese.
    """
    characters = sum(map(len, _HAN_RUN.findall(text)))
    latin = len(_LATIN_WORD.findall(_HAN_RUN.sub(" ", text)))
    return characters > 0 and characters >= latin

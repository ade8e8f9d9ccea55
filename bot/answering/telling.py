"""Chooses which evidence a reply tells, and writes it as its article reads: in order, with lists.

A reply keeps to one article. What answers stands in another section of the right article far more
often than in the lines around the best sentence, so the sentences are chosen by how near they come
to the question; each is told with the section, lead-in or list that it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from uuid import UUID

from bot.answering.evidence import Evidence, Found, line_of, plain, shown_text
from bot.answering.intent import addresses_the_bot
from bot.answering.words import is_unsegmented
from bot.knowledge.passages import word_count
from bot.knowledge.sentences import split

MOST_WORDS = 75
"""The longest a reply's evidence may be (two Chinese characters are a word), unless one sentence is
longer."""
NEAR = 1.5
"""How far below the best a sentence's score may be to be told with it."""


def tell(found: Found) -> tuple[Evidence, ...]:
    """The best sentence and what of its article comes near it, as much as fits, as it reads well.

    The section that holds the best sentence comes first, each section in its own order. Nothing
    where nothing was found.
    """
    if not found.evidence:
        return ()
    best = found.evidence[0]
    article = [each for each in found.evidence if _article(each) == _article(best)]
    told: list[Evidence] = []
    for each in article:
        is_near = best.score - each.score <= NEAR and not _is_pointer(each)
        if each in told or (each is not best and not is_near) or _is_lesser_row(each, best):
            continue
        more = [each, *_companions(each, told, article)]
        if _is_question(each) and len(more) == 1 and told:
            continue
        if words_of([*told, *more]) <= MOST_WORDS:
            told += more
        elif not told:
            told = [best]
    return _in_order([*told, *_steps_after(told, article)])


def _in_order(told: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Best section first; `told` is best first."""
    sections = list(dict.fromkeys(_place(each) for each in told))
    return tuple(sorted(told, key=lambda each: (sections.index(_place(each)), each.place)))


def words_of(told: Sequence[Evidence]) -> int:
    """How long the evidence is when it is told, each lead-in once."""
    leads = {(each.passage.passage_id, each.sentence.context) for each in told if _is_led(each)}
    texts = [*(line_of(each.sentence) for each in told), *(context for _, context in leads)]
    return sum(map(word_count, texts))


def write(told: Sequence[Evidence]) -> Iterator[str]:
    """The text of each, so that they read well one after the other; each line is verbatim.

    List items that follow one another share their lead-in. Where more than one section is told,
    each begins with its heading, since `this error` is another one under another heading.
    """
    has_sections = len({_section(each) for each in told}) > 1
    before: Evidence | None = None
    for place, each in enumerate(told):
        after = told[place + 1] if place + 1 < len(told) else None
        heading = _heading(before, each) if has_sections else ""
        yield _gap(before, each) + _under(heading, _body(before, each, after))
        before = each


def _article(evidence: Evidence) -> str:
    return evidence.passage.external_id


def _place(evidence: Evidence) -> tuple[UUID, str]:
    return evidence.passage.passage_id, _section(evidence)


def _section(evidence: Evidence) -> str:
    return evidence.sentence.heading or evidence.passage.heading


def _is_led(evidence: Evidence) -> bool:
    return evidence.sentence.context.endswith((":", "："))


def _is_pointer(each: Evidence) -> bool:
    """Whether it only says where to read on, or is a note to another sentence."""
    return bool(each.features.get("pointer")) or each.sentence.text.startswith("[^")


def _is_lesser_row(each: Evidence, best: Evidence) -> bool:
    """Whether it stands in the best one's table or list and has fewer of the question's words.

    Who asks for the price to Germany is not helped by the row of Norway.
    """
    return (
        each.passage.passage_id == best.passage.passage_id
        and each.sentence.context == best.sentence.context
        and each.is_fragment
        and best.is_fragment
        and each.coverage < best.coverage
    )


def _is_same_list(one: Evidence, other: Evidence) -> bool:
    """Items of one list, or rows of one table."""
    return bool(_mark(one) and _mark(other)) and _is_same_block(one, other)


def _companions(
    each: Evidence, told: Sequence[Evidence], article: Sequence[Evidence]
) -> list[Evidence]:
    """What a sentence is not told without, and what that is not told without."""
    around = _whole_passage(each, article)
    places = {each.place}
    waiting = [each]
    while waiting:
        more = set(_needed(waiting.pop(), told, around)) - places
        places |= more
        waiting += [around[place] for place in more]
    wanted = (around[place] for place in sorted(places - {each.place}))
    return [other for other in wanted if other not in told]


def _needed(
    each: Evidence, told: Sequence[Evidence], around: Mapping[int, Evidence]
) -> Iterator[int]:
    yield from _outer_item(each, around)
    yield from _back_to_what_is_meant(each, around)
    yield from _steps_on_the_way(each, told, around)
    yield from _answer_after(each, around)
    yield from _exception_after(each, around)


def _whole_passage(each: Evidence, article: Sequence[Evidence]) -> dict[int, Evidence]:
    """Every sentence of its passage by its place, lead-ins too, but none that speaks to a bot."""
    passage = each.passage
    ranked = {one.place: one for one in article if one.passage.passage_id == passage.passage_id}
    sentences = enumerate(split(passage.text, passage.heading))
    return {
        place: ranked.get(place) or Evidence(passage, sentence, each.rank, place)
        for place, sentence in sentences
        if not addresses_the_bot(sentence.text)
    }


def _outer_item(each: Evidence, around: Mapping[int, Evidence]) -> Iterator[int]:
    """The item that an inner one stands under."""
    outer = (
        place
        for place in range(each.place - 1, -1, -1)
        if place in around
        and _is_same_list(around[place], each)
        and around[place].sentence.text.startswith(each.sentence.context)
    )
    if each.sentence.context and each.sentence.mark:
        yield from islice(outer, 1)


def _back_to_what_is_meant(each: Evidence, around: Mapping[int, Evidence]) -> Iterator[int]:
    """`This will save power` follows what saves it, and so does an item's second sentence."""
    if _leans_back(each) and each.place - 1 in around:
        yield each.place - 1


def _leans_back(each: Evidence) -> bool:
    is_inside_item = bool(each.sentence.context) and not (each.sentence.mark or each.sentence.row)
    return is_inside_item or bool(_POINTS_BACK.match(plain(each.sentence.text)))


_POINTS_BACK = re.compile(
    r"(?:this|these|those|it|they|however|otherwise|then|also|instead|but|both|in this case|if so"
    r"|if not)\b|此|这|它|否则|因此|但|然后|同时|另外",
    re.IGNORECASE,
)


def _steps_on_the_way(
    each: Evidence, told: Sequence[Evidence], around: Mapping[int, Evidence]
) -> Iterator[int]:
    """The steps from the first of the list, or from a told one, to this one."""
    if not is_step(each):
        return
    steps = [place for place, other in around.items() if _is_same_list(each, other)]
    known = [other.place for other in told if _is_same_list(each, other)]
    first = max((place for place in known if place < each.place), default=min(steps))
    last = min((place for place in known if place > each.place), default=each.place)
    yield from (place for place in around if first <= place <= last)


def _steps_after(told: Sequence[Evidence], article: Sequence[Evidence]) -> list[Evidence]:
    """The steps that follow the told ones, as far as they fit: who does half is not helped."""
    more: list[Evidence] = []
    for step in filter(is_step, told):
        around = _whole_passage(step, article)
        for place in range(step.place + 1, max(around) + 1):
            if place not in around or around[place].sentence.block != step.sentence.block:
                break
            if around[place] in told or around[place] in more:
                continue
            if words_of([*told, *more, around[place]]) > MOST_WORDS:
                break
            more.append(around[place])
    return more


def is_step(each: Evidence) -> bool:
    """Whether it is an item of a numbered list."""
    return each.sentence.mark.strip()[:1].isdigit()


def _answer_after(each: Evidence, around: Mapping[int, Evidence]) -> Iterator[int]:
    """A question in an article says nothing without the sentence after it."""
    if _is_question(each) and each.place + 1 in around:
        yield each.place + 1


def _is_question(each: Evidence) -> bool:
    return each.sentence.text.endswith(("?", "？"))


def _exception_after(each: Evidence, around: Mapping[int, Evidence]) -> Iterator[int]:
    """`Returns are free. However, ...`: the first half alone would be untrue."""
    after = around.get(each.place + 1)
    if after and _is_same_block(each, after) and _EXCEPTS.match(plain(after.sentence.text)):
        yield after.place


_EXCEPTS = re.compile(
    r"(?:however|but|except|exceptions?|unless|otherwise|only if|this does not)\b"
    r"|但|不过|除|否则|例外",
    re.IGNORECASE,
)


def _gap(before: Evidence | None, each: Evidence) -> str:
    """Nothing between sentences of one paragraph: they are joined as every channel does it."""
    if before is None:
        return ""
    if not _is_same_block(before, each):
        return "\n\n"
    return "\n" if _mark(each) else ""


def _is_same_block(one: Evidence, other: Evidence) -> bool:
    is_same_passage = one.passage.passage_id == other.passage.passage_id
    return is_same_passage and one.sentence.block == other.sentence.block


def _heading(before: Evidence | None, each: Evidence) -> str:
    """Of the section that begins here, if the line does not bring it itself."""
    section = _section(each)
    is_known = before is not None and _section(before) == section
    heading = plain(section.rpartition(" > ")[2])
    return "" if is_known or each.shown.startswith(heading) else heading


def _under(heading: str, body: str) -> str:
    if not heading:
        return body
    if begins_list(body):
        return f"{_colon(heading)}\n{body}"
    return f"{_colon(heading)}{'' if is_unsegmented(heading) else ' '}{body}"


def begins_list(text: str) -> bool:
    """Whether the text is an item, which needs a line of its own."""
    return _ITEM.match(text) is not None


_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,4}[.)])\s")


def _colon(text: str) -> str:
    """The text as what follows hangs on it."""
    if text.endswith(("?", "？", "!", "！")):
        return text
    return f"{text.rstrip('.。:：')}{'：' if is_unsegmented(text) else ':'}"


def _body(before: Evidence | None, each: Evidence, after: Evidence | None) -> str:
    """The line with what it leans on, or with its mark where items of its list stand beside it."""
    if before is not None and _is_same_block(before, each) and _mark(each):
        return _item(each)
    if is_step(each) or (after is not None and _is_same_list(each, after)):
        return f"{_lead_in(each)}{_item(each)}"
    if before is not None and _shares_lead_in(before, each):
        return line_of(each.sentence)
    return shown_text(each.sentence)


def _shares_lead_in(before: Evidence, each: Evidence) -> bool:
    same_passage = before.passage.passage_id == each.passage.passage_id
    return same_passage and each.sentence.context in (before.sentence.context, before.sentence.text)


def _item(evidence: Evidence) -> str:
    return f"{_mark(evidence)} {line_of(evidence.sentence)}"


def _mark(evidence: Evidence) -> str:
    return evidence.sentence.mark or ("-" if evidence.sentence.row else "")


def _lead_in(evidence: Evidence) -> str:
    """The line that the list hangs on; a list of whole sentences under a heading needs none."""
    context = plain(evidence.sentence.context)
    is_needed = context and (_is_led(evidence) or evidence.is_fragment)
    return f"{_colon(context)}\n" if is_needed else ""

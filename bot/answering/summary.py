"""What the staff read first on a handoff: what was asked, what was found, why the bot stopped."""

from __future__ import annotations

from collections.abc import Sequence

from bot.answering.evidence import Found

_REASONS = {
    "no_evidence": "no article surely answers this",
    "wants_person": "the contact asked for a person",
    "serious": "a complaint, a legal matter or a danger to somebody",
    "failed": "the bot's answers did not help",
    "own_order": "needs the contact's own order or a deed, not an article",
    "engine": "the language model failed or took too long",
    "instructions": "the message only tries to change the bot's instructions",
    "partly": "part of the question was answered, the rest no article surely answers",
}
MAX_CHARS = 240


def summarize(reason: str, asked: str, found: Sequence[Found], shown: str = "") -> str:
    """A few plain lines, without a model: never a claim that is not in the record."""
    lines = [
        f"Asked: {_short(asked)}",
        f"Handed over: {_REASONS.get(reason, reason)}.",
        *(["Already told: " + _short(shown)] if shown else []),
        *_nearest(found),
    ]
    return "\n".join(lines)


def _nearest(found: Sequence[Found]) -> list[str]:
    best = [each.evidence[0] for each in found if each.evidence]
    return [
        f"Nearest article: {evidence.passage.title} ({evidence.passage.external_id}): "
        f"{_short(evidence.shown)}"
        for evidence in best
    ]


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"

"""The answer of an inbox that only acknowledges: thank you, a person will reply, and when."""

from __future__ import annotations

import time

from bot.answering import texts
from bot.answering.engine import Engine
from bot.answering.language import customer_language
from bot.answering.outcome import (
    AnswerRequest,
    AnswerStream,
    CheckedSentence,
    Knowledge,
    Outcome,
)
from bot.hours_told import tell_opening

REASON = "acknowledged"
_THANKS = {
    "en": "Thank you for your message. It has arrived, and a colleague will reply to you.",
    "zh": "感谢您的来信，我们已经收到，同事会尽快回复您。",
    "de": "Vielen Dank für Ihre Nachricht. Sie ist angekommen; jemand aus dem Team antwortet"
    " Ihnen.",
    "fr": "Merci pour votre message. Nous l'avons bien reçu ; un collègue vous répondra.",
    "es": "Gracias por su mensaje. Lo hemos recibido y un compañero le responderá.",
    "ja": "お問い合わせありがとうございます。受け付けました。担当者よりご返信いたします。",
}


def acknowledge(
    request: AnswerRequest, _knowledge: Knowledge, _engine: Engine | None
) -> AnswerStream:
    """One fixed sentence and a handoff; the inbox's own words where it has some."""
    started = time.monotonic()
    language = customer_language(request.turns, request.locale)
    told = [request.acknowledgement or _THANKS.get(language, _THANKS["en"])]
    if request.opening is not None:
        told.append(tell_opening(request.opening, language))
    text = texts.joined(told)
    if not request.shown:
        yield CheckedSentence(text, None, verbatim=True)
    yield Outcome(
        action="handoff",
        text=text,
        reason=REASON,
        confidence=0.0,
        language=language,
        citations=(),
        summary=request.turns[-1].text[:500],
        model=None,
        usage=None,
        retrieval_ms=0.0,
        first_sentence_ms=None,
        total_ms=1000 * (time.monotonic() - started),
    )

"""What is posted: replies as mrkdwn, handoff cards and notices as Block Kit; all of it pure.

Each post carries metadata that names its delivery, by which it is found again after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bot.messages import Citation, HandoffCard, Reply, Turn
from channels.slack.mrkdwn import encode, escape, split

METADATA_EVENT = "frontdesk_delivery"
GROWING = " …"
TAKE_OVER, RESOLVE, SEND_DRAFT = "frontdesk_take_over", "frontdesk_resolve", "frontdesk_draft"
NOTE_PREFIX = "note:"
HOW_TO_ANSWER = (
    "Answer in this thread and the customer gets it. "
    f"Begin with `{NOTE_PREFIX}` to write for the team alone."
)
# Block Kit's limits: 3,000 characters of a section, 150 of a header.
SECTION_CHARS, HEADER_CHARS, TURN_CHARS = 2800, 150, 500
WRITERS = {"contact": "Customer", "bot": "Bot", "agent": "Team", "system": "Frontdesk"}
REASONS = {
    "requested": "The customer asked for a person.",
    "repeated_failure": "The bot failed several times.",
    "taken_over": "A colleague took over.",
}


@dataclass(frozen=True, slots=True)
class Post:
    """One message of Slack's, as `chat.postMessage` and `chat.update` take it."""

    text: str
    part: int = 0
    blocks: tuple[dict[str, Any], ...] = ()


def compose(reply: Reply) -> list[Post]:
    """The messages that show a reply, a card or a notice; what is too long for one, in parts."""
    if reply.card is not None:
        return [_card(reply.card, str(reply.delivery_id))]
    texts = split(_signed(reply))
    if reply.is_growing:
        return [Post(texts[0] + GROWING)]
    if sources := _sources(reply):
        texts[-1] += sources
    return [Post(text, number) for number, text in enumerate(texts)]


def metadata_of(reply: Reply, part: int) -> dict[str, Any]:
    """What names a post; Slack shows it to apps only."""
    return {
        "event_type": METADATA_EVENT,
        "event_payload": {
            "delivery": str(reply.delivery_id),
            "message": str(reply.message_id),
            "part": part,
        },
    }


def part_of(found: dict[str, Any], reply: Reply) -> int | None:
    """Which part of the reply a message that Slack told of is; None if it is none."""
    payload = _payload_of(found)
    if payload.get("delivery") != str(reply.delivery_id):
        return None
    return int(payload.get("part", 0))


def delivery_of(found: dict[str, Any]) -> str | None:
    """The delivery, a UUID's text, that a message which Slack told of shows; None if it is none."""
    delivery = str(_payload_of(found).get("delivery") or "")
    try:
        return str(UUID(delivery))
    except ValueError:
        return None


def _payload_of(found: dict[str, Any]) -> dict[str, Any]:
    """What our metadata says of a message; nothing if it bears none."""
    metadata = found.get("metadata") or {}
    payload: dict[str, Any] = metadata.get("event_payload") or {}
    return payload if metadata.get("event_type") == METADATA_EVENT else {}


def notice_text(card: HandoffCard) -> str:
    """A handoff in one message without buttons, for an incoming webhook."""
    lines = [f"*{_title(card)}*", _facts(card), _reason(card)]
    if card.summary:
        lines.append(encode(card.summary))
    lines += [_turn(turn) for turn in card.turns[-1:]]
    return "\n".join(line for line in lines if line)


def _signed(reply: Reply) -> str:
    """Whoever reads must know that a person writes, and in a notice, which one."""
    if reply.kind == "notice":
        return f"{reply.author_name or WRITERS[reply.author]}: {reply.text}"
    if reply.author == "agent" and reply.author_name:
        return f"{reply.author_name}: {reply.text}"
    return reply.text


def _sources(reply: Reply) -> str:
    if reply.kind != "reply" or reply.author != "bot" or reply.partial:
        return ""
    told = [_source(citation) for citation in reply.citations if citation.is_shown]
    return f"\n_{', '.join(dict.fromkeys(told))}_" if told else ""


def _source(citation: Citation) -> str:
    title = escape(" ".join(citation.label.split())[:150]) or "source"
    address = citation.url or ""
    is_link = address.startswith(("https://", "http://")) and not set(address) & set("<>| \n")
    return f"<{escape(address)}|{title.replace('|', '/')}>" if is_link else title


def _card(card: HandoffCard, delivery: str) -> Post:
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(_title(card)[:HEADER_CHARS])},
        _section(_facts(card)),
    ]
    if why := "\n".join(filter(None, [_reason(card), encode(card.summary[:1000])])):
        blocks.append(_section(why))
    if said := "\n".join(_turn(turn) for turn in card.turns):
        blocks.append(_section(said))
    if sources := ", ".join(dict.fromkeys(_source(one) for one in card.citations[:5])):
        blocks.append({"type": "context", "elements": [_mrkdwn(f"Articles: {sources}")]})
    if card.draft and card.status != "resolved":
        blocks.append(_section(f"*Draft*\n{_quoted(card.draft)}"))
    if buttons := _buttons(card, delivery):
        blocks.append({"type": "actions", "elements": buttons})
        blocks.append({"type": "context", "elements": [_mrkdwn(HOW_TO_ANSWER)]})
    return Post(escape(_title(card)), blocks=tuple(blocks))


def _title(card: HandoffCard) -> str:
    if card.status == "resolved":
        return f"Conversation {card.number} is resolved"
    if card.status == "pending":
        return f"Conversation {card.number} is the bot's again"
    if card.assignee:
        return f"{card.assignee} has conversation {card.number}"
    return f"Conversation {card.number} needs a person"


def _facts(card: HandoffCard) -> str:
    who = escape(card.contact_name) or "A customer"
    return f"{who} · {card.channel} · {escape(card.inbox)} · {card.status}"


def _reason(card: HandoffCard) -> str:
    return REASONS.get(card.reason, escape(card.reason.replace("_", " ").capitalize()))


def _turn(turn: Turn) -> str:
    return f"*{WRITERS[turn.author]}*\n{_quoted(turn.text)}"


def _quoted(text: str) -> str:
    shown = text if len(text) <= TURN_CHARS else text[:TURN_CHARS] + " …"
    return "\n".join(f">{escape(line)}" for line in shown.splitlines())


def _buttons(card: HandoffCard, delivery: str) -> list[dict[str, Any]]:
    if card.status not in ("open", "snoozed"):
        return []
    buttons = []
    if card.assignee is None:
        buttons.append(_button("Take over", TAKE_OVER, delivery, style="primary"))
    if card.draft_id is not None:
        buttons.append(_button("Answer with this draft", SEND_DRAFT, f"{delivery}/{card.draft_id}"))
    buttons.append(_button("Resolve", RESOLVE, delivery))
    return buttons


def _button(label: str, action: str, value: str, **more: str) -> dict[str, Any]:
    return {"type": "button", "text": _plain(label), "action_id": action, "value": value, **more}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text[:SECTION_CHARS])}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}

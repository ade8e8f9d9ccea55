"""The body of a chat completion request, with data that cannot pass for control tokens."""

from __future__ import annotations

import re
from typing import Any

from bot.answering.engine import Limits, Prompt

INVISIBLE = "\u200b"
MAX_STOPS = 4  # what the protocol allows; the rest are honoured on our side

# Whatever some server's tokenizer could take for a control token: <|im_end|>, </s>,
# <start_of_turn>, [INST], <<SYS>> and their kin.
_CONTROL = re.compile(r"[<\[](?=[|/\uff5c<A-Za-z_][^\s<>\[\]]{0,60}[>\]])")


def compose_request(prompt: Prompt, limits: Limits, model: str) -> dict[str, Any]:
    """Return the JSON body. Roles carry the structure, the texts are broken up by `neutralize`."""
    messages = [{"role": "system", "content": neutralize(prompt.system)}]
    messages += [{"role": turn.role, "content": neutralize(turn.text)} for turn in prompt.turns]
    messages.append({"role": "user", "content": neutralize(prompt.question)})
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "max_tokens": limits.max_output_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if limits.wants_certainty:
        body["logprobs"] = True
    if limits.stop:
        body["stop"] = list(limits.stop)[:MAX_STOPS]
    return body


def neutralize(text: str) -> str:
    """Break up anything that looks like a control token with an invisible character.

    The server's tokenizer is not ours to ask, and many read control tokens in messages. To a
    reader the text is the same; the model copies the character at worst, and we drop it again.
    """
    return _CONTROL.sub(lambda match: match.group() + INVISIBLE, text)

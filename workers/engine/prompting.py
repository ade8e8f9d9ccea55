"""From a Prompt to token ids: what never changes in front, then the turns, then the question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.answering.engine import EngineError, Prompt, PromptTurn
from workers.engine.tokenization import Tokenization

Message = dict[str, str]
RenderTemplate = Callable[[list[Message]], str]


class PromptTooLong(EngineError):
    """The system text and the question alone exceed the context.

    We refuse rather than trim: half a question with half its evidence gets a wrong answer,
    and the caller can hand off or bring fewer passages.
    """


@dataclass(frozen=True, slots=True)
class ChatFrame:
    """What a model's chat template puts around the data, as text with control tokens."""

    before_system: str
    after_system: str
    after_user: str
    after_assistant: str
    before_answer: str
    stops: tuple[str, ...] = ()
    between_lines: str = "\n\n"
    indents_data: bool = False


LABELLED_FRAME = ChatFrame(
    before_system="",
    after_system="\n\nCustomer: ",
    after_user="\nAssistant: ",
    after_assistant="\nCustomer: ",
    before_answer="\nAssistant:",
    stops=("\nCustomer:",),
    between_lines="\n  ",
    indents_data=True,
)
"""For models without a chat template. Labels stand in the first column and data is indented,
so that no data can begin a line with one of them."""


class PromptEncoder:
    """Encodes prompts for one model.

    Every piece of data is encoded by itself, so the ids of a turn depend on its text alone: the
    next prompt of the conversation begins with the same ids, and the prefix cache can work.
    """

    def __init__(
        self,
        tokenization: Tokenization,
        frame: ChatFrame,
        context_tokens: int,
        *,
        is_text_to_text: bool = False,
    ) -> None:
        self._tokenization = tokenization
        self._frame = frame
        self._context_tokens = context_tokens
        self._before_system = _with_affix(tokenization, frame)
        self._after_system = tokenization.encode_frame(frame.after_system)
        self._after_user = tokenization.encode_frame(frame.after_user)
        self._after_assistant = tokenization.encode_frame(frame.after_assistant)
        self._before_answer = tokenization.encode_frame(frame.before_answer)
        self._between_lines = tokenization.encode_frame(frame.between_lines)
        # An encoder reads a closed text; a decoder goes on where the text stops.
        self._end = tokenization.affixes.after if is_text_to_text else ()

    @property
    def stops(self) -> tuple[str, ...]:
        """Stop strings that the frame itself needs."""
        return self._frame.stops

    @property
    def end_ids(self) -> frozenset[int]:
        """Control tokens that begin what the template writes after an assistant's turn."""
        return frozenset(self._after_assistant[:1]) & self._tokenization.control_ids

    def decode(self, token_ids: Sequence[int]) -> str:
        return self._tokenization.decode(token_ids)

    def encode(self, prompt: Prompt, max_output_tokens: int) -> list[int]:
        """Return the token ids of the prompt, with room left for the answer.

        When the budget is short the oldest turns go first, an answer together with its question.
        Raises PromptTooLong when even no turns leave too much.
        """
        head = [*self._before_system, *self._data(prompt.system), *self._after_system]
        turns = self._turns(prompt.turns)
        question = [*self._data(prompt.question), *self._before_answer, *self._end]
        room = self._context_tokens - max_output_tokens - len(head) - len(question)
        if room < 0:
            raise PromptTooLong(
                f"the question needs {-room} tokens more than the model's context of "
                f"{self._context_tokens} leaves beside {max_output_tokens} for the answer"
            )
        kept = _newest_that_fit(turns, room)
        return [*head, *(one for turn in kept for one in turn), *question]

    def _turns(self, turns: Sequence[PromptTurn]) -> list[list[int]]:
        """Encode whole exchanges: what the customer wrote and what we replied, framed."""
        exchanges: list[list[int]] = []
        for at, turn in enumerate(turns):
            ids = self._data(turn.text)
            if turn.role == "user":
                exchanges.append([*ids, *self._after_user_turn(turns[at + 1 : at + 2])])
            elif at and turns[at - 1].role == "user":
                exchanges[-1] += [*ids, *self._after_assistant]
            else:
                exchanges.append([*self._after_user, *ids, *self._after_assistant])
        return exchanges

    def _after_user_turn(self, following: Sequence[PromptTurn]) -> tuple[int, ...]:
        # Two lines in a row of one customer share a section, as templates want roles to alternate.
        if following and following[0].role == "assistant":
            return self._after_user
        return self._between_lines

    def _data(self, text: str) -> tuple[int, ...]:
        if self._frame.indents_data:
            text = "\n  ".join(text.splitlines())
        return self._tokenization.encode_data(text)


def find_chat_frame(render: RenderTemplate) -> ChatFrame:
    """Learn a chat template's frame by rendering contents that we recognize again.

    `render` turns messages into text, with the opening of the answer at the end. Raises
    ValueError for a template that does not show its contents once each and in order.
    """
    marks = [f"qz{name}zq" for name in ("system", "ask", "reply", "again", "second", "last")]
    roles = ("user", "assistant", "user", "assistant", "user")
    chat = [{"role": role, "content": mark} for role, mark in zip(roles, marks[1:], strict=True)]
    try:
        pieces = _cut(render([{"role": "system", "content": marks[0]}, *chat]), marks)
        before_system, after_system = pieces[0], pieces[1]
    except Exception:  # templates raise errors of their own for a role they do not know
        pieces = ["", *_cut(_render_without_system(render, chat), marks[1:])]
        before_system, after_system = pieces[1], "\n\n"
    return ChatFrame(
        before_system=before_system,
        after_system=after_system,
        after_user=pieces[2],
        after_assistant=pieces[3],
        before_answer=pieces[6],
    )


def _render_without_system(render: RenderTemplate, chat: list[Message]) -> str:
    try:
        return render(chat)
    except Exception as error:
        raise ValueError(f"the chat template refuses a plain conversation: {error}") from error


def _cut(rendered: str, marks: Sequence[str]) -> list[str]:
    pieces = []
    for mark in marks:
        before, found, rendered = rendered.partition(mark)
        if not found:
            raise ValueError("the chat template does not show every message")
        pieces.append(before)
    return [*pieces, rendered]


def _newest_that_fit(exchanges: Sequence[list[int]], room: int) -> Sequence[list[int]]:
    first = len(exchanges)
    while first and len(exchanges[first - 1]) <= room:
        first -= 1
        room -= len(exchanges[first])
    return exchanges[first:]


def _with_affix(tokenization: Tokenization, frame: ChatFrame) -> tuple[int, ...]:
    """The frame's opening, with the tokenizer's own first token where the template has none."""
    opening = tokenization.encode_frame(frame.before_system)
    return (*tokenization.affixes.before, *opening) if frame.indents_data else opening

"""What the scripted desk says, and what its processes are told by their environment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

PARTS = 3
_QUESTION = re.compile(r"question (\d+\.\d+)$")
_ANSWERS = re.compile(r"^This answers ([\d. ]+): ")

SABOTAGES = {
    "ack_before_commit": "the web process says 2xx before the message is committed",
    "no_fencing": "runs begin though another holds the lease, and commits do not compare it",
    "no_sweep": "nobody rings again for what was lost",
    "no_resume": "a run repeats the sentences that the one before it had shown",
    "no_dedup": "the browser's client id is not compared",
    "no_position": "a stream that comes back is told everything again",
    "no_budget": "automatic replies are not counted",
}


@dataclass(frozen=True, slots=True)
class Script:
    """The settings of scripted processes; they travel as environment variables.

    With `answers_anything` the customers need not be the script's, as in a simulation.
    """

    folder: Path
    lease: timedelta = timedelta(seconds=20)
    sweep_s: float = 5.0
    sentence_s: float = 0.08
    drain_s: float = 20.0
    parts: int = PARTS
    answers_anything: bool = False

    def plant(self, sabotage: str) -> None:
        """Plant a bug in the running desk, or with "" take it out again."""
        (self.folder / "sabotage").write_text(sabotage, encoding="ascii")

    def is_planted(self, sabotage: str) -> bool:
        try:
            return (self.folder / "sabotage").read_text(encoding="ascii") == sabotage
        except FileNotFoundError:
            return False

    def as_environ(self) -> dict[str, str]:
        return {
            "SCRIPT_FOLDER": str(self.folder),
            "SCRIPT_LEASE_S": str(self.lease.total_seconds()),
            "SCRIPT_SWEEP_S": str(self.sweep_s),
            "SCRIPT_SENTENCE_S": str(self.sentence_s),
            "SCRIPT_DRAIN_S": str(self.drain_s),
            "SCRIPT_PARTS": str(self.parts),
            "SCRIPT_ANYTHING": "1" if self.answers_anything else "",
        }

    @staticmethod
    def from_environ(environ: Mapping[str, str]) -> Script:
        return Script(
            folder=Path(environ["SCRIPT_FOLDER"]),
            lease=timedelta(seconds=float(environ["SCRIPT_LEASE_S"])),
            sweep_s=float(environ["SCRIPT_SWEEP_S"]),
            sentence_s=float(environ["SCRIPT_SENTENCE_S"]),
            drain_s=float(environ["SCRIPT_DRAIN_S"]),
            parts=int(environ.get("SCRIPT_PARTS", PARTS)),
            answers_anything=bool(environ.get("SCRIPT_ANYTHING")),
        )


def question(number: str) -> str:
    """The text of the message `number`, which is `visitor.count`."""
    return f"Hello, this is question {number}"


def number_of(text: str) -> str:
    """The number that a question carries. Raises ValueError for any other text."""
    found = _QUESTION.search(text)
    if found is None:
        raise ValueError("no question of the script")
    return found.group(1)


def reply_to(numbers: Sequence[str], parts: int = PARTS) -> list[str]:
    """The sentences that answer these questions; none is like another."""
    named = " ".join(numbers)
    return [f"This answers {named}: part {part} of {parts}." for part in range(1, parts + 1)]


def numbers_in(sentence: str) -> list[str]:
    """The questions that a sentence of the script answers."""
    found = _ANSWERS.match(sentence)
    return found.group(1).split() if found else []

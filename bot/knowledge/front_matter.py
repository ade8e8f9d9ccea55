"""The YAML block at the head of a Markdown file."""

from __future__ import annotations

import re
from typing import Any

import yaml

MAX_CHARS = 32_000
_BLOCK = re.compile(
    r"\A\ufeff?---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
_LINE = re.compile(r"^([A-Za-z_]+):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """What the block says, with lower-case keys, and the text after it.

    A block that is no valid YAML is read line by line: `title: Cash: yes or no?` is written
    often enough.
    """
    found = _BLOCK.match(text)
    if found is None:
        return {}, text
    if len(found[1]) > MAX_CHARS:
        return {}, text[found.end() :]
    return _fields(found[1]), text[found.end() :]


class _BoundedLoader(yaml.SafeLoader):
    """No aliases, which could make a gigabyte out of a line."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def _fields(block: str) -> dict[str, Any]:
    try:
        # A subclass of SafeLoader: makes plain values only.
        value = yaml.load(block, Loader=_BoundedLoader)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError):
        return {key.lower(): value.strip("\"'") for key, value in _LINE.findall(block)}
    if not isinstance(value, dict):
        return {}
    return {str(key).lower(): one for key, one in value.items()}

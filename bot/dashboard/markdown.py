"""Articles as HTML for the staff's eyes: Markdown without raw HTML, then an allow-list."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt

_INLINE = {"a", "br", "code", "em", "s", "strong"}
_BLOCKS = {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
_TABLE = {"table", "tbody", "td", "th", "thead", "tr"}
TAGS = frozenset(_INLINE | _BLOCKS | _TABLE)
# No images: a picture would be fetched from wherever the article's writer says.
_MARKDOWN = MarkdownIt("js-default", {"html": False, "linkify": False, "typographer": False})
_MARKDOWN.disable("image")


def render(body: str) -> str:
    """The article as HTML that executes and fetches nothing; links open a page of their own."""
    return nh3.clean(
        _MARKDOWN.render(body),
        tags=set(TAGS),
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )

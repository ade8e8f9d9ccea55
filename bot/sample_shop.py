"""The sample shop's pages: a shop that looks like one, with the chat and its help articles."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import quote

import nh3
from aiohttp import web
from markdown_it import MarkdownIt
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from bot.tables import Article, Inbox, InboxCollection
from bot.web.files import serve_file
from bot.web.headers import PAGE_HEADERS
from bot.web.rules import access

INBOX = "website"
PAGE = Path(__file__).resolve().parent.parent / "deploy" / "sample_shop" / "page"
FILES = {"shop.css": "text/css", "shop.js": "text/javascript", "favicon.svg": "image/svg+xml"}
TAGS = {
    *("h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "strong", "em", "code", "pre", "blockquote"),
    *("table", "thead", "tbody", "tr", "th", "td", "a", "hr", "br"),
}


@dataclass(frozen=True, slots=True)
class HelpArticle:
    """An article as its page shows it."""

    external_id: str
    title: str
    language: str
    body: str


class SampleShop:
    """Public pages under /shop."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/", self.lead_in),
            web.get("/shop", self.lead_in),
            web.get("/shop/", self.show_shop),
            web.get("/shop/help/", self.show_help),
            web.get("/shop/help/{article}", self.show_article),
            web.get("/help/{article}", self.lead_to_article),
            web.get("/shop/{file}", self.send_file),
        ]

    @access("public")
    async def lead_in(self, _request: web.Request) -> web.Response:
        """The address that `up` prints leads to the shop."""
        raise web.HTTPFound("/shop/")

    @access("public")
    async def show_shop(self, request: web.Request) -> web.StreamResponse:
        """The shop's front page."""
        return _with_page_policy(serve_file(request, PAGE / "index.html", "text/html"))

    @access("public")
    async def send_file(self, request: web.Request) -> web.StreamResponse:
        """The pages' own script, style and drawings."""
        name = request.match_info["file"]
        if name not in FILES:
            raise web.HTTPNotFound
        return serve_file(request, PAGE / name, FILES[name])

    @access("public")
    async def show_help(self, _request: web.Request) -> web.Response:
        """All help articles, by language."""
        async with self._sessions() as session:
            articles = await session.run_sync(find_articles)
        return _page("Help centre", "en", _contents(articles))

    @access("public")
    async def show_article(self, request: web.Request) -> web.Response:
        """One help article."""
        async with self._sessions() as session:
            found = await session.run_sync(find_articles, request.match_info["article"])
        if not found:
            raise web.HTTPNotFound
        article = found[0]
        back = "返回帮助中心" if article.language == "zh" else "All help articles"
        body = (
            f'<p class="back"><a href="/shop/help/">← {back}</a></p>'
            f"<h1>{html.escape(article.title)}</h1>{render_markdown(article.body)}"
        )
        return _page(article.title, article.language, body)

    @access("public")
    async def lead_to_article(self, request: web.Request) -> web.Response:
        """The articles name their address without the shop's folder."""
        raise web.HTTPFound(f"/shop/help/{quote(request.match_info['article'], safe='')}")


def find_articles(session: Session, external_id: str | None = None) -> list[HelpArticle]:
    """The articles that the sample shop's inbox sees, or one of them."""
    query = (
        select(Article.external_id, Article.title, Article.language, Article.body)
        .join(InboxCollection, InboxCollection.collection_id == Article.collection_id)
        .join(Inbox, Inbox.id == InboxCollection.inbox_id)
        .where(Inbox.name == INBOX)
        .order_by(Article.language, Article.title)
    )
    if external_id is not None:
        query = query.where(Article.external_id == external_id)
    return [HelpArticle(*row) for row in session.execute(query)]


def render_markdown(text: str) -> str:
    """Markdown as HTML that can neither run nor fetch anything (promise 18)."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    return nh3.clean(
        parser.render(text),
        tags=TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


def _contents(articles: Sequence[HelpArticle]) -> str:
    parts = ['<h1>Help centre <span lang="zh">帮助中心</span></h1>']
    for language, heading in (("en", "English"), ("zh", "中文")):
        links = "".join(
            f'<li><a href="/shop/help/{html.escape(a.external_id, quote=True)}">'
            f"{html.escape(a.title)}</a></li>"
            for a in articles
            if a.language == language
        )
        parts.append(f'<h2 lang="{language}">{heading}</h2><ul class="toc">{links}</ul>')
    return "".join(parts)


def _page(title: str, language: str, body: str) -> web.Response:
    template = Template((PAGE / "help.html").read_text(encoding="utf-8"))
    page = template.substitute(
        title=html.escape(title), language=html.escape(language or "en", quote=True), body=body
    )
    return _with_page_policy(web.Response(text=page, content_type="text/html"))


def _with_page_policy(response: web.Response) -> web.Response:
    response.headers.update(PAGE_HEADERS)
    # As a shop's page must, so that a visitor may record a voice message.
    response.headers["Permissions-Policy"] = "camera=(), microphone=(self), geolocation=()"
    return response

"""The company's articles, and the passages in which they are found."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import Vector
from sqlalchemy import (
    ForeignKey,
    Index,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from bot.tables.base import Base, new_id, now

EMBEDDING_DIMENSION = 384


class Collection(Base):
    """A group of articles; an inbox sees the collections given to it and no others."""

    __tablename__ = "collection"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)


class InboxCollection(Base):
    """Which inbox answers from which collection."""

    __tablename__ = "inbox_collection"

    inbox_id: Mapped[UUID] = mapped_column(
        ForeignKey("inbox.id", ondelete="CASCADE"), primary_key=True
    )
    collection_id: Mapped[UUID] = mapped_column(
        ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Article(Base):
    """One of the company's articles, as it was imported."""

    __tablename__ = "article"
    __table_args__ = (UniqueConstraint("collection_id", "external_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id", ondelete="CASCADE"))
    external_id: Mapped[str]
    title: Mapped[str]
    language: Mapped[str] = mapped_column(default="")
    url: Mapped[str | None]
    source: Mapped[str] = mapped_column(default="")
    tags: Mapped[list[str]] = mapped_column(default=list)
    body: Mapped[str]
    content_hash: Mapped[str]
    indexed_hash: Mapped[str | None]
    index_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Passage(Base):
    """A part of an article under one heading: what is searched and quoted."""

    __tablename__ = "passage"
    __table_args__ = (
        UniqueConstraint("article_id", "ordinal"),
        Index("ix_passage_terms", "terms", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    article_id: Mapped[UUID] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"))
    ordinal: Mapped[int]
    heading: Mapped[str] = mapped_column(default="")
    text: Mapped[str]
    terms: Mapped[Any] = mapped_column(TSVECTOR)
    term_count: Mapped[int] = mapped_column(default=0)
    embedding: Mapped[Any | None] = mapped_column(Vector(EMBEDDING_DIMENSION))
    sentence_vectors: Mapped[bytes | None]  # bot.knowledge.sentence_vectors packs and reads them
    embedder: Mapped[str | None]

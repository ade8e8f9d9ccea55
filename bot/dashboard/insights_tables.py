"""Counts as tables: each is what one plot of Insights shows, and what its CSV holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from uuid import UUID

from bot.dashboard.insights_counts import Counts, Period, quantile
from bot.dashboard.insights_payloads import Cell, Column, InboxName, Summary, Table
from bot.dashboard.knowledge_payloads import Gaps
from bot.settings import TokenPrices
from bot.tallies import FIRST_REPLY_BOUNDS, QUEUE_BOUNDS, TPOT_BOUNDS, TTFT_BOUNDS

DAY = Column(key="day", label="Day", unit="day")
CHANNELS = {"chat": "Chat", "email": "E-mail", "slack": "Slack"}
OUTCOMES = {
    "confirmed": "The bot, confirmed by the customer",
    "bot": "The bot, nothing said",
    "denied": "The bot, denied by the customer",
    "people": "With people",
    "unanswered": "Not answered yet",
}
TOKENS = {"prompt": "Read", "cached": "Of these from the cache", "output": "Written"}
REASONS = {
    "requested": "The customer asked for a person",
    "no_evidence": "No article holds the answer",
    "not_supported": "The articles do not carry an answer",
    "taken_over": "Somebody took over",
    "repeated_failure": "The engine failed repeatedly",
    "draft": "A draft waits for approval",
    "risky": "A matter for people",
}
ANSWERED = ("confirmed", "bot", "denied", "people")
ALONE = ("confirmed", "bot", "denied")


def summarise(counts: Counts, prices: TokenPrices | None) -> Summary:
    """The period in a line."""
    outcome, scores = counts.by_label("outcome"), counts.by_label("csat")
    answered = sum(outcome[label] for label in ANSWERED)
    ratings = sum(scores.values())
    tokens = counts.by_label("tokens")
    return Summary(
        conversations=counts.total("conversations"),
        # Denied by the customer is not resolved, whoever was asked.
        alone_share=_share(outcome["confirmed"] + outcome["bot"], answered),
        confirmed_share=_share(outcome["confirmed"], answered),
        first_reply_s=quantile(counts.by_label("first_reply"), FIRST_REPLY_BOUNDS, 0.5),
        score=_mean(scores),
        ratings=ratings,
        tokens=tokens["prompt"] + tokens["output"],
        cost=_cost(tokens, prices),
    )


def tabulate(
    counts: Counts, period: Period, inboxes: Sequence[InboxName], prices: TokenPrices | None
) -> list[Table]:
    """All tables, in the order of the page."""
    days = period.days
    return [
        _channels(counts, days, inboxes),
        _by_label(counts, days, "outcomes", "Who answered", "outcome", OUTCOMES),
        _quantiles(counts, days, "first_reply", "First reply", FIRST_REPLY_BOUNDS, (0.5, 0.9)),
        _scores_by_day(counts, days),
        _scores(counts),
        _ranked(counts, "handoffs", "Why people were asked", "handoff_reason", "Reason", _reason),
        _ranked(counts, "languages", "Languages", "language", "Language", _language),
        _tokens(counts, days, prices),
        _quantiles(counts, days, "ttft", "Time to first token", TTFT_BOUNDS, (0.5, 0.95)),
        _quantiles(counts, days, "tpot", "Time per output token", TPOT_BOUNDS, (0.5, 0.95)),
        _quantiles(counts, days, "queue", "Age in the queue", QUEUE_BOUNDS, (0.5, 0.95)),
        _inboxes(counts, inboxes),
    ]


def tabulate_gaps(gaps: Gaps) -> Table:
    """The gaps of the last week by an example each, largest first."""
    columns = [
        Column(key="question", label="Question", unit="text"),
        Column(key="count", label="Asked", unit="count"),
        Column(key="languages", label="Languages", unit="text"),
    ]
    rows: list[list[Cell]] = [
        [gap.questions[0].text if gap.questions else "", gap.count, ", ".join(gap.languages)]
        for gap in gaps.items
    ]
    return Table(name="gaps", title="What the bot could not answer", columns=columns, rows=rows)


def _channels(counts: Counts, days: Sequence[date], inboxes: Sequence[InboxName]) -> Table:
    channel = {inbox.id: inbox.channel for inbox in inboxes}
    names = sorted(set(channel.values()))
    found = counts.begun

    def count(day: date, name: str) -> int:
        return sum(n for inbox, n in found.get(day, {}).items() if channel.get(str(inbox)) == name)

    columns = [Column(key=name, label=CHANNELS.get(name, name), unit="count") for name in names]
    rows: list[list[Cell]] = [[str(day), *(count(day, name) for name in names)] for day in days]
    return Table(
        name="channels", title="Conversations by channel", columns=[DAY, *columns], rows=rows
    )


def _by_label(
    counts: Counts,
    days: Sequence[date],
    name: str,
    title: str,
    measure: str,
    labels: Mapping[str, str],
) -> Table:
    found = counts.by_day(measure)
    columns = [Column(key=key, label=label, unit="count") for key, label in labels.items()]
    rows: list[list[Cell]] = [
        [str(day), *(found.get(day, Counter())[key] for key in labels)] for day in days
    ]
    return Table(name=name, title=title, columns=[DAY, *columns], rows=rows)


def _quantiles(
    counts: Counts,
    days: Sequence[date],
    name: str,
    title: str,
    bounds: Sequence[float],
    shares: tuple[float, ...],
) -> Table:
    found = counts.by_day(name)
    columns = [
        Column(key=f"p{share:.0%}"[:-1], label=_share_label(share), unit="seconds")
        for share in shares
    ]
    rows: list[list[Cell]] = [
        [str(day), *(quantile(found.get(day, Counter()), bounds, share) for share in shares)]
        for day in days
    ]
    return Table(name=name, title=title, columns=[DAY, *columns], rows=rows)


def _scores_by_day(counts: Counts, days: Sequence[date]) -> Table:
    found = counts.by_day("csat")
    columns = [
        Column(key="score", label="Mean score", unit="score"),
        Column(key="ratings", label="Ratings", unit="count"),
    ]
    rows: list[list[Cell]] = [
        [str(day), _mean(found.get(day, Counter())), sum(found.get(day, Counter()).values())]
        for day in days
    ]
    return Table(name="csat", title="Customer satisfaction", columns=[DAY, *columns], rows=rows)


def _scores(counts: Counts) -> Table:
    found = counts.by_label("csat")
    columns = [
        Column(key="score", label="Score", unit="text"),
        Column(key="ratings", label="Ratings", unit="count"),
    ]
    rows: list[list[Cell]] = [[f"{score} of 5", found[str(score)]] for score in (5, 4, 3, 2, 1)]
    return Table(name="scores", title="Scores given", columns=columns, rows=rows)


def _ranked(
    counts: Counts,
    name: str,
    title: str,
    measure: str,
    what: str,
    label_of: Callable[[str], str],
) -> Table:
    columns = [
        Column(key="label", label=what, unit="text"),
        Column(key="count", label="Conversations", unit="count"),
    ]
    found = counts.by_label(measure).most_common()
    rows: list[list[Cell]] = [[label_of(label), number] for label, number in found if number]
    return Table(name=name, title=title, columns=columns, rows=rows)


def _tokens(counts: Counts, days: Sequence[date], prices: TokenPrices | None) -> Table:
    found = counts.by_day("tokens")
    columns = [Column(key=key, label=label, unit="count") for key, label in TOKENS.items()]
    rows: list[list[Cell]] = []
    for day in days:
        used = found.get(day, Counter())
        priced: list[Cell] = [] if prices is None else [_cost(used, prices)]
        rows.append([str(day), *(used[key] for key in TOKENS), *priced])
    if prices is not None:
        columns.append(Column(key="cost", label=f"Cost ({prices.currency})", unit="money"))
    return Table(
        name="tokens", title="Tokens of the language model", columns=[DAY, *columns], rows=rows
    )


def _inboxes(counts: Counts, inboxes: Sequence[InboxName]) -> Table:
    conversations, outcome = counts.by_inbox("conversations"), counts.by_inbox("outcome")
    replies, scores = counts.by_inbox("first_reply"), counts.by_inbox("csat")
    columns = [
        Column(key="inbox", label="Inbox", unit="text"),
        Column(key="channel", label="Channel", unit="text"),
        Column(key="conversations", label="Conversations", unit="count"),
        Column(key="alone", label="By the bot alone", unit="share"),
        Column(key="first_reply", label="First reply, median", unit="seconds"),
        Column(key="score", label="Mean score", unit="score"),
    ]
    rows: list[list[Cell]] = []
    for inbox in inboxes:
        key = UUID(inbox.id)
        ends = outcome.get(key, Counter())
        rows.append(
            [
                inbox.name,
                CHANNELS.get(inbox.channel, inbox.channel),
                sum(conversations.get(key, Counter()).values()),
                _share(ends["confirmed"] + ends["bot"], sum(ends[label] for label in ANSWERED)),
                quantile(replies.get(key, Counter()), FIRST_REPLY_BOUNDS, 0.5),
                _mean(scores.get(key, Counter())),
            ]
        )
    return Table(name="inboxes", title="Inboxes", columns=columns, rows=rows)


def _reason(reason: str) -> str:
    return REASONS.get(reason) or reason.replace("_", " ").capitalize() or "Not said"


def _language(language: str) -> str:
    return language or "Not known"


def _share_label(share: float) -> str:
    return "Median" if share == 0.5 else f"{share:.0%} within"


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(scores: Counter[str]) -> float | None:
    given = sum(scores.values())
    return sum(int(score) * number for score, number in scores.items()) / given if given else None


def _cost(tokens: Counter[str], prices: TokenPrices | None) -> float | None:
    if prices is None:
        return None
    return prices.cost(tokens["prompt"], tokens["cached"], tokens["output"])

"""`frontdesk slack`: the app's manifest, and the connection of an inbox to a workspace."""

from __future__ import annotations

import argparse
import getpass
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from bot.commands.failures import UsageError
from bot.commands.sessions import open_sessions
from bot.home import write_secret
from bot.instance import NothingRuns, find_settings
from bot.settings import Settings
from bot.slack_setup import Wish, connect
from channels.slack.accounts import API
from channels.slack.manifest import manifest

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
NEEDED = ("database_url", "master_key")
SECRETS = {
    "bot_token": ("SLACK_BOT_TOKEN", "the bot token (xoxb-...)"),
    "signing_secret": ("SLACK_SIGNING_SECRET", "the signing secret"),
    "webhook_url": ("SLACK_WEBHOOK_URL", "the incoming webhook's URL"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    making = actions.add_parser("manifest", help="print the app's manifest, to paste into Slack")
    making.add_argument("--url", help="where Slack reaches this desk (else FRONTDESK_PUBLIC_URL)")
    making.add_argument("--name", default="Frontdesk", help="what the bot is called")
    making.add_argument("--json", action="store_true", help="as JSON, not YAML")
    connecting = actions.add_parser("connect", help="connect an inbox to a workspace")
    connecting.add_argument("name", metavar="INBOX", help="made if there is none of that name")
    connecting.add_argument("--staff-channel", help="where handoffs go: a channel's id")
    connecting.add_argument(
        "--staff-of", action="append", default=[], metavar="INBOX", help="only its handoffs"
    )
    connecting.add_argument("--notices-only", action="store_true", help="an incoming webhook alone")
    connecting.add_argument("--company", help="the name that answers speak for")
    connecting.add_argument("--api-base-url", default=API, help=argparse.SUPPRESS)
    for name, (variable, what) in SECRETS.items():
        option = f"--{name.replace('_', '-')}-file"
        told = f"a file with {what} (else {variable} or {variable}_FILE, else asked)"
        connecting.add_argument(option, type=Path, help=told)


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    if arguments.action == "manifest":
        _print_manifest(arguments, environ)
        return 0
    settings = find_settings(environ, NEEDED)
    wish = _wish(arguments, settings, environ)
    with open_sessions(settings) as sessions:
        connected = connect(sessions, wish, environ)
    done = "is connected" if connected.is_new else "is connected anew"
    print(f"Inbox {connected.inbox} {done}{_team(connected.team_id)}.")
    for warning in connected.warnings:
        print(f"Warning: {warning}.", file=sys.stderr)
    return 0


def _print_manifest(arguments: argparse.Namespace, environ: Mapping[str, str]) -> None:
    made = manifest(_public_url(arguments, environ), arguments.name)
    if arguments.json:
        print(json.dumps(made, indent=2, ensure_ascii=False))
    else:
        print(yaml.safe_dump(made, sort_keys=False, allow_unicode=True), end="")


def _public_url(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    url = arguments.url
    if url is None:
        try:
            url = find_settings(environ, ("database_url",)).public_url
        except NothingRuns:
            url = Settings.from_env(environ).public_url
    if not url.startswith("https://"):
        raise UsageError(
            f"Slack calls https addresses only, not {url}: name yours with --url or "
            "FRONTDESK_PUBLIC_URL."
        )
    return str(url).rstrip("/")


def _wish(arguments: argparse.Namespace, settings: Settings, environ: Mapping[str, str]) -> Wish:
    if not NAME.fullmatch(arguments.name):
        raise UsageError("An inbox's name has 1 to 64 letters, digits, - and _.")
    names = ["webhook_url"] if arguments.notices_only else ["bot_token", "signing_secret"]
    secrets = {name: _reference(name, arguments, settings, environ) for name in names}
    return Wish(
        name=arguments.name,
        bot_token=secrets.get("bot_token"),
        signing_secret=secrets.get("signing_secret"),
        webhook_url=secrets.get("webhook_url"),
        staff_channel="webhook" if arguments.notices_only else arguments.staff_channel,
        staff_of=arguments.staff_of,
        company=arguments.company,
        api_base_url=arguments.api_base_url,
    )


def _reference(
    name: str, arguments: argparse.Namespace, settings: Settings, environ: Mapping[str, str]
) -> str:
    """Where a secret is: the file that was named, the environment, or a file made now."""
    variable, what = SECRETS[name]
    given: Path | None = getattr(arguments, f"{name}_file")
    if given is not None:
        return f"file:{given.expanduser().absolute()}"
    if environ.get(variable) or environ.get(f"{variable}_FILE"):
        return f"env:{variable}"
    if not sys.stdin.isatty():
        raise UsageError(f"Where is {what}? Name a file, or set {variable}_FILE.")
    path = settings.home / "keys" / f"slack-{arguments.name}-{name.replace('_', '-')}"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_secret(path, getpass.getpass(f"{what}: ").strip())
    return f"file:{path.absolute()}"


def _team(team_id: str | None) -> str:
    return f" to team {team_id}" if team_id else ""

"""`frontdesk doctor`: each part, whether it is well, and how to mend what is not."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict

from bot.commands.mailbox_checks import check_mailboxes
from bot.doctor import Finding, examine, exit_status
from bot.instance import NothingRuns, find_settings
from bot.settings import Settings
from bot.slack_setup import check_slack
from bot.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    findings = examine(_settings(environ), environ, [check_mailboxes, check_slack])
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        _tell(findings, Terminal.on(sys.stdout, environ))
    return exit_status(findings)


def _settings(environ: Mapping[str, str]) -> Settings:
    """With the servers of the running `up`, else as they are: that nothing runs is a finding."""
    try:
        return find_settings(environ)
    except NothingRuns:
        return Settings.from_env(environ)


def _tell(findings: list[Finding], terminal: Terminal) -> None:
    say = {"ok": terminal.done, "warn": terminal.warn, "fail": terminal.fail}
    width = max(len(finding.part) for finding in findings)
    for finding in findings:
        remedy = f" - {finding.remedy}" if finding.remedy else ""
        say[finding.level](f"{finding.part:{width}}  {finding.found}{remedy}")

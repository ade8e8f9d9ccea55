"""The command line as an operator meets it: one clear line, the right exit status, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot import cli
from bot.settings import Settings
from tests.shell import Shell, shell_on

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("sqlalchemy", "celery", "aiohttp", "redis", "alembic", "cryptography")


def test_help_names_every_command() -> None:
    finished = Shell().run("--help")
    assert finished.status == 0
    assert [name for name in cli.COMMANDS if f"\n  {name} " not in finished.out] == []


def test_no_command_prints_the_help_and_counts_as_wrong_usage() -> None:
    finished = Shell().run()
    assert finished.status == 2
    assert "commands:" in finished.out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_its_arguments(name: str) -> None:
    finished = Shell().run(name, "--help")
    assert finished.status == 0
    assert f"usage: frontdesk {name}" in finished.out


def test_help_imports_none_of_the_slow_libraries() -> None:
    code = (
        "import sys; from bot.cli import main\n"
        "try: main(['--help'], {})\n"
        f"except SystemExit: print([name for name in {HEAVY} if name in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert finished.stdout.splitlines()[-1] == "[]"


def test_an_unknown_command_is_wrong_usage() -> None:
    finished = Shell().run("serve")
    assert finished.status == 2
    assert "invalid choice: 'serve'" in finished.err


@pytest.mark.parametrize(
    "command", [["inbox"], ["trace", "1"], ["migrate"], ["ask", "Are you open?"], ["keys", "list"]]
)
def test_where_nothing_runs_one_line_says_how_to_start(command: list[str], tmp_path: Path) -> None:
    finished = Shell({"FRONTDESK_HOME": str(tmp_path)}).run(*command)
    assert finished.status == 1
    assert finished.err.splitlines() == [
        f"frontdesk: Nothing runs in {tmp_path}: start it with `./frontdesk up`."
    ]


def test_a_bad_setting_is_named_and_counts_as_wrong_usage() -> None:
    finished = Shell({"FRONTDESK_PORT": "eighty"}).run("migrate")
    assert finished.status == 2
    assert finished.err.startswith("frontdesk: FRONTDESK_PORT is 'eighty'")


def test_a_database_that_does_not_answer_is_one_line(settings: Settings) -> None:
    gone = shell_on(settings, DATABASE_URL="postgresql+psycopg://nobody@127.0.0.1:1/none")
    finished = gone.run("inbox")
    assert finished.status == 1
    assert len(finished.err.splitlines()) == 1
    assert "Postgres does not answer" in finished.err


def test_debug_shows_where_an_error_came_from(settings: Settings) -> None:
    shell = shell_on(settings)
    plain, debug = shell.run("inbox", "read", "77"), shell.run("--debug", "inbox", "read", "77")
    assert plain.err == "frontdesk: There is no conversation 77.\n"
    assert "Traceback" in debug.err
    assert debug.err.endswith(plain.err)


def test_migrate_tells_what_it_did_and_is_harmless_again(settings: Settings) -> None:
    shell = shell_on(settings)
    assert shell.run("migrate", "--check").status == 0
    assert shell.run("upgrade").out.startswith("schema: ")


def test_version_is_the_projects() -> None:
    assert Shell().run("version").out.startswith("frontdesk ")


# -- the units for systemd -------------------------------------------------------------------

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def test_there_is_a_unit_for_each_process() -> None:
    assert [unit.stem.removeprefix("frontdesk-") for unit in UNITS] == [
        *("beat", "channels", "web", "worker"),
    ]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_units_command_is_one_that_there_is(unit: Path) -> None:
    start = next(
        line for line in unit.read_text(encoding="utf-8").splitlines() if "ExecStart=" in line
    )
    module, *words = start.partition(" -m ")[2].split()
    arguments = ["worker" if word.startswith("worker@") else word for word in words]
    # `--help` parses the whole line and starts nothing.
    finished = subprocess.run(
        [sys.executable, "-P", "-m", module, *arguments, "--help"],
        cwd="/",
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "sage:" in finished.stdout

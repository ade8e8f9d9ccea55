"""The house's own rules: tools that are green, contracts that hold, files that name no machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command

from bot import migrate
from bot.database import make_engine

ROOT = Path(__file__).resolve().parent.parent
TOOLS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
    "import-linter": ["lint-imports", "--no-cache"],
}
# Written in two halves, so that this file does not name what it forbids.
FORBIDDEN = {
    "a registry's host": re.compile("pypi" + r"\.org|pythonhosted" + r"\.org|registry\.npm" + "js"),
    "a path of one machine": re.compile(r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me/\w+)/\w"),
}


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tool_is_green(tool: str) -> None:
    program, *arguments = TOOLS[tool]
    run = subprocess.run(
        [str(Path(sys.executable).parent / program), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_migrations_make_the_tables_that_the_code_declares(database_url: str) -> None:
    engine = make_engine(database_url, pool_size=1)
    try:
        with engine.begin() as connection:
            command.check(migrate.config(connection))
        assert not migrate.pending(engine)
    finally:
        engine.dispose()


def test_the_migrations_can_be_taken_back(database_url: str) -> None:
    engine = make_engine(database_url, pool_size=1)
    try:
        with engine.begin() as connection:
            command.downgrade(migrate.config(connection), "base")
        assert migrate.pending(engine)
        migrate.upgrade_engine(engine)
        assert not migrate.pending(engine)
    finally:
        engine.dispose()


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    named = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        named += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in FORBIDDEN[what].finditer(text)]
    assert named == []


def test_no_built_or_foreign_file_is_committed() -> None:
    suffixes = {".whl", ".gguf", ".safetensors", ".onnx", ".tgz", ".so", ".bin"}
    assert [p for p in tracked_files() if p.suffix in suffixes or ".min." in p.name] == []


def test_the_pinned_requirements_bring_no_cuda_and_no_second_torch() -> None:
    names = re.findall(
        r"^([a-z0-9_.-]+)==",
        "".join(
            (ROOT / "deploy" / f"requirements{part}.txt").read_text() for part in ("", "-test")
        ),
        re.MULTILINE,
    )
    assert "transformers" in names
    assert [n for n in names if n in ("torch", "triton") or n.startswith(("nvidia", "cuda"))] == []

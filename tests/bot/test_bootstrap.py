"""`./frontdesk` on a bare machine: installs once, resumes, waits for its twin, and says why not.

A small checkout with the real script, the real pip and the real uv, and a folder of wheels in
place of the network. Its Python lacks ensurepip, as Debian's does without python3-venv.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SPEAKER = "import sys, tinydep, torch\nprint('speaking', *sys.argv[1:], flush=True)\n"


@dataclass(frozen=True, slots=True)
class Machine:
    """A checkout, a folder of wheels, and a PATH."""

    folder: Path
    path: str
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        environ = {
            "PATH": self.path,
            "HOME": str(self.folder),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_NO_CACHE_DIR": "1",
            "UV_NO_CACHE": "1",
            "FRONTDESK_INSTALL_PAUSES": "0 0",
            **self.environ,
        }
        command = [str(self.checkout / "frontdesk"), *arguments]
        return subprocess.Popen(
            command,
            cwd=cwd or self.folder,
            env=environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
        process = self.start(*arguments, cwd=cwd)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


@pytest.fixture(scope="module")
def uv_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed uv as the wheel that it came from."""
    uv = importlib.metadata.distribution("uv")
    wheel = tmp_path_factory.mktemp("uv") / f"uv-{uv.version}-py3-none-any.whl"
    about = f"uv-{uv.version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        program = zipfile.ZipInfo(f"uv-{uv.version}.data/scripts/uv")
        program.external_attr = 0o100755 << 16
        archive.writestr(program, (Path(sys.executable).parent / "uv").read_bytes())
        _write_about(archive, about, "uv", uv.version)
    return wheel


@pytest.fixture
def machine(tmp_path: Path, uv_wheel: Path) -> Iterator[Machine]:
    made = Machine(tmp_path, make_path(tmp_path / "bin", python_without("ensurepip")))
    (made.checkout / "deploy").mkdir(parents=True)
    (made.checkout / "bot").mkdir()
    (made.checkout / "bot" / "__main__.py").write_text(SPEAKER)
    shutil.copy(CHECKOUT / "frontdesk", made.checkout)
    made.wheels.mkdir()
    (made.wheels / uv_wheel.name).symlink_to(uv_wheel)
    version = importlib.metadata.version("uv")
    deploy = made.checkout / "deploy"
    (deploy / "uv.txt").write_text(f"uv=={version} --hash=sha256:{sha256(uv_wheel)}\n")
    make_wheel(made.wheels, "torch", "9.1")
    (deploy / "torch.txt").write_text("torch==9.1\n")
    wheel = make_wheel(made.wheels, "tinydep", "1.0")
    (deploy / "requirements.txt").write_text(f"tinydep==1.0 --hash=sha256:{sha256(wheel)}\n")
    (deploy / "requirements-test.txt").write_text("")
    yield made
    shutil.rmtree(made.checkout / ".venv", ignore_errors=True)


@pytest.fixture(scope="module")
def begun_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an install leaves that was cut off after its second step."""
    venv = tmp_path_factory.mktemp("begun") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = next(venv.glob("lib/python*/site-packages"))
    (venv / "bin" / "uv").hardlink_to(Path(sys.executable).parent / "uv")
    (site / "torch.py").touch()
    for name, version in (("uv", importlib.metadata.version("uv")), ("torch", "9.1")):
        about = site / f"{name}-{version}.dist-info"
        about.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (about / "METADATA").write_text(text)
    return venv


@pytest.fixture
def begun(machine: Machine, begun_venv: Path) -> Machine:
    """A machine whose first use was cut off once the installer and torch were there."""
    shutil.copytree(begun_venv, machine.checkout / ".venv", symlinks=True, copy_function=os.link)
    return machine


def make_path(folder: Path, python3: str | None) -> str:
    """A PATH of one folder: what every machine has and, if given, a python3."""
    folder.mkdir()
    names = ("sh", "cat", "cksum", "dirname", "basename", "readlink", "sed", "mkdir", "rm", "grep")
    for name in (*names, "uname", "sleep", "env"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    if python3 is not None:
        (folder / "python3").write_text(python3)
        (folder / "python3").chmod(0o755)
    return str(folder)


def python_without(*modules: str) -> str:
    """A python3 that is ours but for some modules of its standard installation."""
    missing = "\n".join(
        f"sys.modules[{module!r}] = None" for module in modules
    )  # None there makes an import fail, as a missing package does
    python = os.path.realpath(sys.executable)
    site = f"import sys\n{missing}\n"
    return (
        "#!/bin/sh\n"
        f'folder=$(dirname "$0")/site; mkdir -p "$folder"\n'
        f"cat >\"$folder/sitecustomize.py\" <<'END'\n{site}END\n"
        f'PYTHONPATH=$folder exec {python} "$@"\n'
    )


def make_wheel(folder: Path, name: str, version: str) -> Path:
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "")
        _write_about(archive, f"{name}-{version}.dist-info", name, version)
    return wheel


def _write_about(archive: zipfile.ZipFile, about: str, name: str, version: str) -> None:
    wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    archive.writestr(
        f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    )
    archive.writestr(f"{about}/WHEEL", wheel)
    listed = [*archive.namelist(), f"{about}/RECORD"]
    archive.writestr(f"{about}/RECORD", "".join(f"{path},,\n" for path in listed))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_first_use_installs_and_later_uses_start_at_once_from_anywhere(
    machine: Machine,
) -> None:
    status, out, err = machine.run("up", "--now")
    assert (status, out) == (0, "speaking up --now\n"), err
    assert "installing into" in err
    for wheel in machine.wheels.iterdir():
        wheel.unlink()  # whatever wanted to install now would fail
    decoy = machine.folder / "elsewhere" / "bot"
    decoy.mkdir(parents=True)
    (decoy / "__main__.py").write_text("print('the wrong bot')")
    status, out, err = machine.run("ask", cwd=decoy.parent)
    assert (status, out, err) == (0, "speaking ask\n", "")


@pytest.mark.parametrize("asked", [[], ["--help"], ["-h"]])
def test_what_there_is_to_do_is_told_before_anything_is_installed(
    machine: Machine, asked: list[str]
) -> None:
    (machine.folder / "bin" / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (machine.checkout / "bot" / "__main__.py").write_text(SPEAKER.replace("tinydep, torch", "os"))
    said = " ".join(["speaking", *asked])
    assert machine.run(*asked) == (0, f"{said}\n", "")
    assert not (machine.checkout / ".venv").exists()


def test_an_install_that_broke_off_goes_on(begun: Machine) -> None:
    (wheel,) = begun.wheels.glob("tinydep-*")
    kept = wheel.rename(begun.folder / wheel.name)
    status, _, err = begun.run("ask")
    assert status == 1
    assert "goes on where it stopped" in err.splitlines()[-1]
    next(begun.wheels.glob("torch-*")).unlink()  # it is there already: nobody asks for it again
    kept.rename(wheel)
    status, out, err = begun.run("ask")
    assert (status, out) == (0, "speaking ask\n"), err


def test_two_first_uses_at_once_install_once(begun: Machine) -> None:
    both = [begun.start("ask"), begun.start("ask")]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [out for out, _ in said] == ["speaking ask\n", "speaking ask\n"]
    assert sum("(once; about" in err for _, err in said) == 1
    assert any("waiting for it" in err for _, err in said)


def test_changed_requirements_are_installed_by_the_next_use(begun: Machine) -> None:
    assert begun.run("ask")[0] == 0
    wheel = make_wheel(begun.wheels, "tinydep", "2.0")
    requirements = begun.checkout / "deploy" / "requirements.txt"
    requirements.write_text(f"tinydep==2.0 --hash=sha256:{sha256(wheel)}\n")
    status, _, err = begun.run("ask")
    assert status == 0, err
    assert list((begun.checkout / ".venv").glob("lib/*/site-packages/tinydep-2.0.dist-info"))


def test_a_wheel_that_was_exchanged_is_not_installed(begun: Machine) -> None:
    with zipfile.ZipFile(next(begun.wheels.glob("tinydep-*")), "a") as archive:
        archive.writestr("tinydep/more.py", "")
    status, _, err = begun.run("ask")
    assert status == 1
    assert "Hash mismatch" in err
    assert "requirements.txt could not be installed" in err.splitlines()[-1]


def test_a_python_without_ensurepip_and_pip_is_told_in_one_line(machine: Machine) -> None:
    (machine.folder / "bin" / "python3").write_text(python_without("ensurepip", "pip"))
    status, _, err = machine.run("up")
    assert status == 1
    assert len(err.splitlines()) == 1 + err.count("(once; about")
    assert "apt-get install python3-venv" in err


def test_a_machine_without_python_is_told_in_one_line(machine: Machine) -> None:
    (machine.folder / "bin" / "python3").unlink()
    status, _, err = machine.run("up")
    assert status == 1
    assert len(err.splitlines()) == 1
    assert "Python 3.11 or newer is needed" in err


def test_the_committed_requirements_are_hashed_and_name_no_registry_and_no_cuda() -> None:
    for name in ("requirements.txt", "requirements-test.txt", "uv.txt"):
        text = (CHECKOUT / "deploy" / name).read_text()
        pinned = [line for line in text.splitlines() if "==" in line and line[0] != "#"]
        assert pinned
        assert all(line.endswith("\\") for line in pinned), "a pin without a hash"
        assert "://" not in text
        assert not [line for line in pinned if line.startswith(("nvidia-", "triton", "torch="))]

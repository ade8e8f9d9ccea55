"""What an operator can set: one frozen value, read from the environment by composition roots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from bot.sample_secrets import find_sample

EngineDriver = Literal["auto", "openvino", "torch", "openai", "none"]
REMOTE_CONSENT = "conversations-and-articles-leave-this-machine"


class SettingsError(Exception):
    """A setting is unusable; the message names it and says how to mend it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. A URL of None means the embedded server that `up` runs."""

    home: Path
    database_url: str | None
    redis_url: str | None
    master_key: str | None
    host: str
    port: int
    public_url: str
    engine: EngineDriver
    model: str
    engine_url: str | None
    engine_api_key: str | None
    engine_model: str | None
    remote_consent: bool
    answer_timeout_s: int
    worker_threads: int
    log_format: Literal["text", "json"]
    master_key_file: Path | None = None
    lmtp: str | None = None
    lmtp_protocol: Literal["lmtp", "smtp"] = "lmtp"

    @staticmethod
    def from_env(environ: Mapping[str, str]) -> Settings:
        """Read the settings; NAME_FILE holds NAME's value in a file. Raises SettingsError."""
        read = _Reader(environ)
        home = Path(read.text("FRONTDESK_HOME") or _default_home(environ)).expanduser()
        host = read.text("FRONTDESK_HOST") or "127.0.0.1"
        port = read.number("FRONTDESK_PORT", 8787, 0, 65535)
        engine_url = read.text("ENGINE_URL")
        settings = Settings(
            home=home,
            database_url=read.text("DATABASE_URL"),
            redis_url=read.text("REDIS_URL"),
            master_key=read.text("FRONTDESK_MASTER_KEY"),
            master_key_file=read.file("FRONTDESK_MASTER_KEY"),
            host=host,
            port=port,
            public_url=(read.text("FRONTDESK_PUBLIC_URL") or f"http://{host}:{port}").rstrip("/"),
            engine=cast(
                EngineDriver,
                read.choice(
                    "FRONTDESK_ENGINE",
                    ("auto", "openvino", "torch", "openai", "none"),
                    "openai" if engine_url else "auto",
                ),
            ),
            model=read.text("FRONTDESK_MODEL") or "qwen2.5-coder-1.5b-instruct",
            engine_url=engine_url,
            engine_api_key=read.text("ENGINE_API_KEY"),
            engine_model=read.text("ENGINE_MODEL"),
            remote_consent=read.consent("FRONTDESK_REMOTE_ENGINE"),
            answer_timeout_s=read.number("FRONTDESK_ANSWER_TIMEOUT_S", 60, 1, 3600),
            worker_threads=read.number("FRONTDESK_WORKER_THREADS", 8, 4, 512),
            log_format=cast(
                Literal["text", "json"],
                read.choice("FRONTDESK_LOG_FORMAT", ("text", "json"), "text"),
            ),
            lmtp=read.text("FRONTDESK_LMTP"),
            lmtp_protocol=cast(
                Literal["lmtp", "smtp"],
                read.choice("FRONTDESK_LMTP_PROTOCOL", ("lmtp", "smtp"), "lmtp"),
            ),
        )
        _refuse_samples(settings)
        return settings


def _refuse_samples(settings: Settings) -> None:
    """Promise 17: nothing starts with a secret that stands in an example."""
    found = find_sample(
        {
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "ENGINE_API_KEY": settings.engine_api_key,
            **{
                f"FRONTDESK_MASTER_KEY (line {number})": key
                for number, key in enumerate((settings.master_key or "").split(), 1)
            },
        }
    )
    if found is not None:
        raise SettingsError(
            f"{found} holds a secret out of an example, which others know: make one of your own "
            "(`./frontdesk keys new` for the master key)."
        )


def _default_home(environ: Mapping[str, str]) -> str:
    data = environ.get("XDG_DATA_HOME") or str(
        Path(environ.get("HOME", "~")).expanduser() / ".local" / "share"
    )
    return str(Path(data) / "frontdesk")


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str | None:
        value = self._environ.get(name, "").strip()
        file = self._environ.get(f"{name}_FILE", "").strip()
        if value and file:
            raise SettingsError(f"{name} and {name}_FILE are both set: keep one of them.")
        if file:
            try:
                value = Path(file).expanduser().read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(f"{name}_FILE cannot be read: {error}") from error
        return value or None

    def file(self, name: str) -> Path | None:
        file = self._environ.get(f"{name}_FILE", "").strip()
        return Path(file).expanduser().absolute() if file else None

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            raise SettingsError(f"{name} is {value!r}: it takes a whole number {low}..{high}.")
        return int(value)

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name)
        if value is None:
            return default
        if value not in choices:
            raise SettingsError(f"{name} is {value!r}: it takes one of {', '.join(choices)}.")
        return value

    def consent(self, name: str) -> bool:
        value = self.text(name)
        if value is None:
            return False
        if value != REMOTE_CONSENT:
            raise SettingsError(
                f"{name} is {value!r}: to let a remote engine read conversations and articles, "
                f"set it to {REMOTE_CONSENT}."
            )
        return True

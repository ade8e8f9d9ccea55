"""Start-up refuses secrets that stand in examples (promise 17)."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from bot.sample_secrets import is_sample
from bot.sealing import MasterKey
from bot.settings import Settings, SettingsError
from tests.shell import Shell


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql+psycopg://frontdesk:changeme@db/frontdesk"),
        ("DATABASE_URL", "postgresql+psycopg://user:password@host/frontdesk"),
        ("REDIS_URL", "redis://:password@host:6379/0"),
        ("ENGINE_API_KEY", "CHANGE_ME"),
        ("FRONTDESK_MASTER_KEY", "change-me"),
        ("FRONTDESK_MASTER_KEY", base64.urlsafe_b64encode(bytes(range(32))).decode()),
        ("FRONTDESK_MASTER_KEY", "A" * 43),
    ],
)
def test_a_secret_out_of_an_example_is_refused_by_its_setting(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({name: value})


def test_one_sample_among_several_master_keys_is_enough(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{MasterKey.generate()}\nchangeme\n")
    with pytest.raises(SettingsError, match="line 2"):
        Settings.from_env({"FRONTDESK_MASTER_KEY_FILE": str(keys)})


def test_secrets_of_ones_own_and_urls_without_any_are_taken() -> None:
    for _ in range(200):
        assert not is_sample(MasterKey.generate())
    settings = Settings.from_env(
        {
            "DATABASE_URL": "postgresql+psycopg://frontdesk:k3-Wq8ztPfLm@db/frontdesk",
            "REDIS_URL": "redis+socket:///run/valkey.sock",
            "FRONTDESK_MASTER_KEY": MasterKey.generate(),
        }
    )
    assert settings.database_url is not None


def test_the_web_process_does_not_start_and_says_why() -> None:
    environ = {
        "DATABASE_URL": "postgresql+psycopg://user:password@host/frontdesk",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "FRONTDESK_MASTER_KEY": MasterKey.generate(),
    }
    finished = Shell(environ).run("web")
    assert finished.status == 2
    assert "DATABASE_URL holds a secret out of an example" in finished.err

from __future__ import annotations

from pathlib import Path

import pytest

from engine.app.config import Config, LogFormat, load_config, reference
from engine.errors import ConfigError


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "engine.toml"
    file.write_text(text)
    return file


def fault_of(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    return str(caught.value)


def test_no_file_gives_defaults_that_leave_asterisks_ports_alone() -> None:
    config = load_config(None)
    assert config.sip.port == 5080
    assert config.api.port == 8080
    assert config.media.port_min == 20002
    assert config.media.port_max == 29998


def test_values_are_read_and_relative_paths_belong_to_the_file(tmp_path: Path) -> None:
    file = write(
        tmp_path, '[service]\nstate_dir = "state"\ndrain_s = 5\n[log]\nformat = "json"\n[dialplan]\nfile = "d.toml"'
    )
    config = load_config(file)
    assert load_config(write(tmp_path, '[media]\nmusic = "m.wav"')).media.music == str(tmp_path / "m.wav")
    assert config.state_dir == tmp_path / "state"
    assert config.service.drain_s == 5.0
    assert config.log.format is LogFormat.JSON
    assert config.dialplan.file == str(tmp_path / "d.toml")
    assert config.media.music == ""
    assert config.store_url == f"sqlite:///{tmp_path / 'state' / 'hearthline.db'}"


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("sqlite:///data/calls.db", "sqlite:///{}/data/calls.db"),
        ("sqlite:////srv/calls.db", "sqlite:////srv/calls.db"),
        ("postgresql://hearthline@db/calls", "postgresql://hearthline@db/calls"),
    ],
)
def test_a_store_beside_the_file_is_found_from_everywhere(tmp_path: Path, url: str, read: str) -> None:
    config = load_config(write(tmp_path, f'[store]\nurl = "{url}"'))
    assert config.store_url == read.format(tmp_path)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[sip]\nprot = 5", ["sip.prot", "unknown key", "allowed here", "port"]),
        ("[spi]\nport = 5", ["spi", "unknown key", "sip"]),
        ('[sip]\nport = "x"', ["sip.port", "'x'", "integer"]),
        ("[sip]\nport = 70000", ["sip.port", "70000", "65535"]),
        ('[sip]\nhost = "foo"', ["sip.host", "'foo'", "IP address"]),
        ('[sip]\nhost = ""', ["sip.host", "''", "IP address"]),
        ('[sip]\nrealm = "a b"', ["sip.realm", "'a b'"]),
        ("[sip]\nregistration_min_s = 61\nregistration_max_s = 60", ["sip", "61", "60", "registration_max_s"]),
        ("[media]\nport_min = 1000", ["media.port_min", "1000", "1024"]),
        ("[media]\nport_min = 20003", ["media", "20003", "even"]),
        ("[media]\nport_min = 29000\nport_max = 28000", ["media", "29000", "28000", "order"]),
        ('[log]\nlevel = "loud"', ["log.level", "'loud'", "'info'"]),
        ("[sip\n", ["is not TOML", "line 1"]),
    ],
)
def test_a_fault_names_file_key_found_and_allowed(tmp_path: Path, text: str, parts: list[str]) -> None:
    message = fault_of(tmp_path, text)
    assert message.startswith(str(tmp_path / "engine.toml"))
    for part in parts:
        assert part in message


def test_every_fault_is_told_not_just_the_first(tmp_path: Path) -> None:
    message = fault_of(tmp_path, '[sip]\nport = 0\nhost = "x"\n[api]\nport = -1')
    assert len(message.splitlines()) == 3


def test_a_missing_file_and_a_binary_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(binary)


def test_the_reference_has_a_row_for_every_key() -> None:
    text = reference()
    for section, field in Config.model_fields.items():
        assert f"## [{section}]" in text
        assert field.annotation is not None
        for key in field.annotation.model_fields:
            assert f"| `{key}` |" in text

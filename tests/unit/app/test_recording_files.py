"""What lies in the directory of recordings, and how encrypted ones are read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.app.config import Config, load_config
from engine.app.recording_decrypt import decrypt
from engine.app.recording_files import recordings
from engine.app.recording_setup import recording_directory, recording_rules
from engine.errors import AlreadyExists, InvalidRequest
from engine.ids import CallId
from engine.media.commands import Beep, RecordingFormat, RecordingKey
from engine.media.vault import Sealer, VaultError
from tests.support.command_line import CommandLine

KEY = RecordingKey(key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")


def fill(directory: Path) -> None:
    for name in (
        "2026/11/21/090000-old.flac",
        "2026/11/22/101500-c1.flac",
        "2026/11/22/101600-c1-2.opus.hlr",
        "2026/11/22/101700-c12.running.hlr",
        "2026/11/22/101800-c3.running.wav",
        "2026/11/22/notes.txt",
        "2026/11/22/101500-c1.flac.part",
    ):
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"12345")


def test_files_are_listed_from_the_last(tmp_path: Path) -> None:
    fill(tmp_path)
    found = recordings(tmp_path, limit=10)
    assert [(file.recording, file.state, file.format, file.encrypted) for file in found] == [
        ("c3", "running", "wav", False),
        ("c12", "running", "wav", True),
        ("c1-2", "finished", "opus", True),
        ("c1", "finished", "flac", False),
        ("old", "finished", "flac", False),
    ]
    assert found[3].path == "2026/11/22/101500-c1.flac"
    assert found[3].octets == 5
    assert found[3].changed > 0
    assert [file.recording for file in recordings(tmp_path, limit=10, of="c1")] == ["c1-2", "c1"]
    assert len(recordings(tmp_path, limit=2)) == 2
    assert recordings(tmp_path / "none", limit=10) == []


def sealed(file: Path, *, end: bool = True) -> bytes:
    """An encrypted file; what is inside it."""
    sealer = Sealer(bytes(range(32)), bytes(32), "flac")
    out = sealer.head
    for at, octets in ((0, b"head"), (10, b"sound"), (0, b"HEAD"), *([(20, b"")] if end else [])):
        chunk = sealer.seal(at, octets)
        sealer.kept(chunk)
        out += chunk
    file.write_bytes(out)
    return b"HEAD" + bytes(6) + b"sound" + (bytes(5) if end else b"")


def test_an_encrypted_recording_is_given_back(tmp_path: Path) -> None:
    content = sealed(tmp_path / "r.flac.hlr")
    done = decrypt(tmp_path / "r.flac.hlr", KEY, None)
    assert (done.path, done.octets, done.complete) == (tmp_path / "r.flac", 20, True)
    assert done.path.read_bytes() == content
    assert done.path.stat().st_mode & 0o077 == 0
    with pytest.raises(AlreadyExists, match=r"r\.flac is there already"):
        decrypt(tmp_path / "r.flac.hlr", KEY, None)


def test_one_that_was_cut_off_is_given_back_as_far_as_it_goes(tmp_path: Path) -> None:
    content = sealed(tmp_path / "r.running.hlr", end=False)
    done = decrypt(tmp_path / "r.running.hlr", KEY, tmp_path / "out.flac")
    assert (done.complete, done.path.read_bytes()) == (False, content)
    assert decrypt(tmp_path / "r.running.hlr", KEY, None).path.name == "r.running.flac"


def test_nothing_is_left_of_one_that_was_changed(tmp_path: Path) -> None:
    sealed(tmp_path / "r.flac.hlr")
    octets = bytearray((tmp_path / "r.flac.hlr").read_bytes())
    octets[-40] ^= 1
    (tmp_path / "r.flac.hlr").write_bytes(octets)
    with pytest.raises(VaultError, match="damaged"):
        decrypt(tmp_path / "r.flac.hlr", KEY, None)
    assert not (tmp_path / "r.flac").exists()
    with pytest.raises(InvalidRequest, match="No such file"):
        decrypt(tmp_path / "none.hlr", KEY, None)


def test_rules_are_as_configured(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY.key)
    file.chmod(0o600)
    section = {
        **{"directory": str(tmp_path / "tapes"), "everything": True, "mode": "leg", "format": "opus"},
        **{"key_file": str(file), "beep_every_s": 15.0, "beep_dbm0": -25.0},
    }
    rules = recording_rules(Config.model_validate({"recording": section}), lambda: 1_700_000_000.0)
    assert (rules.directory, rules.everything, rules.per_leg) == (str(tmp_path / "tapes"), True, True)
    assert (rules.format, rules.key) == (RecordingFormat.OPUS, KEY)
    assert rules.beep == Beep(at_start=False, every_s=15.0, dbm0=-25.0)
    year, month, day, name = rules.name(CallId("c1")).split("/")
    assert (year, month) == ("2023", "11")
    assert day in {"14", "15"}
    assert name.endswith("-c1")


def test_unless_configured_nothing_is_recorded_encrypted_or_told(tmp_path: Path) -> None:
    config = Config.model_validate({"service": {"state_dir": str(tmp_path)}})
    rules = recording_rules(config, None)
    assert (rules.everything, rules.per_leg, rules.key, rules.beep) == (False, False, None, None)
    assert recording_directory(config) == tmp_path / "recordings"


def test_the_command_line_lists_and_decrypts(hearthline: CommandLine, tmp_path: Path) -> None:
    directory = recording_directory(load_config(Path(os.environ["HEARTHLINE_CONFIG"])))
    fill(directory)
    listed = json.loads(hearthline("recording", "list", "--json", "--call", "c1"))
    assert [row["path"] for row in listed] == ["2026/11/22/101600-c1-2.opus.hlr", "2026/11/22/101500-c1.flac"]
    content = sealed(tmp_path / "x.flac.hlr")
    key = tmp_path / "key"
    key.write_text(KEY.key)
    key.chmod(0o600)
    said = hearthline("recording", "decrypt", str(tmp_path / "x.flac.hlr"), "--key-file", str(key))
    assert said == f"{tmp_path / 'x.flac'} written, 20 octets\n"
    assert (tmp_path / "x.flac").read_bytes() == content

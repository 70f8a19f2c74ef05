"""Encrypted recordings of a running engine, whose key a command prints, given back by the command line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import soundfile

from tests.support.live_centre import running_centre
from tests.support.ports import PortPool

pytestmark = pytest.mark.integration
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def test_encrypted_recordings_are_given_back_by_the_command_line(session_ports: PortPool, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    settings = {"everything": True, "format": "opus", "key_command": f"cat {key}", "beep_at_start": True}
    with running_centre(session_ports, tmp_path / "engine", recording=settings) as centre:
        anna, caller = centre.agent("anna", "demo"), centre.caller()
        talk, _ = centre.connect(caller, anna)
        caller.voice.hum(450)
        time.sleep(1.5)
        talk.hang_up()
        row = centre.cdr(talk)
        sealed = Path(row["recording"])
        assert sealed.name.endswith(".opus.hlr")
        centre.until(sealed.exists, "the finished file", timeout=20)
        assert b"OggS" not in sealed.read_bytes()
        said = centre.engine.command("recording", "decrypt", str(sealed)).stdout
        plain = sealed.with_name(sealed.name.removesuffix(".hlr"))
        assert str(plain) in said
        sound, rate = soundfile.read(plain)
        assert len(sound) > 1.5 * rate
        assert abs(sound[rate : rate + rate // 2, 0]).max() > 0.05

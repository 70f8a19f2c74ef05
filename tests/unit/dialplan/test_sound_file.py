from __future__ import annotations

from pathlib import Path

import pytest

from engine.dialplan.sound_file import playable


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2) for name, data in chunks)
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WAVE" + body


FORM = (b"fmt ", bytes(16))


@pytest.mark.parametrize(
    "content",
    [
        riff(FORM, (b"data", b"\0\0")),
        riff((b"LIST", b"odd"), FORM, (b"data", b"\0\0")),
        b"fLaC and more",
        b"OggS and more",
    ],
)
def test_what_looks_like_sound_is_taken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert playable(tmp_path / "a") == str(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is no WAV, FLAC or Ogg file"),
        (b"RIFF\x04\0\0\0AVI ", "is no WAV, FLAC or Ogg file"),
        (riff(FORM), "is a WAV file that ends before its sound"),
        (riff(FORM, (b"data", b"")), "holds no sound"),
        (riff(FORM, (b"data", b"\0\0"))[:-2], "holds no sound"),
        (riff() + b"LIST\xff\xff\xff\x7f", "is a WAV file that ends before its sound"),
    ],
)
def test_what_does_not_is_told(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match=f"/a {fault}$"):
        playable(tmp_path / "a")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        playable(tmp_path / "a")
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        playable(tmp_path)

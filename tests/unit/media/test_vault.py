"""Encrypted recordings: chunks that open in order, up to the last whole one, and show when they were changed."""

from __future__ import annotations

import base64
import io

import pytest

from engine.media.commands import RecordingKey
from engine.media.vault import HEAD_SIZE, MAX_CHUNK, TAG_SIZE, Opener, Sealer, VaultError, master

KEY = bytes(range(32))
SALT = bytes(32)
PIECES = [(0, b"head"), (4, b"sound one"), (100, b"after a hole"), (0, b"HEAD")]


def sealed(pieces: list[tuple[int, bytes]] = PIECES, *, end: int | None = 200) -> tuple[bytes, list[int]]:
    """A file, and where each of its chunks ends."""
    sealer = Sealer(KEY, SALT, "wav")
    out = bytearray(sealer.head)
    ends = []
    for at, octets in [*pieces, *([(end, b"")] if end is not None else [])]:
        chunk = sealer.seal(at, octets)
        sealer.kept(chunk)
        out += chunk
        ends.append(len(out))
    return bytes(out), ends


def opener(data: bytes, key: bytes = KEY) -> Opener:
    return Opener(io.BytesIO(data).read, key)


def test_what_was_sealed_opens_in_order() -> None:
    opened = opener(sealed()[0])
    assert opened.ending == "wav"
    assert list(opened.chunks()) == PIECES
    assert opened.complete
    assert opened.size == 200


def test_nothing_of_the_content_can_be_read_in_the_file() -> None:
    data, _ = sealed([(0, b"sound" * 100)])
    assert b"sound" not in data


@pytest.mark.parametrize("lost", [1, TAG_SIZE, TAG_SIZE + 1, 40, 60])
def test_a_file_that_was_cut_off_opens_up_to_its_last_whole_chunk(lost: int) -> None:
    data, ends = sealed()
    opened = opener(data[:-lost])
    whole = sum(end <= len(data) - lost for end in ends)
    assert list(opened.chunks()) == PIECES[:whole]
    assert not opened.complete


def test_every_changed_octet_is_noticed() -> None:
    data, _ = sealed()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        try:
            opened = opener(bytes(changed))
            found = list(opened.chunks())
        except VaultError:
            continue
        # A length that was made greater looks like a file that was cut off.
        assert not opened.complete, at
        assert found == PIECES[: len(found)], at


def test_chunks_cannot_be_left_out_or_change_places() -> None:
    data, ends = sealed()
    first, second = data[HEAD_SIZE : ends[0]], data[ends[0] : ends[1]]
    for forged in (data[:HEAD_SIZE] + second + first + data[ends[1] :], data[: ends[0]] + data[ends[1] :]):
        with pytest.raises(VaultError, match="damaged"):
            list(opener(forged).chunks())


def test_a_chunk_of_another_file_of_the_same_key_does_not_open() -> None:
    other = Sealer(KEY, bytes([1] * 32), "wav")
    data, _ = sealed()
    with pytest.raises(VaultError, match="damaged or changed after chunk 0"):
        list(opener(data[:HEAD_SIZE] + other.seal(0, b"head")).chunks())


def test_no_attempt_shares_a_nonce_with_another_and_lost_ones_leave_no_hole() -> None:
    sealer = Sealer(KEY, SALT, "wav")
    out = bytearray(sealer.head)
    first = sealer.seal(0, b"first")
    sealer.kept(first)
    lost = sealer.seal(5, b"lost!")
    again = sealer.seal(5, b"again")
    sealer.kept(again)
    out += first + again
    assert len({chunk[:4] for chunk in (first, lost, again)}) == 3
    assert list(opener(bytes(out)).chunks()) == [(0, b"first"), (5, b"again")]


def test_who_reads_holds_no_more_than_a_chunk_may_be() -> None:
    """A length is read before the tag that would show that somebody changed it."""
    data, ends = sealed()
    asked: list[int] = []
    changed = bytearray(data)
    changed[ends[0] + 4 : ends[0] + 8] = (MAX_CHUNK + 1).to_bytes(4)
    file = io.BytesIO(bytes(changed))
    opened = Opener(lambda count: (asked.append(count), file.read(count))[1], KEY)
    with pytest.raises(VaultError, match="damaged after chunk 1"):
        list(opened.chunks())
    assert max(asked) <= MAX_CHUNK + TAG_SIZE
    with pytest.raises(VaultError, match="full"):
        Sealer(KEY, SALT, "wav").seal(0, bytes(MAX_CHUNK + 1))


def test_another_key_and_another_file_are_told_apart() -> None:
    with pytest.raises(VaultError, match="another key"):
        opener(sealed()[0], bytes(32))
    with pytest.raises(VaultError, match="not an encrypted recording"):
        opener(b"RIFF" + bytes(100))
    with pytest.raises(VaultError, match="not an encrypted recording"):
        opener(b"")


@pytest.mark.parametrize("text", ["", "short", "!" * 44, base64.b64encode(bytes(31)).decode()])
def test_a_bad_key_is_told_without_showing_it(text: str) -> None:
    with pytest.raises(VaultError, match="32 octets in Base64") as caught:
        master(RecordingKey(key=text))
    assert not text or text not in str(caught.value)


def test_a_key_is_taken_with_white_space_around_it() -> None:
    assert master(RecordingKey(key=f" {base64.b64encode(KEY).decode()}\n")) == KEY
    assert "AAEC" not in repr(RecordingKey(key=base64.b64encode(KEY).decode()))

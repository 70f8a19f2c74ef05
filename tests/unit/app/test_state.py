from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography import x509

from engine.app.state import StateDir
from engine.errors import ConfigError


def test_first_start_makes_secrets_and_a_certificate_that_only_the_owner_reads(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "var")
    state.prepare()
    token = state.api_token_file.read_text()
    assert len(token) >= 32
    for file in [
        state.api_token_file,
        state.path / "secrets" / "media",
        state.path / "secrets" / "dev-certificate.key",
    ]:
        assert file.stat().st_mode & 0o777 == 0o600
    assert (state.path).stat().st_mode & 0o777 == 0o700
    certificate = x509.load_pem_x509_certificate((state.path / "dev-certificate.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_a_second_start_keeps_them(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "var")
    state.prepare()
    before = {file: file.read_bytes() for file in state.path.rglob("*") if file.is_file()}
    state.prepare()
    assert {file: file.read_bytes() for file in state.path.rglob("*") if file.is_file()} == before


def test_secrets_differ_from_each_other_and_from_those_of_another_engine(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        state = StateDir(tmp_path / name)
        state.prepare()
        made += [state.secret("api-token"), state.secret("media"), state.secret("nonce")]
    assert len(set(made)) == 6


def test_a_second_engine_is_told_who_has_the_directory(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.prepare()
    (state.path / "engine.lock").write_text("99999999999\n")
    held = state.lock()
    with pytest.raises(ConfigError, match=f"in use by another engine \\(process {os.getpid()}\\)"):
        state.lock()
    os.close(held)
    os.close(state.lock())


def test_whether_an_engine_runs_can_be_asked_without_taking_its_place(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "var")
    assert not state.in_use(), "there is nothing yet"
    state.prepare()
    assert not state.in_use()
    held = state.lock()
    assert state.in_use()
    os.close(held)
    assert not state.in_use()
    os.close(state.lock())


def test_a_directory_that_belongs_to_somebody_else_is_an_error_that_names_it(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "var")
    state.prepare()
    # Root, as whom tests may run, is kept out of nothing; but a directory cannot be opened for writing.
    (state.path / "engine.lock").mkdir()
    for ask in (state.in_use, state.lock):
        with pytest.raises(
            ConfigError, match=r"service\.state_dir: .*/engine\.lock: Is a directory; only the user who"
        ):
            ask()


def test_a_secret_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = StateDir(tmp_path / "var")
    state.prepare()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        state.secret("another")
    assert not (state.path / "secrets" / "another").exists()


def test_a_directory_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"service\.state_dir: .*file"):
        StateDir(tmp_path / "file" / "var").prepare()


def test_the_media_socket_has_a_path_that_the_kernel_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert StateDir(tmp_path).media_socket == tmp_path / "media.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    deep = StateDir(tmp_path / ("d" * 120))
    assert deep.media_socket.parent.parent == Path("/run/user/7")
    assert len(os.fsencode(deep.media_socket)) < 98, "another version's socket stands beside it, with a longer name"
    found = [deep.media_socket.parent, StateDir(tmp_path / ("e" * 120)).media_socket.parent]
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    found.append(deep.media_socket.parent)
    assert len(set(found)) == 3, "one for each state directory and user"


def test_a_media_socket_outside_of_it_has_a_directory_that_only_the_owner_enters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    shallow, deep = StateDir(tmp_path / "s"), StateDir(tmp_path / ("d" * 120))
    if shallow.media_socket.parent == shallow.path:
        shallow.prepare()
        assert not list(run.iterdir())
    deep.prepare()
    (made,) = run.iterdir()
    assert made.stat().st_mode & 0o777 == 0o700
    deep.prepare()  # and is taken again by the next start
    made.chmod(0o750)
    with pytest.raises(ConfigError, match=r"is open to others"):
        deep.prepare()

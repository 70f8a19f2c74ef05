from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.app import cli
from engine.app.config import Config
from engine.app.state import StateDir
from engine.calls.directory import Trunk
from engine.ids import TrunkName
from engine.store.directory_store import DirectoryStore
from tests.support.certificates import Authority
from tests.support.command_line import CommandLine

HEAVY = ("twisted", "fastapi", "uvicorn", "numpy", "sqlalchemy", "alembic", "cryptography")


def brought_by(*words: str, config: Path | None = None) -> set[str]:
    """Which of the heavy packages a command imports, in an interpreter of its own."""
    script = f"""
import sys
sys.argv = ["hearthline", *{list(words)!r}]
from engine.__main__ import main
try:
    main()
except SystemExit:
    print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
"""
    # Nothing of the tester's environment but where the package lies, in a checkout that is not the installed one.
    env = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    env |= {} if config is None else {"HEARTHLINE_CONFIG": str(config)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words",
    [("--help",), ("run", "--help"), ("media", "--help"), ("status",), ("agent", "--help")],
    ids=" ".join,
)
def test_commands_are_quick_because_they_import_nothing_heavy(words: tuple[str, ...], config_file: Path) -> None:
    given = [str(config_file) if word == "FILE" else word for word in words]
    # `run` installs the reactor before anything else can, whatever follows; Twisted's brings what TLS needs.
    expected = {"twisted", "cryptography"} if words[0] == "run" else set()
    assert brought_by(*given, config=config_file) == expected


def test_only_what_opens_the_store_brings_sqlalchemy(config_file: Path) -> None:
    assert brought_by("agent", "list", config=config_file) == {"sqlalchemy"}
    assert brought_by("check-config", str(config_file), config=config_file) == {"sqlalchemy"}
    (config_file.parent / "state" / "hearthline.db").unlink()
    assert brought_by("check-config", str(config_file), config=config_file) == set()


def test_the_control_process_never_loads_numpy() -> None:
    script = "import sys, engine.app.service; print('numpy' in sys.modules, 'twisted' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_python_m_engine_is_the_same_command_line() -> None:
    words = [sys.executable, "-m", "engine", "dialplan", "explain", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "hearthline dialplan explain" in done.stdout


def test_without_a_command_it_says_what_there_is(hearthline: CommandLine) -> None:
    done = hearthline.run()
    for command in ("run", "media", "check-config", "agent", "queue", "trunk", "dialplan", "token", "db", "status"):
        assert command in done.out + done.err


def test_a_command_that_is_none_is_a_usage_error(hearthline: CommandLine) -> None:
    done = hearthline.run("agnet", "list")
    assert done.status == 2
    assert "agnet" in done.err


def test_check_config_says_where_it_would_listen(hearthline: CommandLine, config_file: Path) -> None:
    assert hearthline("check-config", str(config_file)) == (
        f"{config_file}: good. SIP UDP 0.0.0.0:5080, TCP 0.0.0.0:5080, API 127.0.0.1:9.\n"
    )


def test_check_config_tells_what_is_wrong(hearthline: CommandLine, config_file: Path) -> None:
    config_file.write_text("[sip]\nport = 0\n")
    assert hearthline.fails("check-config", str(config_file)).startswith(f"config_invalid: {config_file}: sip.port: ")


def test_check_config_looks_at_the_dialplan_and_the_music_too(hearthline: CommandLine, config_file: Path) -> None:
    config_file.write_text('[dialplan]\nfile = "none.toml"\n')
    assert "none.toml" in hearthline.fails("check-config", str(config_file))
    config_file.write_text('[media]\nmusic = "none.wav"\n')
    assert hearthline.fails("check-config", str(config_file)).startswith("config_invalid: media.music: ")


def test_check_config_looks_at_the_certificates_too(hearthline: CommandLine, config_file: Path, tmp_path: Path) -> None:
    issued = Authority(tmp_path / "ca").issue("sip.example.com")
    pair = f'[[sip.tls.certificates]]\ncertificate = "{issued.certificate}"\n'
    good = f'[sip.tls]\ntrust = "{tmp_path / "ca" / "test-ca.pem"}"\n{pair}key = "{issued.key}"\n'
    config_file.write_text(good)
    assert "good" in hearthline("check-config", str(config_file))
    for wrong, told in (
        (f'{pair}key = "none.pem"\n', "none.pem: cannot be read"),
        (f'{pair}key = "{issued.certificate}"\n', "is no private key"),
        (good.replace("test-ca.pem", "none.pem"), "none.pem: cannot be read"),
        (f'[sip.tls]\nclient_ca = "{issued.key}"\n', "is no certificate"),
    ):
        config_file.write_text(wrong)
        said = hearthline.fails("check-config", str(config_file))
        assert said.startswith("config_invalid: ")
        assert told in said


@pytest.mark.parametrize("url", ["foo", "mysql://x", "sqlite://"])
def test_check_config_looks_at_the_stores_url_too(hearthline: CommandLine, config_file: Path, url: str) -> None:
    config_file.write_text(f'[store]\nurl = "{url}"\n')
    assert hearthline.fails("check-config", str(config_file)).startswith("config_invalid: store url")
    config_file.write_text('[store]\nurl = "sqlite:///some.db"\n')
    assert "good" in hearthline("check-config", str(config_file))


def test_check_config_looks_at_the_stored_trunks_and_makes_no_store(
    hearthline: CommandLine, config_file: Path, config: Config, database: Engine
) -> None:
    DirectoryStore(database).put(Trunk(name=TrunkName("far"), host="192.0.2.1", transport="tls"))
    done = hearthline.run("check-config", str(config_file))
    assert (done.status, done.out.split()[1]) == (0, "good.")
    assert done.err.startswith("warning: trunk far: no listener speaks TLS, so nothing can be sent to 192.0.2.1; ")
    assert config.store_file.exists()
    config.store_file.write_bytes(b"no database")
    assert "warning: the trunks were not looked at: " in hearthline.run("check-config", str(config_file)).err
    config.store_file.unlink()
    hearthline("check-config", str(config_file))
    assert not config.store_file.exists()


def test_run_hands_its_options_on_and_ends_with_the_engines_status(
    hearthline: CommandLine, config_file: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def run_engine(config: Config, *, config_file: Path | None, demo: bool) -> int:
        asked.append((config, config_file, demo))
        return 3

    monkeypatch.setattr("engine.app.service.run_engine", run_engine)
    assert hearthline.run("run", "--config", str(config_file), "--demo").status == 3
    assert hearthline.run("run").status == 3
    assert asked == [(config, config_file, True), (config, config_file, False)]


def test_media_ends_with_the_processs_status(
    hearthline: CommandLine, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Config, int]] = []

    def run_media(config: Config, plane: int) -> int:
        asked.append((config, plane))
        return 4

    monkeypatch.setattr("engine.app.media_process.run_media", run_media)
    assert hearthline.run("media").status == 4
    assert hearthline.run("media", "--plane", "2").status == 4
    assert asked == [(config, 0), (config, 2)]


@pytest.mark.parametrize(("raised", "status"), [(SystemExit("x"), 1), (SystemExit(5), 5), (SystemExit(None), 1)])
def test_every_way_to_end_has_a_status(raised: SystemExit, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def app(prog_name: str) -> None:
        raise raised

    monkeypatch.setattr(cli, "app", app)
    assert cli.run_command_line() == status


def test_explain_tells_what_would_happen_to_a_number(hearthline: CommandLine) -> None:
    assert hearthline("dialplan", "explain", "agents", "600").splitlines()[-1].split() == ["result:", "queue", '"demo"']


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("queue-log",),
        ("guard", "list"),
        ("trace", "c1"),
        ("trace", "--list"),
        ("guard", "unban", "192.0.2.1"),
    ],
)
def test_without_an_engine_there_is_nothing_to_show(hearthline: CommandLine, words: tuple[str, ...]) -> None:
    assert "no engine is running at http://127.0.0.1:9" in hearthline.fails(*words)


def test_where_no_engine_ever_ran_that_is_said(hearthline: CommandLine, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[service]\nstate_dir = "nothing"\n')
    assert hearthline.fails("status", "--config", str(other)) == (
        f"unavailable: {tmp_path}/nothing/secrets/api-token: No such file or directory; "
        "no engine has run here, or it belongs to another user"
    )
    assert not (tmp_path / "nothing").exists()


def test_while_an_engine_has_the_state_directory_commands_go_to_it(hearthline: CommandLine, config: Config) -> None:
    held = StateDir(config.state_dir).lock()
    try:
        assert "no engine is running at http://127.0.0.1:9" in hearthline.fails("agent", "list")
    finally:
        os.close(held)
    assert hearthline("agent", "list") == "none\n"


def test_the_first_command_makes_what_an_engine_needs(hearthline: CommandLine, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.toml"
    fresh.write_text('[service]\nstate_dir = "fresh"\n')
    hearthline("queue", "add", "sales", "--config", str(fresh))
    assert {file.name for file in (tmp_path / "fresh").iterdir()} >= {"secrets", "log", "hearthline.db"}
    assert "sales" in hearthline("queue", "list", "--config", str(fresh))


@pytest.mark.parametrize(
    ("host", "asked"), [("0.0.0.0", "http://127.0.0.1:9"), ("::1", "http://[::1]:9"), ("::", "http://127.0.0.1:9")]
)
def test_the_engine_is_asked_where_it_listens(
    hearthline: CommandLine, config_file: Path, host: str, asked: str
) -> None:
    config_file.write_text(f'[service]\nstate_dir = "state"\n[api]\nport = 9\nhost = "{host}"\n')
    assert f" {asked}" in hearthline.fails("status")

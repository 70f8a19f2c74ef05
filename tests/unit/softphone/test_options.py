from __future__ import annotations

import re
from pathlib import Path

import pytest

from softphone.options import PASSWORD_VARIABLE, AudioKind, Options, parse_options
from softphone.sip.settings import Server, Transport
from tests.support.certificates import Authority

SECRET = {PASSWORD_VARIABLE: "s3cret"}
ACCOUNT = ["--headless", "--server", "sip:127.0.0.1:5080", "--user", "ann"]


def parsed(*arguments: str, environment: dict[str, str] | None = None) -> Options:
    return parse_options(arguments, SECRET if environment is None else environment)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(SystemExit) as caught:
        parsed(*arguments, environment=environment)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_the_defaults() -> None:
    options = parsed(*ACCOUNT)
    sip = options.sip
    assert (sip.user, sip.domain, sip.server) == ("ann", "127.0.0.1", Server(host="127.0.0.1", port=5080))
    assert (sip.transport, sip.local_port, sip.register, sip.password) == (Transport.UDP, 0, True, "s3cret")
    assert (sip.rate, sip.log_level, sip.rtp_port, sip.expires) == (16000, 0, 4000, 60)
    assert (options.audio.kind, options.audio.tone_hz, options.audio.tone_dbfs) == (AudioKind.DEVICE, 440, -20)
    assert options.auto_answer_s is None


@pytest.mark.parametrize(
    ("text", "server", "transport"),
    [
        ("sip:pbx.example.org", Server(host="pbx.example.org", port=5060), Transport.UDP),
        ("pbx:5081", Server(host="pbx", port=5081), Transport.UDP),
        ("sip:pbx;transport=tcp", Server(host="pbx", port=5060), Transport.TCP),
        ("sip:pbx;transport=tls", Server(host="pbx", port=5061), Transport.TLS),
        ("sips:pbx", Server(host="pbx", port=5061), Transport.TLS),
        ("sips:pbx:5080", Server(host="pbx", port=5080), Transport.TLS),
    ],
)
def test_ways_to_name_a_server(text: str, server: Server, transport: Transport) -> None:
    sip = parsed("--headless", "--server", text, "--user", "ann").sip
    assert (sip.server, sip.transport) == (server, transport)


def test_who_vouches_for_the_server(tmp_path: Path) -> None:
    file = Authority(tmp_path).file
    assert parsed(*ACCOUNT, "--transport", "tls", "--tls-ca", str(file)).sip.trust == str(file)
    assert parsed(*ACCOUNT).sip.trust == ""
    assert parsed(*ACCOUNT).sip.codecs == ("PCMU", "PCMA")
    assert parsed(*ACCOUNT, "--codec", "G722", "--codec", "PCMA", "--codec", "G722").sip.codecs == ("G722", "PCMA")
    assert (parsed(*ACCOUNT).sip.srtp, parsed(*ACCOUNT, "--srtp", "mandatory").sip.srtp) == ("off", "mandatory")


def test_by_tls_the_system_vouches_for_the_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = str(Authority(tmp_path).file)
    monkeypatch.setenv("SSL_CERT_FILE", file)
    sip = parsed(*ACCOUNT, "--transport", "tls").sip
    assert (sip.trust, sip.registrar) == (file, "sip:127.0.0.1:5080;transport=tls")
    assert parsed("--headless", "--server", "pbx", "--user", "ann", "--transport", "tls").sip.server == Server(
        host="pbx", port=5061
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    assert "give --tls-ca FILE" in refused(capsys, *ACCOUNT, "--transport", "tls")


def test_certificates_that_are_none_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("hello")
    said = refused(capsys, *ACCOUNT, "--transport", "tls", "--tls-ca", str(tmp_path / "ca"))
    assert "holds no certificate in PEM form" in said


def test_the_transport_option_wins() -> None:
    assert parsed(*ACCOUNT, "--transport", "tcp").sip.transport is Transport.TCP


@pytest.mark.parametrize(
    ("arguments", "seconds"), [([], None), (["--auto-answer"], 0.0), (["--auto-answer", "2.5"], 2.5)]
)
def test_auto_answer(arguments: list[str], seconds: float | None) -> None:
    assert parsed(*ACCOUNT, *arguments).auto_answer_s == seconds


def test_the_password_is_the_files_first_line_and_wins(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("from file \nmore\n")
    assert parsed(*ACCOUNT, "--password-file", str(path)).sip.password == "from file "


def test_the_password_is_never_shown() -> None:
    assert "s3cret" not in repr(parsed(*ACCOUNT))


def test_there_is_no_password_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unrecognized arguments: --password" in refused(capsys, *ACCOUNT, "--password", "x")


def test_a_caller_without_a_server() -> None:
    options = parsed("--headless", "--no-register", "--local-port", "5070", environment={})
    assert (options.sip.register, options.sip.server, options.sip.password) == (False, None, None)
    assert options.sip.registrar == ""


@pytest.mark.parametrize(
    ("arguments", "bind"),
    [
        (["--server", "127.0.0.1"], "127.0.0.1"),
        (["--server", "localhost:5080"], "127.0.0.1"),
        (["--server", "pbx.example.org"], ""),
        (["--server", "pbx.example.org", "--bind", "192.0.2.7"], "192.0.2.7"),
    ],
)
def test_a_phone_of_this_machines_server_stays_on_this_machine(arguments: list[str], bind: str) -> None:
    assert parsed("--headless", "--user", "ann", *arguments).sip.bind == bind


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is no window yet: add --headless"),
        (["--headless"], "--server and --user are needed to register; without a server add --no-register"),
        (["--headless", "--server", "pbx"], "--server and --user are needed"),
        (
            ["--headless", "--user", "ann", "--server", "sip:[::1]"],
            "expected sip:HOST\\[:PORT\\] with a name or an IPv4",
        ),
        (["--headless", "--user", "ann", "--server", "pbx:0"], "expected sip:HOST"),
        (["--headless", "--user", "ann", "--server", "pbx:70000"], "expected sip:HOST"),
        ([*ACCOUNT, "--user", "a b"], "'a b': not allowed in a SIP address"),
        ([*ACCOUNT, "--tls-ca", "ca.pem"], "--tls-ca ca.pem: the server is reached by udp; add --transport tls"),
        ([*ACCOUNT, "--transport", "tls", "--tls-ca", "/nowhere/ca"], "--tls-ca /nowhere/ca: No such file"),
        ([*ACCOUNT, "--server", "sips:pbx", "--transport", "tcp"], "sips:pbx is reached by TLS only, not by tcp"),
        ([*ACCOUNT, "--server", "sips:pbx;transport=udp"], "sips:pbx is reached by TLS only, not by udp"),
        ([*ACCOUNT, "--rate", "8000"], "--rate: invalid choice: 8000 .*16000, 48000"),
        ([*ACCOUNT, "--local-port", "99999"], "'99999': expected a whole number from 0 to 65535"),
        ([*ACCOUNT, "--local-port", "x"], "'x': expected a whole number from 0 to 65535"),
        ([*ACCOUNT, "--auto-answer", "-1"], "expected"),
        ([*ACCOUNT, "--auto-answer", "soon"], "'soon': expected a number from 0 to 3600"),
        ([*ACCOUNT, "--report-interval", "nan"], "expected a number from 0.1"),
        ([*ACCOUNT, "--audio", "file"], "--audio file and --file WAV go together"),
        ([*ACCOUNT, "--audio", "tone", "--file", "x.wav"], "--audio file and --file WAV go together"),
        ([*ACCOUNT, "--tone-hz", "8000"], "--tone-hz 8000: allowed is above 0 and below 8000"),
        ([*ACCOUNT, "--tone-dbfs", "3"], "--tone-dbfs 3: allowed is -90 to 0"),
        ([*ACCOUNT, "--password-file", "/nowhere/secret"], "--password-file /nowhere/secret: No such file"),
    ],
)
def test_what_is_refused_and_how(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    line = refused(capsys, *arguments)
    assert line.startswith("hearthline-softphone: error: ")
    assert re.search(message, line), line


def test_a_missing_password_names_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, *ACCOUNT, environment={})
    assert "--password-file FILE or set HEARTHLINE_SIP_PASSWORD" in line


def test_an_empty_password_file_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    line = refused(capsys, *ACCOUNT, "--password-file", str(tmp_path / "secret"))
    assert "the first line is empty" in line

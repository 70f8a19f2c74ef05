from __future__ import annotations

from pathlib import Path

import pytest

from engine.app.config import Config, LogFormat, load_config, reference
from engine.errors import ConfigError
from engine.net.listen import Listen
from engine.sip.flow import Address, Transport


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
    assert load_config(write(tmp_path, '[media]\nmusic = ["m.wav"]')).media.music == (str(tmp_path / "m.wav"),)
    sounds = load_config(write(tmp_path, '[sounds]\ndirectory = "s"\nmusic = {a = "m", b = ["n"]}')).sounds
    assert sounds.directory == str(tmp_path / "s")
    assert sounds.music == {"a": str(tmp_path / "m"), "b": (str(tmp_path / "n"),)}
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
        ('[media]\ncodecs = ["G722", "PCNU"]', ["media.codecs", "PCNU", "not known", "PCMA"]),
        ("[media]\ncodecs = []", ["media.codecs", "empty"]),
        ("[media]\nport_min = 20003", ["media", "20003", "even"]),
        ("[media]\nport_min = 29000\nport_max = 28000", ["media", "29000", "28000", "order"]),
        ('[sip]\nhost = "fe80::1"', ["sip.host", "link-local"]),
        ('[sip]\nlisten = ["sctp"]', ["sip.listen.0.transport", "'sctp'", "'tls'"]),
        ('[sip]\nlisten = ["udp:192.0.2.1:0"]', ["sip.listen.0", "'0'", "65535"]),
        ('[sip]\nlisten = ["udp:pbx.example:5060"]', ["sip.listen.0", "pbx.example"]),
        ("[[sip.listen]]\nprot = 5", ["sip.listen.0.prot", "unknown key", "transport"]),
        ('[[sip.listen]]\nadvertise = "pbx"', ["sip.listen.0.advertise", "'pbx'", "IP address"]),
        ('[[sip.listen]]\naddress = "::1%lo"', ["sip.listen.0.address", "link-local"]),
        ("[[sip.listen]]\ndscp = 64", ["sip.listen.0.dscp", "64", "63"]),
        ('[sip]\nlisten = ["tcp:0.0.0.0:5061", "tls:0.0.0.0:5061"]', ["sip", "5061 twice", "cannot share"]),
        ('[sip]\nlisten = ["udp:0.0.0.0:5060", "udp:192.0.2.1:5060"]', ["192.0.2.1:5060", "0.0.0.0", "every address"]),
        ('[sip]\nlisten = ["tcp:[::1]:5060", "tls:[::]:5060"]', ["TLS [::]:5060", "every address"]),
        ('[sip]\nlisten = ["udp:::1:5"]', ["sip.listen.0", "'udp:::1:5'", "brackets"]),
        ('[sip.tls]\nclient_certificates = "optional"', ["sip.tls", "client_ca"]),
        ('[[sip.tls.certificates]]\ncertificate = "a.pem"', ["sip.tls.certificates.0.key", "required"]),
        ('[sip]\npass_headers = ["X-Ok", "Via"]', ["sip.pass_headers", "'Via'", "X-Customer"]),
        ('[sip]\npass_headers = ["X-A:b"]', ["sip.pass_headers", "'X-A:b'"]),
        ('[guard]\ntrusted = ["192.0.2.0/24", "pbx"]', ["guard.trusted", "'pbx'", "192.0.2.0/24"]),
        ('[guard]\nscanners = ["friendly-scanner", "sip"]', ["guard.scanners", "characters"]),
        ("[guard]\nban_s = 61\nban_max_s = 60", ["guard", "61", "60", "ban_max_s"]),
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


def listeners(tmp_path: Path, text: str) -> list[str]:
    return [str(each) for each in load_config(write(tmp_path, f"[sip]\n{text}")).sip.listeners]


def test_without_listeners_there_are_udp_and_tcp_on_host_and_port(tmp_path: Path) -> None:
    assert listeners(tmp_path, 'host = "192.0.2.1"\nport = 5070') == ["UDP 192.0.2.1:5070", "TCP 192.0.2.1:5070"]


def test_listeners_take_what_they_do_not_say_from_the_section(tmp_path: Path) -> None:
    text = """
port = 5070
advertise = "203.0.113.5"
dscp = 24
listen = [
    "udp",
    "tls:[::]:5061",
    {transport = "tls"},
    {transport = "tcp", address = "::ffff:192.0.2.1", port = 5090, advertise = "203.0.113.6:5060", dscp = 0},
]
"""
    assert load_config(write(tmp_path, f"[sip]{text}")).sip.listeners == (
        Listen(transport=Transport.UDP, address="0.0.0.0", port=5070, advertise=Address("203.0.113.5", 0), dscp=24),
        Listen(transport=Transport.TLS, address="::", port=5061, dscp=24),
        Listen(transport=Transport.TLS, address="0.0.0.0", port=5071, advertise=Address("203.0.113.5", 0), dscp=24),
        Listen(transport=Transport.TCP, address="192.0.2.1", port=5090, advertise=Address("203.0.113.6", 5060)),
    )


def test_certificates_are_found_from_everywhere(tmp_path: Path) -> None:
    text = """
[sip.tls]
client_certificates = "required"
client_ca = "ca.pem"
[[sip.tls.certificates]]
certificate = "a.pem"
key = "/etc/a.key"
"""
    tls = load_config(write(tmp_path, text)).sip.tls
    assert (tls.certificates[0].certificate, tls.certificates[0].key) == (str(tmp_path / "a.pem"), "/etc/a.key")
    assert (tls.client_ca, tls.trust) == (str(tmp_path / "ca.pem"), "")


def test_the_reference_has_a_row_for_every_key() -> None:
    text = reference()
    for section, field in Config.model_fields.items():
        assert f"## [{section}]" in text
        assert field.annotation is not None
        for key in field.annotation.model_fields:
            assert f"| `{key}` |" in text


def test_name_servers_are_addresses_with_or_without_a_port(tmp_path: Path) -> None:
    file = tmp_path / "engine.toml"
    file.write_text('[sip]\ndns_servers = ["192.0.2.53", "192.0.2.54:5353", "::1", "[::1]:54"]\n')
    assert load_config(file).sip.name_servers == [
        ("192.0.2.53", 53),
        ("192.0.2.54", 5353),
        ("::1", 53),
        ("::1", 54),
    ]
    for wrong in ("dns.example", "192.0.2.53:0", "192.0.2.53:x", ""):
        file.write_text(f'[sip]\ndns_servers = ["{wrong}"]\n')
        with pytest.raises(ConfigError, match="dns_servers"):
            load_config(file)


def test_listeners_of_other_kinds_ports_and_families_stand_beside_each_other(tmp_path: Path) -> None:
    file = tmp_path / "engine.toml"
    places = ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060", "udp:[::]:5060", "udp:192.0.2.1:5062", "udp:192.0.2.2:5062"]
    file.write_text(f"[sip]\nlisten = {places}\n")
    assert len(load_config(file).sip.listeners) == len(places)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('country = "xx"', "sounds.country: found 'xx'; must be one of "),
        ('language = "German"', "sounds.language: found 'German'; must be a language code"),
        ("directory = 5", "sounds.directory: found 5; "),
    ],
)
def test_faults_of_sounds(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, f"[sounds]\n{text}"))
    assert fault in str(caught.value)


def test_the_country_and_language_of_sounds(tmp_path: Path) -> None:
    found = load_config(write(tmp_path, '[sounds]\ncountry = "de"\nlanguage = "de-AT"')).sounds
    assert (found.country, found.language, found.directory, found.music) == ("de", "de-AT", "", {})

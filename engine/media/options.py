"""What a media process is started with. Brings no numpy: control imports it too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError
from engine.log_format import LogFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneOptions:
    """Arguments of the media process. Raises ConfigError when they cannot work."""

    socket: Path
    """Unix socket to listen on for control; created with mode 0600."""
    secret_file: Path
    """File with the secret that a Hello must carry (white space at its ends does not count)."""
    port_min: int = 20002
    port_max: int = 29998
    """Last RTP port; its RTCP may be one above."""
    bind: str = "0.0.0.0"
    """Local address of every RTP socket; an IPv6 address makes them IPv6 sockets."""
    dscp: int = 46
    """Mark of what RTP and RTCP sockets send; 0 for none."""
    idle_exit_s: float = 30.0
    """Without control and without legs the process ends after this."""
    orphan_s: float = 300.0
    """Without control, a leg on which nothing was heard for this long is closed."""
    dead_s: float = 60.0
    """RtpTimeout after so long without RTP and RTCP on a leg that should be heard."""
    coalesce_s: float = 0.001
    """Under load, packets that are passed on are gathered for this long between two looks at the sockets: it costs each
    half of it in delay and saves a third of the CPU. Twice as long while all are mixed, eight times while nobody is
    heard. 0 turns it off."""
    core: int | None = None
    """The core of the machine that the process is bound to; None: any."""
    realtime: bool = False
    """Real-time priority and locked memory, where the machine grants them."""
    log_level: str = "info"
    log_format: LogFormat = LogFormat.KEY_VALUE

    def __post_init__(self) -> None:
        if not 1024 <= self.port_min <= self.port_max <= 65535 or self.port_min + self.port_min % 2 > self.port_max:
            raise ConfigError(
                f"port range {self.port_min}-{self.port_max}: found no even port in it; allowed is 1024 to 65535"
            )
        if not 0 <= self.dscp <= 63:
            raise ConfigError(f"dscp: found {self.dscp}; allowed is 0 to 63")
        if not 0 <= self.coalesce_s <= 0.005:
            raise ConfigError(f"coalesce_s: found {self.coalesce_s}; allowed is 0 to 0.005")

    def arguments(self) -> list[str]:
        """The command line that `plane.options_from` reads back."""
        return [
            *("--socket", str(self.socket), "--secret-file", str(self.secret_file)),
            *("--port-min", str(self.port_min), "--port-max", str(self.port_max), "--bind", self.bind),
            *("--dscp", str(self.dscp)),
            *("--idle-exit", str(self.idle_exit_s), "--orphan", str(self.orphan_s)),
            *("--dead", str(self.dead_s), "--coalesce", str(self.coalesce_s)),
            *(() if self.core is None else ("--core", str(self.core))),
            *(("--realtime",) if self.realtime else ()),
            *("--log-level", self.log_level, "--log-format", self.log_format.value),
        ]

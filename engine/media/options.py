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
    idle_exit_s: float = 30.0
    """Without control and without legs the process ends after this."""
    orphan_s: float = 300.0
    """Without control, a leg on which nothing was heard for this long is closed."""
    rtp_timeout_s: float = 10.0
    """RtpTimeout after so much silence on a leg that should be heard."""
    coalesce_s: float = 0.002
    """Under load, packets are gathered for this long between two looks at the sockets: it costs each packet half of it
    in delay and saves a third of the CPU. 0 turns it off."""
    log_level: str = "info"
    log_format: LogFormat = LogFormat.KEY_VALUE

    def __post_init__(self) -> None:
        if not 1024 <= self.port_min <= self.port_max <= 65535 or self.port_min + self.port_min % 2 > self.port_max:
            raise ConfigError(
                f"port range {self.port_min}-{self.port_max}: found no even port in it; allowed is 1024 to 65535"
            )
        if not 0 <= self.coalesce_s <= 0.005:
            raise ConfigError(f"coalesce_s: found {self.coalesce_s}; allowed is 0 to 0.005")

    def arguments(self) -> list[str]:
        """The command line that `plane.options_from` reads back."""
        return [
            *("--socket", str(self.socket), "--secret-file", str(self.secret_file)),
            *("--port-min", str(self.port_min), "--port-max", str(self.port_max), "--bind", self.bind),
            *("--idle-exit", str(self.idle_exit_s), "--orphan", str(self.orphan_s)),
            *("--rtp-timeout", str(self.rtp_timeout_s), "--coalesce", str(self.coalesce_s)),
            *("--log-level", self.log_level, "--log-format", self.log_format.value),
        ]

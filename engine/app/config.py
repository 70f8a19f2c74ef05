"""The machine's configuration: one TOML file, typed, every key with its default and its reason.

Only what belongs to the machine stands here (addresses, ports, paths, limits). Agents, queues and trunks are in the
store. Unknown keys are errors. `python -m engine.app.config` prints the reference that `docs/config.md` holds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, Field, ValidationError, field_validator

from engine.app.config_guard import GuardConfig
from engine.app.config_media import MediaConfig
from engine.app.config_recording import RecordingConfig
from engine.app.config_section import Port, Section, anchored_list, checked_ip
from engine.app.config_sip import SipConfig
from engine.app.config_sounds import SoundsConfig
from engine.app.config_toll import TollConfig
from engine.errors import ConfigError
from engine.log_format import LogFormat


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ApiConfig(Section):
    host: str = Field("127.0.0.1", description="Address of the API and of /metrics; open it to others behind TLS only.")
    port: Port = Field(8080, description="Port of the API and of /metrics.")

    @field_validator("host")
    @classmethod
    def _host_ischecked_ip(cls, value: str) -> str:
        return checked_ip(value, allow_empty=False)


class StoreConfig(Section):
    url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the state directory.")


class DialplanConfig(Section):
    file: str = Field("", description="The dialplan; empty: the demo dialplan that comes with Hearthline.")


class LogConfig(Section):
    level: LogLevel = Field(LogLevel.INFO, description="Least level that is written.", strict=False)
    format: LogFormat = Field(
        LogFormat.KEY_VALUE, description="key=value lines, or one JSON object a line.", strict=False
    )


class ServiceConfig(Section):
    state_dir: str = Field(
        "var", description="Secrets, certificate, database, sockets; made on first start, mode 0700."
    )
    drain_s: float = Field(300.0, ge=0, le=86400, description="After SIGTERM live calls may go on for this long.")


class TraceConfig(Section):
    enabled: bool = Field(True, description="Keep the SIP messages of the last calls in memory for `hearthline trace`.")
    calls: int = Field(1000, ge=1, le=100_000, description="Calls that are kept, the latest, with all their legs.")
    messages: int = Field(100, ge=4, le=10_000, description="Messages of one leg or registration, the latest.")
    megabytes: int = Field(16, ge=1, le=4096, description="Of all messages together; past it the oldest calls go.")


class Config(Section):
    """The whole file."""

    service: ServiceConfig = ServiceConfig()
    sip: SipConfig = SipConfig()
    guard: GuardConfig = GuardConfig()
    media: MediaConfig = MediaConfig()
    sounds: SoundsConfig = SoundsConfig()
    recording: RecordingConfig = RecordingConfig()
    api: ApiConfig = ApiConfig()
    store: StoreConfig = StoreConfig()
    dialplan: DialplanConfig = DialplanConfig()
    toll: TollConfig = TollConfig()
    log: LogConfig = LogConfig()
    trace: TraceConfig = TraceConfig()

    @property
    def state_dir(self) -> Path:
        return Path(self.service.state_dir).absolute()

    @property
    def store_url(self) -> str:
        return self.store.url or f"sqlite:///{self.store_file}"

    @property
    def store_file(self) -> Path:
        """Where the store is without a URL."""
        return self.state_dir / "hearthline.db"


def load_config(path: Path | None) -> Config:
    """The configuration in a file, or the embedded defaults for None. Relative paths in it are relative to it.

    Raises ConfigError that names file, key, what was found and what is allowed, one line for each fault.
    """
    if path is None:
        return Config()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
    try:
        config = Config.model_validate(table)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {_explain(fault)}" for fault in error.errors())) from error
    return _anchored(config, path.absolute().parent)


def _anchored(config: Config, base: Path) -> Config:
    def anchor(value: str) -> str:
        return str(base / value) if value else value

    return config.model_copy(
        update={
            "sip": config.sip.model_copy(update={"tls": config.sip.tls.anchored(anchor)}),
            "service": config.service.model_copy(update={"state_dir": anchor(config.service.state_dir)}),
            "media": config.media.model_copy(update={"music": anchored_list(config.media.music, anchor)}),
            "sounds": config.sounds.anchored(anchor),
            "recording": config.recording.model_copy(
                update={
                    "directory": anchor(config.recording.directory),
                    "key_file": anchor(config.recording.key_file),
                }
            ),
            "store": config.store.model_copy(update={"url": _anchored_url(config.store.url, base)}),
            "toll": config.toll.model_copy(update={"prices": anchor(config.toll.prices)}),
            "dialplan": config.dialplan.model_copy(update={"file": anchor(config.dialplan.file)}),
        }
    )


def _anchored_url(url: str, base: Path) -> str:
    """SQLAlchemy takes what follows the third slash for a path, relative to wherever the process was started."""
    scheme, _, path = url.partition(":///")
    return f"{scheme}:///{base / path}" if scheme == "sqlite" and path else url


def _explain(fault: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown key; allowed here: {', '.join(_keys_beside(fault['loc']))}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "value_error" and isinstance(fault["input"], dict):
        return f"{key}: {message}"
    return f"{key}: found {fault['input']!r}; {message[0].lower()}{message[1:]}"


def _keys_beside(location: tuple[str | int, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in location[:-1]:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation) or model
    return sorted(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The section that a key holds, itself or as `[[several]]`; None for a plain value."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def reference() -> str:
    """The reference of all keys as Markdown, for `docs/config.md`."""
    lines = [
        "# Configuration reference",
        "",
        "Written by `python -m engine.app.config`; a test keeps it equal to the code. Every key may be left out.",
        "Relative paths are relative to the file.",
        "",
    ]
    for section, field in Config.model_fields.items():
        model = _model_in(field.annotation)
        assert model is not None
        lines += _section_reference(section, model, several=False)
    return "\n".join(lines)


def _section_reference(name: str, model: type[BaseModel], *, several: bool) -> list[str]:
    """A section's table, and those of the sections within it."""
    heading = f"[[{name}]]" if several else f"[{name}]"
    lines, inner = [f"## {heading}", "", "| Key | Default | Meaning |", "| --- | --- | --- |"], []
    for key, item in model.model_fields.items():
        within = _model_in(item.annotation)
        if within is None:
            default = "" if item.is_required() or item.default is None else f"`{_toml(item.default)}`"
            lines.append(f"| `{key}` | {default} | {item.description} |")
        else:
            many = within is not item.annotation
            inner += _section_reference(f"{name}.{key}", within, several=many)
            lines.append(f"| `{key}` |  | {item.description} |")
    return [*lines, "", *inner]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


if __name__ == "__main__":
    print(reference(), end="")

"""`hearthline reload`: what of the configuration changes while the engine runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from engine.app.administration import api_client
from engine.app.cli_common import ConfigOption, JsonOption
from engine.app.config import load_config


def reload(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Take the certificates of TLS from their files anew, without touching a connection. A bad file changes nothing."""
    found: list[dict[str, Any]] = api_client(load_config(config)).post("/api/v1/reload")["certificates"]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for each in found:
        print(f"{each['file']}: good until {datetime.fromtimestamp(each['ends'], UTC):%Y-%m-%d %H:%M} UTC")
    if not found:
        print("no listener speaks TLS; there is nothing to reload")

"""What a newcomer reads first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from engine.app.config import Config
from engine.app.state import StateDir
from engine.app.version import VERSION


def greeting(config: Config, config_file: Path | None) -> str:
    """Where everything is, and how to join with a phone of one's own."""
    api = f"http://{config.api.host}:{config.api.port}"
    hearthline = os.path.relpath(Path(sys.executable).with_name("hearthline"))
    option = f" --config {config_file}" if config_file else ""
    token_file = StateDir(config.state_dir).api_token_file
    return f"""
Hearthline {VERSION}. A caller and an agent talk to each other below, a line for each call; Ctrl-C ends it.

  SIP       {", ".join(map(str, config.sip.listeners))}
  API       {api}/api/v1/status       token: {token_file}
  Metrics   {api}/metrics
  Logs      {StateDir(config.state_dir).log_dir}

  Your own phone, in another terminal:
    {hearthline} agent add me --queue demo{option}     shows the password, once
    then register user "me" at this machine's address, port {config.sip.listeners[0].port}, and dial 600, 601 or 602,
    or *12 for a break, *11 to be available, *10 to hear which you are.
"""

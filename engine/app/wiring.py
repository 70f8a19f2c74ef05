"""Where the parts are put together: constructors only, read top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.acd.centre import Acd
from engine.app.config import Config
from engine.app.core import Core
from engine.app.media_outbox import MediaOutbox
from engine.app.orphans import Orphans
from engine.app.peers import AgentCredentials, TrunkPeers
from engine.app.share import shared_file
from engine.calls.config import CallsConfig
from engine.calls.directory import Directory
from engine.calls.log import Journal
from engine.calls.manager import CallManager
from engine.calls.routing import Router
from engine.calls.sip_leg import SipLegs
from engine.dialplan import load
from engine.dialplan.model import Dialplan
from engine.errors import ConfigError
from engine.ids import IdSource
from engine.sip.endpoint import Endpoint
from engine.sip.flow import Address, Flow, Transport
from engine.sip.stack import EndpointConfig


def load_dialplan(config: Config) -> Dialplan:
    """The configured dialplan, or the demo's. Raises ConfigError."""
    return load.load_dialplan(
        Path(config.dialplan.file) if config.dialplan.file else shared_file("dialplans/demo.toml")
    )


def hold_music(config: Config) -> str:
    """Absolute path of the music for those who wait. Raises ConfigError when a configured file is not there."""
    if not config.media.music:
        return str(shared_file("dialplans/sounds/hold-music.wav"))
    if not Path(config.media.music).is_file():
        raise ConfigError(f"media.music: {config.media.music} is not there; it must be a WAV file, or empty")
    return config.media.music


def build_core(
    config: Config,
    *,
    directory: Directory,
    journal: Journal,
    router: Router,
    ids: IdSource,
    nonce_secret: bytes,
    sip_address: Callable[[Flow], Address],
    media_address: Callable[[Flow], str],
    listener_flow: Callable[[Transport, Address], Flow | None],
    now: float,
) -> Core:
    """The pure core. The three callables say what the network layer knows: our address as a peer on a flow sees it,
    for signalling and for media, and the flow from our listener to a trunk."""
    peers = TrunkPeers(directory)
    endpoint = Endpoint(
        EndpointConfig(
            realm=config.sip.realm,
            advertise=sip_address,
            nonce_secret=nonce_secret,
            min_expires_s=config.sip.registration_min_s,
            max_expires_s=config.sip.registration_max_s,
            nonce_ttl_s=config.sip.nonce_ttl_s,
        ),
        ids=ids,
        credentials=AgentCredentials(directory, config.sip.realm),
        peers=peers,
    )
    legs = SipLegs(endpoint, directory, ids=ids, listener_flow=listener_flow, media_address=media_address)
    acd = Acd(directory, journal, ids, now)
    media = MediaOutbox()
    calls = CallManager(
        router=router,
        legs=legs,
        media=media,
        queues=acd,
        statuses=acd,
        journal=journal,
        ids=ids,
        directory=directory,
        config=CallsConfig(hold_music=hold_music(config)),
    )
    return Core(
        directory=directory,
        journal=journal,
        endpoint=endpoint,
        legs=legs,
        acd=acd,
        calls=calls,
        media=media,
        orphans=Orphans(),
        peers=peers,
    )

"""Where the parts are put together: constructors only, read top to bottom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Final

from engine.acd.centre import Acd
from engine.api.application import create_app
from engine.api.auth import TokenBook
from engine.api.feed import FeedHub
from engine.api.server import ApiServer, bind
from engine.app.binding_keeper import BindingKeeper
from engine.app.call_traces import trace_calls
from engine.app.calls_setup import calls_config
from engine.app.centre import RunningCentre
from engine.app.certificate_watch import CertificateWatch
from engine.app.config import Config
from engine.app.config_media import OnLoss
from engine.app.core import Core
from engine.app.defects import Defects
from engine.app.dialplan_file import configured_dialplan
from engine.app.doubts import tell_doubts
from engine.app.entropy import SystemIds, octets
from engine.app.heartbeat import Heartbeat
from engine.app.instance import instances
from engine.app.logs import RecordLogger, note
from engine.app.lookups import Lookups
from engine.app.media_load import AdmissionRules
from engine.app.media_planes import MediaPlanes
from engine.app.media_process import media_secret, spawn_media
from engine.app.orphans import OrphanRules, Orphans
from engine.app.peers import AgentCredentials, TrunkAccounts, TrunkPeers
from engine.app.queue_log_file import QueueLogFile
from engine.app.record_gatherer import RecordGatherer
from engine.app.records import RecordKeeper
from engine.app.state import StateDir
from engine.app.status_keeper import StatusKeeper
from engine.app.storage import Storage, open_storage
from engine.app.toll import midnight, spent_by, toll_rules
from engine.app.version import VERSION
from engine.calls.directory import Directory
from engine.calls.journal import Journal
from engine.calls.manager import CallManager
from engine.calls.routing import Router
from engine.calls.sip_leg import SipLegs
from engine.calls.sip_targets import ListenerFlow
from engine.calls.toll_guard import TollGuard
from engine.clock import Clock
from engine.dialplan.router import DialplanRouter
from engine.ids import IdSource, TrunkName
from engine.metrics.gauges import EngineGauges
from engine.metrics.metrics import MetricSet
from engine.metrics.observers import MetricsObserver
from engine.net.addresses import LocalAddresses
from engine.net.clock import SystemClock
from engine.net.driver import Driver
from engine.net.media_link import MediaLink
from engine.net.media_links import MediaLinks
from engine.net.reactor import Reactor
from engine.net.resolver import NamesSource, Resolver, system_servers
from engine.net.tls import TlsContexts
from engine.net.tls_files import TlsFiles
from engine.net.transports import Transports
from engine.sip.attempts import RetryRules
from engine.sip.endpoint import Endpoint
from engine.sip.flow import Address, Flow, Transport
from engine.sip.guard_policy import GuardPolicy
from engine.sip.stack import EndpointConfig
from engine.store.binding_store import BindingStore
from engine.store.codec import encode, feed_json
from engine.store.reader import HistoryReader, costs_since
from engine.store.secrets import token_digest
from engine.store.token_store import TokenStore

_REGISTRATION_S: Final = 300
"""What a phone is granted that asks for no certain time."""

_RESOLV_CONF: Final = Path("/etc/resolv.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Every part of the control process, open and not yet running; `service` gives it its life."""

    config: Config
    clock: Clock
    storage: Storage
    core: Core
    driver: Driver
    transports: Transports
    media: MediaLinks
    heartbeat: Heartbeat
    certificates: CertificateWatch
    bindings: BindingKeeper
    gatherer: RecordGatherer
    keeper: RecordKeeper
    history: HistoryReader
    store_thread: ThreadPoolExecutor
    centre: RunningCentre
    api: ApiServer

    def close(self) -> None:
        """Bring everything to the disk and let go of it."""
        self.gatherer.flush()
        self.bindings.keep()
        self.history.close()
        self.store_thread.shutdown()
        self.storage.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Where everything that happens is written down."""

    keeper: RecordKeeper
    metrics: MetricSet
    defects: Defects
    queue_log: QueueLogFile
    hub: FeedHub
    thread: ThreadPoolExecutor
    """Waits for the disk in place of the loop."""


def build_engine(config: Config, state: StateDir, reactor: Reactor) -> Engine:
    """Open every part. Raises EngineError for whatever prevents the start: a port in use, a store of another version,
    a dialplan with faults."""
    clock = SystemClock()
    dialplan = configured_dialplan(config)
    api_socket = bind(config.api.host, config.api.port)
    storage = open_storage(config, clock)
    tell_doubts(config, dialplan, storage)
    ids = SystemIds()
    listeners = config.sip.listeners
    addresses = LocalAddresses(listeners)
    tls = tls_contexts(config, state)
    transports = Transports(reactor, listeners, addresses, tls=tls, note=tell_network)
    core = build_core(
        config,
        directory=storage.directory,
        journal=storage.journal,
        router=DialplanRouter(dialplan),
        ids=ids,
        # New with every start: which nonce counts were used is forgotten with the process, and none may be used twice.
        nonce_secret=f"{ids.token()}{state.secret('nonce')}".encode(),
        sip_address=addresses.sip_address,
        media_address=addresses.host_for,
        listener_flow=transports.flow_to,
        toll=build_toll(config, storage, clock),
        wall=clock.wall,
        instance=instances(state),
        now=clock.monotonic(),
    )
    books = build_books(state, storage, core, clock, reactor)
    gatherer = RecordGatherer(books.keeper.keep, later=reactor.callLater)
    media, driver = build_drive(config, state, core, books, gatherer, transports, clock, reactor)
    gatherer.beside(media.flush)
    transports.listen(driver)
    bindings = BindingKeeper(core, BindingStore(storage.database), clock, books.thread)
    bindings.restore(transports.flow_by)
    books.keeper.keep(storage.journal.take(), storage.recovered.cdrs)
    certificates = CertificateWatch(tls, reactor, clock, note=tell_network, measure=books.metrics.certificate_ends)
    centre = build_centre(config, storage, core, driver, books, clock, certificates)
    tokens = TokenBook(partial(load_tokens, state, TokenStore(storage.database), books.thread))
    return Engine(
        config=config,
        clock=clock,
        storage=storage,
        core=core,
        driver=driver,
        transports=transports,
        media=media,
        heartbeat=Heartbeat(
            *(reactor, clock, core, storage.writer, EngineGauges(books.metrics)),
            keep_bindings=bindings.keep,
            flush_media=media.flush,
            refused_handshakes=transports.refused_handshakes,
        ),
        bindings=bindings,
        certificates=certificates,
        gatherer=gatherer,
        keeper=books.keeper,
        history=centre.history,
        store_thread=books.thread,
        centre=centre,
        api=ApiServer(create_app(centre, tokens=tokens, hub=books.hub, version=VERSION), api_socket),
    )


def tls_contexts(config: Config, state: StateDir) -> TlsContexts | None:
    """The certificates, where a listener speaks TLS. Raises ConfigError for one that cannot be used."""
    if all(each.transport is not Transport.TLS for each in config.sip.listeners):
        return None
    tls = config.sip.tls
    pairs = tuple((Path(each.certificate), Path(each.key)) for each in tls.certificates)
    return TlsContexts(
        TlsFiles(
            certificates=pairs or (state.certificate_files,),
            client_certificates=tls.client_certificates,
            client_ca=Path(tls.client_ca) if tls.client_ca else None,
            trust=Path(tls.trust) if tls.trust else None,
        )
    )


def tell_network(text: str) -> None:
    """Log what the network did to us."""
    note("network", level=logging.WARNING, detail=text)


def build_books(state: StateDir, storage: Storage, core: Core, clock: Clock, reactor: Reactor) -> Books:
    """Everything that records go to. What a crash cut off is known to all who must understand its end."""
    metrics = MetricSet(version=VERSION)
    observer = MetricsObserver(metrics)
    observer.seed(storage.directory)
    thread = ThreadPoolExecutor(1, thread_name_prefix="store")
    logger = RecordLogger()
    queue_log = QueueLogFile(state.log_dir / "queue_log", storage.directory)
    statuses = StatusKeeper(storage.directory, storage.directory_store, thread)
    hub = FeedHub(lambda record: feed_json(encode(record)), last_seq=storage.journal.last_seq)
    for reader in (observer, logger, queue_log):
        reader.recall(storage.recovered.earlier)
    defects = Defects(clock, metrics.defects.inc)
    keeper = RecordKeeper(
        storage.writer,
        [observer.observe, logger.observe, queue_log.observe, statuses.observe, hub.publish],
        refuse=core.calls.store_full,
        on_defect=defects.met,
    )
    if core.traces is not None:
        keeper.add_reader(core.traces.observe)
    storage.writer.beside(queue_log.write)
    storage.writer.when_room(partial(reactor.callFromThread, keeper.room))
    return Books(keeper=keeper, metrics=metrics, defects=defects, queue_log=queue_log, hub=hub, thread=thread)


def build_drive(
    config: Config,
    state: StateDir,
    core: Core,
    books: Books,
    gatherer: RecordGatherer,
    transports: Transports,
    clock: Clock,
    reactor: Reactor,
) -> tuple[MediaLinks, Driver]:
    """What joins the core to the network, the media processes and the time."""
    media = MediaLinks([media_link(config, state, plane, reactor) for plane in range(config.media.processes)])
    driver = Driver(
        core,
        reactor=reactor,
        clock=clock,
        transmitter=transports,
        locator=build_resolver(config, clock, reactor),
        to_media=media.send,
        on_records=gatherer.gather,
        on_defect=books.defects.met,
        planes=len(media),
    )
    return media, driver


def media_link(config: Config, state: StateDir, plane: int, reactor: Reactor) -> MediaLink:
    """The line to the media process of this number."""
    return MediaLink(
        reactor,
        path=state.media_socket_of(plane),
        secret=media_secret(state, plane),
        spawn=partial(spawn_media, config, plane=plane) if config.media.spawn else None,
        note=lambda text: note("media", level=logging.WARNING, plane=plane, detail=text),
    )


def build_resolver(config: Config, clock: Clock, reactor: Reactor) -> Resolver:
    """Who asks DNS: the configured name servers, else the machine's."""
    servers = config.sip.name_servers or system_servers(_RESOLV_CONF)
    return Resolver(NamesSource(reactor, servers), now=clock.monotonic, random=SystemRandom().randrange)


def build_centre(
    config: Config,
    storage: Storage,
    core: Core,
    driver: Driver,
    books: Books,
    clock: Clock,
    certificates: CertificateWatch,
) -> RunningCentre:
    """What people see and change through the API."""
    return RunningCentre(
        core=core,
        driver=driver,
        clock=clock,
        realm=config.sip.realm,
        metrics=books.metrics,
        certificates=certificates,
        listeners=config.sip.listeners,
        writer=storage.writer,
        history=HistoryReader(storage.database),
        directory_store=storage.directory_store,
        store_thread=books.thread,
        queue_log_file=books.queue_log,
        last_seq=lambda: books.hub.last_seq,
        started=clock.wall(),
    )


async def load_tokens(state: StateDir, store: TokenStore, thread: ThreadPoolExecutor) -> Mapping[str, str]:
    """Names of all good API tokens by SHA-256: those of the store, and the one of the state directory."""
    stored = await asyncio.get_running_loop().run_in_executor(thread, store.digests)
    return {**stored, token_digest(state.secret("api-token")): "local"}


def build_toll(config: Config, storage: Storage, clock: Clock) -> TollGuard:
    """The guard against toll fraud, which knows what was spent today. Raises ConfigError."""
    toll = TollGuard(storage.directory, toll_rules(config, clock))
    since = midnight(config, clock)
    toll.recall(spent_by(costs_since(storage.database, since), storage.recovered.cdrs, since))
    return toll


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
    listener_flow: ListenerFlow,
    toll: TollGuard | None = None,
    wall: Callable[[], float] | None = None,
    instance: Callable[[TrunkName], str] = lambda _: "",
    now: float,
) -> Core:
    """The pure core. The three callables say what the network layer knows: our address as a peer on a flow sees it,
    for signalling and for media, and the flow from our listener to a trunk. Without `wall`, seconds since the epoch, no
    messages are kept; `instance` is `SipRegistrations`'."""
    peers = TrunkPeers(directory)
    accounts = TrunkAccounts(directory)
    credentials = AgentCredentials(directory, config.sip.realm)
    sip = endpoint_config(config, sip_address, nonce_secret)
    endpoint = Endpoint(sip, ids=ids, credentials=credentials, peers=peers, accounts=accounts)
    lookups = Lookups(endpoint, directory, peers, listener_flow=listener_flow)
    legs = SipLegs(
        endpoint,
        directory,
        ids=ids,
        listener_flow=listener_flow,
        media_address=media_address,
        octets=octets,
        trusts=peers.trusts,
        show_hidden=config.sip.show_hidden_callers,
        instance=instance,
        codecs=config.media.codecs,
    )
    acd = Acd(directory, journal, ids, now)
    media = MediaPlanes(
        config.media.processes,
        AdmissionRules(tick_share=config.media.busy_tick, cpu_share=config.media.busy_cpu),
        address=config.media.own_address,
        reestablish=config.media.on_loss is OnLoss.REESTABLISH,
    )
    calls = CallManager(
        router=router,
        legs=legs,
        transfers=legs.transfers,
        media=media,
        queues=acd,
        statuses=acd,
        journal=journal,
        ids=ids,
        directory=directory,
        config=calls_config(config, wall),
        toll=toll,
    )
    orphans = Orphans(
        config.media.processes,
        OrphanRules(silence_s=min(config.media.orphan_silence_s, config.media.dead_s), max_s=config.media.orphan_max_s),
    )
    endpoint.abandoned = orphans.dialogs
    return Core(
        directory=directory,
        journal=journal,
        endpoint=endpoint,
        legs=legs,
        acd=acd,
        calls=calls,
        media=media,
        orphans=orphans,
        peers=peers,
        accounts=accounts,
        lookups=lookups,
        traces=None if wall is None else trace_calls(config.trace, endpoint, legs, calls, ours=sip_address, wall=wall),
    )


def endpoint_config(config: Config, advertise: Callable[[Flow], Address], nonce_secret: bytes) -> EndpointConfig:
    """The machine's configuration in the SIP stack's words."""
    return EndpointConfig(
        realm=config.sip.realm,
        advertise=advertise,
        nonce_secret=nonce_secret,
        pass_headers=tuple(config.sip.pass_headers),
        min_expires_s=config.sip.registration_min_s,
        max_expires_s=config.sip.registration_max_s,
        nat_expires_s=config.sip.registration_nat_s,
        flow_timer_udp_s=config.sip.flow_timer_udp_s,
        flow_timer_stream_s=config.sip.flow_timer_stream_s,
        service_route=config.sip.service_route,
        default_expires_s=max(_REGISTRATION_S, config.sip.registration_min_s),
        nonce_ttl_s=config.sip.nonce_ttl_s,
        digest_algorithms=config.sip.digest_algorithms,
        server_name=config.sip.server_name,
        guard=GuardPolicy(**config.guard.model_dump()),
        reliable=config.sip.reliable,
        session_expires_s=config.sip.session_expires_s,
        min_session_expires_s=config.sip.session_expires_min_s,
        retries=RetryRules(
            try_s=config.sip.failover_s, dead_s=config.sip.dead_s, udp_max_request=config.sip.udp_max_request
        ),
    )

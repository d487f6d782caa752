"""The Faust application: settings, and how it reaches Kafka."""

import logging
import ssl
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import faust
from faust.types import EventT, StreamT, TransportT
from faust.types.auth import CredentialsT
from mode import ServiceT
from yarl import URL

from connector.kafka.cluster import Cluster
from connector.kafka.lease import Lease
from connector.views.consumer import CarefulConsumer, Transport

CHATTY = ("faust", "mode", "connector")
"""Loggers: a Faust service logs under the name of its module, also where that is ours."""

Event = EventT[Any]
Events = StreamT[Any]

HEARTBEATS = 3
"""Heartbeats in a session timeout."""

REBALANCE_S = 60.0
"""Seconds that a worker gets to end what it has in hand when partitions are handed out anew, at least."""


@dataclass(frozen=True, slots=True)
class AppSettings:
    """`data`: where tables are kept on disk; None: in memory. Seconds, bytes."""

    group: str
    cluster: Cluster
    compression: str
    largest: int
    session_timeout: float
    data: Path | None = None


class ViewsApp(faust.App):
    """Without what Faust does beside: no directories of its own, no web server, no topics."""

    lease: Lease

    def _new_transport(self) -> TransportT:
        return Transport([URL(broker) for broker in self.conf.broker_consumer], self)

    @property
    def careful(self) -> CarefulConsumer:
        """Its consumer."""
        return cast(CarefulConsumer, self.consumer)

    def parts(self) -> Sequence[ServiceT]:
        """What it is made of, the last to start first."""
        return list(reversed(self._children))

    def restoring(self) -> int:
        """Table entries still to be read back."""
        tables: Any = self.tables
        return sum(tables.recovery.active_remaining().values())

    def _create_directories(self) -> None:
        if self.conf.store.scheme != "memory":
            super()._create_directories()


def silence_loggers() -> None:
    """Silence Faust: what it has to say comes as errors, events and figures of ours."""
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"mode\.")  # coroutines that it forgets when it stops


def application(settings: AppSettings) -> ViewsApp:
    """Everything is acknowledged by hand, so that nothing is promised that Kafka does not have."""
    servers = settings.cluster.arguments["bootstrap_servers"].split(",")
    compression = None if settings.compression == "none" else settings.compression
    rebalance = max(REBALANCE_S, 2 * settings.session_timeout)
    app = ViewsApp(
        settings.group,
        broker=";".join(f"kafka://{server.strip()}" for server in servers),
        broker_credentials=credentials(settings.cluster),
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.session_timeout / HEARTBEATS,
        broker_request_timeout=max(40.0, settings.session_timeout),
        broker_rebalance_timeout=rebalance,
        broker_commit_interval=1.0,
        store="rocksdb://" if settings.data else "memory://",
        datadir=settings.data or Path("/nonexistent"),
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=1 << 20,
        producer_acks=-1,
        producer_compression_type=compression,
        producer_max_batch_size=1 << 20,
        producer_max_request_size=settings.largest,
        stream_wait_empty=True,  # a rebalance waits for what is being carried out: nobody else writes these entries meanwhile
        stream_recovery_delay=0.0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    app.lease = Lease(settings.session_timeout, rebalance)
    return app


def credentials(cluster: Cluster) -> CredentialsT | None:
    """How Faust wants to be told about TLS and logins."""
    kafka = cluster.arguments
    context: ssl.SSLContext | None = kafka.get("ssl_context")
    if kafka.get("security_protocol", "").startswith("SASL"):
        return faust.SASLCredentials(
            username=kafka["sasl_plain_username"],
            password=kafka["sasl_plain_password"],
            mechanism=kafka["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None

"""aiokafka's clients as everybody here uses them: they make no topic by asking about it, and say why they do not connect.

A broker with auto.create.topics.enable (Kafka's default) makes each topic that a client asks about, unless the client forbids
it; aiokafka does not. And it tells only its log why it could not connect.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from types import FunctionType
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.protocol.metadata import MetadataRequest

from connector.kafka.cluster import Cluster
from connector.kafka.doors import Address, advertised, at_doors

GRACE_S = 3.0
"""Seconds until a topic is said not to exist: a broker may learn of a new one a moment later."""

LOOK_S = 0.2
"""Seconds between two looks meanwhile."""

Troubles = dict[Address, Exception]

_knocking: ContextVar[Troubles] = ContextVar("knocking")
_opened: ContextVar[list[Any]] = ContextVar("opened")


def using(function: Any, **names: Any) -> Any:
    """A function of aiokafka's that finds other things under global names which it uses. Raises LookupError for other names."""
    if strange := names.keys() - set(function.__code__.co_names):
        raise LookupError(f"{function.__qualname__} of this aiokafka does not use {', '.join(sorted(strange))}")
    found = FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__, function.__defaults__)
    found.__kwdefaults__ = function.__kwdefaults__
    return found


async def _connected(host: str, port: int, **how: Any) -> Any:
    """A connection; where there is none, the client that asked remembers why."""
    troubles = _knocking.get()
    try:
        connection = await create_conn(host, port, **how)
    except Exception as error:
        troubles[host, port] = error
        raise
    troubles.pop((host, port), None)
    return connection


async def _first_connected(host: str, port: int, **how: Any) -> Any:
    """The same while a client starts: what it opened is closed, if it does not come to its end."""
    connection = await _connected(host, port, **how)
    _opened.get().append(connection)
    return connection


asking = partial(MetadataRequest, allow_auto_topic_creation=False)
"""About these topics; None: about all there are."""


def _asking_little(topics: list[str] | None) -> MetadataRequest:
    """A client that follows no topics yet would ask about all there are, each time that anything goes wrong."""
    return asking(topics or [])


class Client(AIOKafkaClient):  # type: ignore[misc]
    """Connections to brokers. `troubles`: the addresses that were tried last without success, and why."""

    _see_all = using(AIOKafkaClient._metadata_update, MetadataRequest=asking)
    _see = using(AIOKafkaClient._metadata_update, MetadataRequest=_asking_little)
    _bootstrap = using(AIOKafkaClient.bootstrap, MetadataRequest=asking, create_conn=_first_connected)
    _connection = using(AIOKafkaClient._get_conn, create_conn=_connected)

    @property
    def troubles(self) -> Troubles:
        """Made when it is needed: one that aiokafka made becomes one of ours, too."""
        found: Troubles = self.__dict__.setdefault("_troubles", {})
        return found

    @property
    def trouble(self) -> str:
        """Why the brokers there are cannot be reached, as far as that is known now; empty where nothing is."""
        names, brokers = {(host, port) for host, port, _ in self.hosts}, {(row.host, row.port) for row in self.cluster.brokers()}
        now = {address: error for address, error in self.troubles.items() if address in brokers or not brokers}
        return "; ".join(advertised(*row) for row in now.items() if row[0] not in names) or at_doors(now)

    async def bootstrap(self) -> None:
        """Raises KafkaConnectionError in words."""
        try:
            with self._remembering(), _closing_what_was_opened():
                await self._bootstrap()
        except KafkaConnectionError as error:
            for host, port, _ in self.hosts:  # one that connected, and did not answer what it was asked
                self.troubles.setdefault((host, port), ConnectionError())
            raise KafkaConnectionError(at_doors(self.troubles)) from error

    async def send(self, node_id: Any, request: Any, **more: Any) -> Any:
        """Raises NodeNotReadyError in words, else as aiokafka's."""
        try:
            return await super().send(node_id, request, **more)
        except NodeNotReadyError as error:
            raise NodeNotReadyError(self.trouble or str(error)) from error

    async def follow(self, topics: Collection[str]) -> bool:
        """Follow these topics, too; whether a broker told of all that are followed, as of now."""
        self._topics: set[str] = set(self._topics).union(topics)  # a new set: else an answer under way would count for it
        return bool(await self._metadata_update(self.cluster, self._topics))

    async def _metadata_update(self, cluster: Any, topics: Collection[str] | None) -> Any:
        return await (self._see_all if topics is None else self._see)(cluster, topics)

    async def close(self) -> None:
        """Also what is being opened meanwhile is closed."""
        self.__dict__["_ended"] = True
        await super().close()

    async def _get_conn(self, node_id: Any, **how: Any) -> Any:
        with self._remembering():
            connection = await self._connection(node_id, **how)
        if connection is not None and "_ended" in self.__dict__:
            connection.close()
        return connection

    @contextmanager
    def _remembering(self) -> Iterator[None]:
        token = _knocking.set(self.troubles)
        try:
            yield
        finally:
            _knocking.reset(token)


@contextmanager
def _closing_what_was_opened() -> Iterator[None]:
    """Where it fails, or is cancelled: nobody else knows of it."""
    opened: list[Any] = []
    token = _opened.set(opened)
    try:
        yield
    except BaseException:
        for connection in opened:
            connection.close()
        raise
    finally:
        _opened.reset(token)


def careful(client: AIOKafkaClient) -> None:
    """Make one of ours of a client that somebody else has made: it adds nothing to what it holds."""
    client.__class__ = Client


class Admin(AIOKafkaAdminClient):  # type: ignore[misc]
    """Looks at topics, makes and deletes them."""

    __init__ = using(AIOKafkaAdminClient.__init__, AIOKafkaClient=Client)
    _get_cluster_metadata = using(AIOKafkaAdminClient._get_cluster_metadata, MetadataRequest=asking)


class _Produced(SendProduceReqHandler):  # type: ignore[misc]
    """Remembers why a batch has to be sent again: aiokafka tells only its log, and tries for ever."""

    def _can_retry(self, error: Exception, batch: Any) -> bool:
        self._client.__dict__.setdefault("_refusals", {})[batch.tp.topic] = error
        return bool(super()._can_retry(error, batch))


class _Sender(Sender):  # type: ignore[misc]
    _send_produce_req = using(Sender._send_produce_req, SendProduceReqHandler=_Produced)


class Producer(AIOKafkaProducer):  # type: ignore[misc]
    """Writes records. `refusals`: why the broker did not take records, by topic, as it said last."""

    client: Client
    __init__ = using(AIOKafkaProducer.__init__, AIOKafkaClient=Client, Sender=_Sender)

    @property
    def refusals(self) -> dict[str, Exception]:
        """To be cleared by who wants to know of later ones."""
        found: dict[str, Exception] = self.client.__dict__.setdefault("_refusals", {})
        return found


@asynccontextmanager
async def administering(cluster: Cluster) -> AsyncIterator[Admin]:
    """An admin client, closed at the end. Raises aiokafka's errors, and those of the network."""
    admin = Admin(**cluster.arguments)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def known(client: Client, topics: Collection[str]) -> None:
    """Return once the brokers have told of these topics; no topic is made by it.

    Raises UnknownTopicOrPartitionError or TopicAuthorizationFailedError, with the topic.
    """
    until, told, pause = asyncio.get_running_loop().time() + GRACE_S, True, 0.0
    while missing := [topic for topic in topics if client.cluster.partitions_for_topic(topic) is None]:
        late = asyncio.get_running_loop().time() > until
        await asyncio.sleep(pause)
        told, pause = await client.follow(topics), LOOK_S
        if denied := client.cluster.unauthorized_topics & set(missing):
            raise TopicAuthorizationFailedError(min(denied))
        if late and client.cluster.partitions_for_topic(missing[0]) is None:
            raise UnknownTopicOrPartitionError(missing[0]) if told else NodeNotReadyError(client.trouble)

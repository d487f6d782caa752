"""Sending order commands and awaiting their results."""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple

import orjson

from connector.client.brokers import Brokers
from connector.client.producing import Producing
from connector.client.result import Result
from connector.client.results import Results, Waiter
from connector.errors import Fatal, Reject, Unanswered
from connector.kafka.records import Place, Record, partition_of
from connector.tracing import outgoing

REMEMBERED = 10_000
"""Submitted commands whose results are kept until they are asked for; those of older ones are looked up in the topic."""


NO_RESULT = "has no result yet: it stands and will be carried out, so wait for its result again"
UNCONFIRMED = "is not confirmed by Kafka in time: send it again with the same commandId (it runs once)"


def commands_topic(administration: str) -> str:
    """Where an administration's order commands go."""
    return f"{administration}.order-commands"


def results_topic(administration: str) -> str:
    """Where the results come from."""
    return f"{administration}.order-command-results"


class Ready(NamedTuple):
    """A command as it is written."""

    command_id: str
    key: str
    value: bytes


def ready(command: Mapping[str, Any]) -> Ready:
    """The command with a commandId, its key and its JSON. Raises Reject where it names no order or cannot be JSON."""
    body = {"commandId": str(uuid.uuid4()), **command}
    key = order_key(body)
    if not key:
        raise Reject("the command names no order: give its extOrderId, or its orderId where it has none", "INVALID-COMMAND")
    if not isinstance(body["commandId"], str) or not body["commandId"]:
        raise Reject("commandId must be a text, and not empty", "INVALID-COMMAND")
    try:
        return Ready(body["commandId"], key, orjson.dumps(body))
    except TypeError as error:
        raise Reject(f"the command cannot be written as JSON: {error}", "INVALID-COMMAND") from error


def order_key(command: Mapping[str, Any]) -> str:
    """The key: the order's extOrderId, else its orderId; empty where neither is there."""
    order = command.get("order")
    place = order if isinstance(order, Mapping) else command
    return next((name for name in (place.get("extOrderId"), place.get("orderId")) if isinstance(name, str) and name), "")


class OrderCommands:
    """`async with OrderCommands("kafka:9092", "shop") as commands: result = await commands.send({…})`.

    Many tasks may use one of these at once. All methods raise errors of connector.errors: Reject (the command is none),
    Unanswered (no answer yet: it stands, look again), Fatal (Kafka cannot be reached, a topic is missing).
    """

    def __init__(self, kafka: str | Mapping[str, Any], administration: str) -> None:
        """`kafka`: bootstrap servers, or the arguments that aiokafka's clients take (security, login)."""
        self._brokers = Brokers(kafka)
        self._topics = commands_topic(administration), results_topic(administration)
        self._results = Results(self._brokers, self._topics[1])
        self._producing = Producing(self._brokers)
        self._partitions = 0
        self._submitted: OrderedDict[str, tuple[AsyncExitStack, Waiter]] = OrderedDict()

    async def __aenter__(self) -> "OrderCommands":
        self._partitions, results = await self._brokers.partitions(*self._topics)
        try:
            await self._results.start(results)
        except BaseException:
            await self._results.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        while self._submitted:
            await self._forget(next(iter(self._submitted)))
        await self._producing.close()
        await self._results.close()

    async def send(self, command: Mapping[str, Any], *, timeout: float | None = None) -> Result:
        """Write a command and await its result, for at most `timeout` seconds in all (None: for ever)."""
        row, until = ready(command), _until(timeout)
        with self._results.awaited(row.command_id) as waiter:
            await self._write(row, until)
            async with _in_time(f"command {row.command_id} {NO_RESULT}", until):
                return await self._results.first(waiter)

    async def submit(self, command: Mapping[str, Any], *, timeout: float | None = None) -> str:
        """Write a command; the commandId as soon as Kafka has it. Ask for its `result` when it suits."""
        row = ready(command)
        await self._remember(row.command_id)
        await self._write(row, _until(timeout))
        return row.command_id

    async def result(self, command_id: str, *, timeout: float | None = None) -> Result:
        """The result of a command, whoever sent it and when: one that was not submitted here is looked up in the topic."""
        async with _in_time(f"command {command_id} {NO_RESULT}", _until(timeout)):
            if command_id in self._submitted:
                result = await self._results.first(self._submitted[command_id][1])
                await self._forget(command_id)
                return result
            with self._results.awaited(command_id) as waiter:  # before looking: it may come meanwhile
                return await self._results.published(command_id) or await self._results.first(waiter)

    async def _write(self, row: Ready, until: float | None) -> None:
        if not self._partitions:
            raise Fatal("not connected: use `async with OrderCommands(…) as commands`")
        key, what = row.key.encode(), f"command {row.command_id}"
        place = Place(self._topics[0], partition_of(key, self._partitions))
        async with _in_time(f"{what} {UNCONFIRMED}", until):
            await self._producing.write(place, Record(place.topic, key, row.value, outgoing()), what)

    async def _remember(self, command_id: str) -> None:
        if len(self._submitted) >= REMEMBERED:
            await self._forget(next(iter(self._submitted)))
        if command_id not in self._submitted:
            stack = AsyncExitStack()
            self._submitted[command_id] = stack, stack.enter_context(self._results.awaited(command_id))

    async def _forget(self, command_id: str) -> None:
        if command_id in self._submitted:
            await self._submitted.pop(command_id)[0].aclose()


def _until(timeout: float | None) -> float | None:
    return None if timeout is None else asyncio.get_running_loop().time() + timeout


@asynccontextmanager
async def _in_time(what: str, until: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(until):
            yield
    except TimeoutError as error:
        raise Unanswered(what) from error

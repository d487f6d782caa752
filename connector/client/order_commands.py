"""Sending order commands and awaiting their results."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from types import TracebackType
from typing import Any

from connector.client.drafts import Ready, must_be_answerable, ready
from connector.client.results import Results, Waiter
from connector.errors import Fatal, Reject, Unanswered
from connector.kafka.cluster import Cluster
from connector.kafka.records import Place, Record, partition_of
from connector.kafka.topics import partition_counts
from connector.kafka.writing.idempotent_producer import Producing
from connector.messages.result import Result
from connector.messages.topics import Topics
from connector.tracing import outgoing

REMEMBERED = 10_000
"""Submitted commands whose results are kept until they are asked for; those of older ones are looked up in the topic."""


NO_RESULT = "has no result yet: it stands and will be carried out, so wait for its result again"
UNCONFIRMED = "is not confirmed by Kafka in time: send it again with the same commandId (it runs once)"


class OrderCommands:
    """`async with OrderCommands("kafka:9092", "shop") as commands: result = await commands.send({…})`.

    Many tasks may use one of these at once. All methods raise errors of connector.errors: Reject (the command is none),
    Unanswered (no answer yet: it stands, look again), Fatal (Kafka cannot be reached, a topic is missing).
    """

    def __init__(self, kafka: "str | Mapping[str, Any] | Cluster", administration: str) -> None:
        """`kafka`: bootstrap servers, or the arguments that aiokafka's clients take (security, login)."""
        self._brokers = kafka if isinstance(kafka, Cluster) else Cluster(kafka)
        topics = Topics(administration)
        self._topics = topics.commands, topics.results
        self._results = Results(self._brokers, self._topics[1])
        self._producing = Producing(self._brokers)
        self._open = False
        self._submitted: OrderedDict[str, tuple[ExitStack, Waiter]] = OrderedDict()

    async def __aenter__(self) -> "OrderCommands":
        _, results = await partition_counts(self._brokers, *self._topics)
        try:
            await self._results.start(results)
        except BaseException:
            await self._results.close()
            raise
        self._open = True
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open = False
        while self._submitted:
            self._forget(next(iter(self._submitted)))
        await self._producing.close()
        await self._results.close()

    async def send(self, command: Mapping[str, Any], *, key: str | None = None, timeout: float | None = None) -> Result:
        """Write a command and await its result, for at most `timeout` seconds in all (None: for ever).

        `key`: the order's extOrderId, where the command names an order that has one by its orderId only.
        """
        row, until = ready(command, key), _until(timeout)
        self._results.must_follow()
        with self._results.awaited(Waiter(row.command_id, row.key.encode())) as waiter:
            await self._write(row, until)
            async with _in_time(f"command {row.command_id} {NO_RESULT}", until):
                return await self._results.first(waiter)

    async def submit(self, command: Mapping[str, Any], *, key: str | None = None, timeout: float | None = None) -> str:
        """Write a command; the commandId as soon as Kafka has it. Ask for its `result` when it suits. `key`: as for `send`."""
        row = ready(command, key)
        self._remember(row)
        try:
            await self._write(row, _until(timeout))
        except Reject:  # it was not written, and never will be
            self._forget(row.command_id)
            raise
        return row.command_id

    async def result(self, command_id: str, *, timeout: float | None = None) -> Result:
        """The last result of a command that is no duplicate, whoever sent it and when: after a redrive, what became of that.

        A command that was not submitted here is looked up in the topic, all of which is read for it.
        """
        must_be_answerable(command_id)
        _, kept = self._submitted.get(command_id, (None, None))
        async with _in_time(f"command {command_id} {NO_RESULT}", _until(timeout)):
            with self._results.awaited(kept or Waiter(command_id)) as waiter:  # before looking: it may come meanwhile
                if kept is None:
                    await self._results.published(waiter)
                result = await self._results.first(waiter)
        self._forget(command_id)
        return result

    async def _write(self, row: Ready, until: float | None) -> None:
        if not self._open:
            raise Fatal("not connected: use `async with OrderCommands(…) as commands`")
        key, what = row.key.encode(), f"command {row.command_id}"
        async with _in_time(f"{what} {UNCONFIRMED}", until):
            count = await self._producing.partitions(self._topics[0], what)
            place = Place(self._topics[0], partition_of(key, count))
            await self._producing.write(place, Record(place.topic, key, row.value, outgoing()), what)

    def _remember(self, row: Ready) -> None:
        if row.command_id in self._submitted:
            return
        if len(self._submitted) >= REMEMBERED:
            self._forget(next(iter(self._submitted)))
        stack, waiter = ExitStack(), Waiter(row.command_id, row.key.encode())
        self._submitted[row.command_id] = stack, stack.enter_context(self._results.awaited(waiter))

    def _forget(self, command_id: str) -> None:
        """Whoever awaits it at this moment is told all the same."""
        if command_id in self._submitted:
            self._submitted.pop(command_id)[0].close()


def _until(timeout: float | None) -> float | None:
    return None if timeout is None else asyncio.get_running_loop().time() + timeout


@asynccontextmanager
async def _in_time(what: str, until: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(until):
            yield
    except TimeoutError as error:
        raise Unanswered(what) from error

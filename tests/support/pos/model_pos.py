"""A POS of a few lines whose changes become visible in any order, on simulated time, and a poller that reads it and may crash."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from connector.clock import Clock
from connector.errors import Retry, TransactionLost, Unanswered
from connector.messages.gaps import Window
from connector.messages.position import Deployment, Position, State
from connector.mplus.responses.pages import Item, Undecodable
from connector.source.budget import MemoryBudget
from connector.source.bundles import Bundle, Publisher
from connector.source.entities import Entity, named
from connector.source.poller import Poller, PollerContext
from connector.source.reading.portion import Portion
from connector.source.schedule import Head
from connector.source.state import ShardState

Limit = Literal["records", "window", "capped"]
(RELATION,) = named(["relation"])
HERE = Deployment("g", 8)
INTERVAL = 2.0


@dataclass
class ModelPos:
    """Items by identity, each with the changes it had: marker → when it becomes visible. `counts_hidden`: so does its head."""

    limit: Limit = "records"
    counts_hidden: bool = True
    now: float = 1000.0
    changes: dict[str, dict[int, float]] = field(default_factory=dict)
    last: int = 0
    down_until: float = 0.0
    pages: int = 0
    refuses: Callable[[list[str]], bool] = lambda names: False
    """Which pages cannot be had, by the items in them."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of an item, where it is no small one."""

    def change(self, identity: str, delay: float = 0.0) -> int:
        """The item changes under the next marker, which is visible after so many seconds."""
        self.last += 1
        self.changes.setdefault(identity, {})[self.last] = self.now + delay
        return self.last

    def shown(self) -> dict[str, int]:
        """What the POS shows now: each item under the highest of its visible markers."""
        visible = {name: [at for at, when in row.items() if when <= self.now] for name, row in self.changes.items()}
        return {name: max(markers) for name, markers in visible.items() if markers}

    def truth(self) -> dict[str, int]:
        """Each item's last marker, visible or not."""
        return {name: max(row) for name, row in self.changes.items()}

    def head(self) -> int:
        """As the POS tells it."""
        return self.last if self.counts_hidden else max(self.shown().values(), default=0)

    def answers(self) -> None:
        """Raises Retry while it is down."""
        if self.now < self.down_until:
            raise Retry("the POS is down")

    def page(self, first: int, most: int) -> list[Item | Undecodable]:
        """Items from a marker on, as this POS reads the limit."""
        self.answers()
        self.pages += 1
        rows = sorted((marker, name) for name, marker in self.shown().items() if marker >= first)
        if self.limit == "window":
            rows = [row for row in rows if row[0] < first + most]
        rows = rows[: min(most, 3)] if self.limit == "capped" else rows[:most]
        if self.refuses([name for _, name in rows]):
            raise Unanswered("HTTP 504")
        return [
            Item(marker, name, deleted=False, value=b'{"m":%d}' % marker + b" " * self.sizes.get(name, 0))
            for marker, name in rows
        ]

    async def sleep(self, seconds: float) -> None:
        """Simulated time passes."""
        self.now += seconds
        await asyncio.sleep(0)


class ModelHeads:
    """Stands for source.heads.Heads: a round per interval of simulated time."""

    unknown_since: float | None = None

    def __init__(self, pos: ModelPos) -> None:
        self._pos = pos
        self._next = pos.now

    async def newer(self, _: Entity, after: float) -> Head:
        """A head asked after this time."""
        await self._pos.sleep(max(0.0, self._next - self._pos.now, after - self._pos.now) + 0.001)
        self._next = self._pos.now + INTERVAL
        self._pos.answers()
        return Head(self._pos.head(), self._pos.now)

    async def at_once(self, entity: Entity) -> Head:
        """As of now."""
        self._next = self._pos.now
        return await self.newer(entity, self._pos.now)

    def latest(self, _: Entity) -> Head | None:
        """Nothing newer."""
        return None


class ModelReader:
    """Stands for source.reader.Reader."""

    def __init__(self, pos: ModelPos) -> None:
        self._pos = pos

    async def page(
        self, marker: int, limit: int, arrived: Callable[[int], Awaitable[None]] | None = None
    ) -> list[Item | Undecodable]:
        """A page; its bytes are taken as they arrive."""
        page = self._pos.page(marker, limit)
        if arrived is not None:
            await arrived(sum(len(item[-1]) for item in page if isinstance(item, Item)))
        return page


@dataclass
class Reading:
    """A shard of the model that is read, by one owner after the other: only what is in `stored` and `bundles` survives one."""

    pos: ModelPos
    window: Window
    page_size: int = 4
    stored: bytes | None = None
    bundles: list[Bundle] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    crash_at: int | None = None
    poller: Poller | None = None
    failures: int = 0
    takes: int = 1 << 30
    """Bytes of a transaction that the line to Kafka carries in time."""
    portion: Portion = field(default_factory=Portion)

    def start(self) -> None:
        """A new owner takes over."""
        pos = self.pos

        async def sleep(seconds: float) -> None:
            await pos.sleep(seconds)

        clock = Clock(monotonic=lambda: pos.now, sleep=sleep, chance=lambda: 0.0)
        position = HERE.decode(self.stored, pos.now)
        shard_state = ShardState(("a", "relation"), State.RUNNING, self.told.append, clock)
        shard_state.state = position.state
        publisher = Publisher("a", RELATION, "a.dead-letters", 8 << 20)
        heads: Any = ModelHeads(pos)
        parts = PollerContext(
            heads, MemoryBudget(1 << 20), publisher, self.commit, clock, shard_state, portion=self.portion, window=self.window
        )
        self.poller = Poller(parts, cast(Any, ModelReader(pos)), position, self.page_size)

    def commit(self, bundle: Bundle) -> "asyncio.Future[None]":
        """One transaction: all of it, or, where the owner dies before it is committed, nothing."""
        if self.crash_at == 0:
            raise Crash
        self.crash_at = None if self.crash_at is None else self.crash_at - 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if bundle.size > self.takes:
            done.set_exception(TransactionLost("too slow", slow=True))
            return done
        self.bundles.append(bundle)
        self.stored = HERE.encode(bundle.position, self.pos.now)
        done.set_result(None)
        return done

    async def poll(self) -> None:
        """One round, by a new owner if the last one died; a POS that is down is waited for."""
        if self.poller is None:
            self.start()
        assert self.poller is not None
        try:
            await asyncio.wait_for(self.poller.poll_once(), 5)
        except Crash:
            self.crash_at = self.poller = None
        except TransactionLost:
            self.poller = None
            self.portion.others_sent()
        except Retry:
            self.failures += 1
            await self.pos.sleep(1.0)
        except TimeoutError:
            raise AssertionError("the poller waits for something that never comes") from None

    @property
    def position(self) -> Position:
        """As it is stored."""
        return HERE.decode(self.stored, self.pos.now)

    @property
    def busy(self) -> bool:
        """Whether there is something to read, or to look for: what is waited for needs no commit."""
        now = self.poller._position if self.poller else self.position
        return now.marker < self.pos.head() or bool(now.gaps)

    def published(self) -> list[tuple[str, int, str]]:
        """Identity, marker and origin of every event, in order."""
        found = []
        for bundle in self.bundles:
            for record in bundle.records:
                headers = {name: (value or b"").decode() for name, value in record.headers}
                if "ce_id" not in headers:
                    continue
                found.append(((record.key or b"").decode(), int(headers["ce_syncmarker"]), headers["ce_origin"]))
        return found


class Crash(BaseException):
    """The owner dies here."""

"""A bound on the bytes of pages that a worker holds, shared fairly by the administrations.

Bytes are taken as they arrive, so that a POS that hangs holds nothing for what it does not send. A page may grow

- while everything together stays within the limit;
- beyond that, if it is the one that goes ahead in its administration: the oldest that waits, once the administration holds no
  more than its share (the limit divided by those that hold or want bytes now), or nobody goes ahead there. So everybody gets
  a share whatever the others hold, one page of each always gets on, however large it is, and half read ones cannot wait
  for each other.

Shares fall as administrations come, and what was lent is not called back: n of them hold at most
the limit times (1 + 1/2 + … + 1/n), and one page each.
"""

import asyncio
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Self

PAGE_BYTES_MIN = 256 << 10
"""Bytes that a page may have however many share: smaller ones cost more calls than they spare memory."""

PAGES_AHEAD = 8
"""A page may have at least this part of a share, also when the share is used up: it will not be for long."""


class Reservation:
    """The bytes of one page. An async context manager: they are free when it ends, or later (`keep_until`)."""

    def __init__(self, budget: "MemoryBudget", account: "_Account") -> None:
        self.size = 0
        self.age: int | None = None
        self.account = account
        self._budget = budget
        self._on_the_way = 0

    async def grow(self, by: int) -> None:
        """Bytes arrived: wait until they may be held."""
        await self._budget.take(self, by)

    def resize(self, size: int) -> None:
        """The page is larger or smaller than what arrived. Never waits: it is here already."""
        self._budget.change(self, size - self.size)

    def keep_until(self, done: "asyncio.Future[Any]") -> None:
        """The page, or a part of it, is on its way to Kafka: its bytes are free when all parts have ended."""
        self._on_the_way += 1
        done.add_done_callback(lambda _: self._arrived())

    def _arrived(self) -> None:
        self._on_the_way -= 1
        if not self._on_the_way:
            self._budget.release(self)

    async def __aenter__(self) -> Self:
        """Never waits."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """The page was dropped, or is on its way."""
        if not self._on_the_way:
            self._budget.release(self)


@dataclass(slots=True, eq=False)
class _Turn:
    """Bytes that are waited for."""

    reservation: Reservation
    by: int
    come: "asyncio.Future[None]"


@dataclass(slots=True, eq=False)
class _Account:
    """An administration's part; `ahead` is the page that may grow beyond the limit."""

    held: int = 0
    turns: list[_Turn] = field(default_factory=list)
    ahead: Reservation | None = None


class MemoryBudget:
    """`limit` bytes for the pages of a worker. First come, first served, among those that may hold more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._accounts: dict[str, _Account] = {}
        self._sharing: set[_Account] = set()
        self._turns: list[_Turn] = []
        self._ages = count()
        self.used = 0

    def share(self, administration: str) -> int:
        """Bytes that a page of this administration may sensibly have now: what it can have without waiting, or little more."""
        account = self._account(administration)
        fair = self._limit // len(self._sharing | {account})
        free = max(fair - account.held, self._limit - self.used)
        return max(free, fair // PAGES_AHEAD, min(PAGE_BYTES_MIN, self._limit))

    def reserve(self, administration: str) -> Reservation:
        """For one page, of which nothing has arrived yet."""
        return Reservation(self, self._account(administration))

    def _account(self, administration: str) -> _Account:
        return self._accounts.setdefault(administration, _Account())

    async def take(self, reservation: Reservation, by: int) -> None:
        """Wait until so many bytes more may be held."""
        if reservation.age is None:
            reservation.age = next(self._ages)
        turn = _Turn(reservation, by, asyncio.get_running_loop().create_future())
        self._turns.append(turn)
        reservation.account.turns.append(turn)
        self._count(reservation.account)
        self._admit(turn)
        try:
            await turn.come
        except asyncio.CancelledError:
            self._leave(turn)
            raise

    def change(self, reservation: Reservation, by: int) -> None:
        """Take bytes that are here, or give some back, and let in who may come now."""
        reservation.size += by
        reservation.account.held += by
        self.used += by
        self._count(reservation.account)
        if by < 0:
            self._admit_all()

    def release(self, reservation: Reservation) -> None:
        """All of it is free, and another page may go ahead."""
        if reservation.account.ahead is reservation:
            reservation.account.ahead = None
        self.change(reservation, -reservation.size)
        self._admit_all()

    def _count(self, account: _Account) -> None:
        """Whether it shares in the limit."""
        (self._sharing.add if account.held or account.turns else self._sharing.discard)(account)

    def _leave(self, turn: _Turn) -> None:
        """Cancelled: it may have been admitted at the same time."""
        if turn not in self._turns:
            self.change(turn.reservation, -turn.by)
            return
        self._strike(turn)
        self._count(turn.reservation.account)
        self._admit_all()

    def _strike(self, turn: _Turn) -> None:
        self._turns.remove(turn)
        turn.reservation.account.turns.remove(turn)

    def _admit_all(self) -> None:
        for turn in list(self._turns):
            self._admit(turn)

    def _admit(self, turn: _Turn) -> None:
        if not turn.come.cancelled() and self._may_hold(turn):
            self._strike(turn)
            self.change(turn.reservation, turn.by)
            turn.come.set_result(None)

    def _may_hold(self, turn: _Turn) -> bool:
        account = turn.reservation.account
        if self.used + turn.by <= self._limit:
            return True
        if account.ahead is None or account.held <= self._limit // len(self._sharing):
            account.ahead = min((other.reservation for other in account.turns), key=_age)
        return account.ahead is turn.reservation


def _age(reservation: Reservation) -> int:
    return reservation.age or 0

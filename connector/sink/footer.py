"""Where the work of a command partition stands, and whether this worker still owns it."""

from collections.abc import Callable, Sequence

from connector.kafka.ownership import Membership
from connector.kafka.records import Place, Record
from connector.sink.intake.offsets import Progress
from connector.sink.ledger.ledger import Ledger


class ProgressFooter:
    """Where the work of the partition stands, written with each transaction; see kafka.writer.Closing.

    `offset` is what the group may commit: below it everything is committed, not only finished.
    """

    def __init__(self, ledger: Ledger, progress: Progress, group: str = "") -> None:
        self._ledger = ledger
        self._progress = progress
        self._group = group
        self._written = self.offset = progress.lowest

    def records(self) -> Sequence[Record]:
        """Everything that has finished so far is in this transaction, or in one before."""
        self._written = self._progress.lowest
        return [self._ledger.footer(self._written, self._progress.beyond, self._group)]

    def committed(self) -> None:
        """See Closing."""
        self.offset = self._written


class MembershipProof:
    """Remembers when this worker was last seen to be the owner: a group member cannot lose a partition faster than `valid`."""

    def __init__(self, membership: Membership, place: Place, valid: float, now: Callable[[], float]) -> None:
        self._membership = membership
        self._place = place
        self._valid = valid
        self._now = now
        self._at = now()

    async def prove(self, place: Place, offset: int | None = None) -> None:
        """See Membership."""
        asked = self._now()
        await self._membership.prove(place, offset)
        self._at = asked

    async def committed(self, place: Place) -> int:
        """See Membership."""
        return await self._membership.committed(place)

    async def fresh(self) -> None:
        """Prove it, unless that was done just now. Raises Fenced or Retry."""
        if self._now() - self._at > self._valid:
            await self.prove(self._place)

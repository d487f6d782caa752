"""The task of the sink: an owned partition of the command topic, from its ledger read back to its commands in hand."""

from connector.events.commands import CommandsRemade, LedgerCounted
from connector.kafka.ownership import Membership
from connector.kafka.reading.readers import PartitionReader, reading_from
from connector.kafka.records import Place
from connector.kafka.tasks import OnReady
from connector.kafka.writing.transactions import FencedProducer
from connector.sink.footer import MembershipProof, ProgressFooter
from connector.sink.intake.claims import Claim
from connector.sink.intake.feeding import lost_between
from connector.sink.intake.in_hand import Begun, InHand
from connector.sink.intake.offsets import Finished, Progress
from connector.sink.intake.vanished import Vanished
from connector.sink.ledger.ledger import Ledger
from connector.sink.ledger.reading import read_back
from connector.sink.parts import SinkTaskContext

__all__ = ["MembershipProof", "ProgressFooter", "SinkTask", "SinkTaskContext"]


class SinkTask:
    """The work on a command partition; see kafka.tasks.TaskBody."""

    def __init__(self, parts: SinkTaskContext) -> None:
        self._parts = parts

    async def __call__(self, place: Place, producer: FencedProducer, membership: Membership, settled: OnReady) -> None:
        """Read the ledger back, then the commands from where their work stands, until cancelled.

        Raises Fatal where it is another deployment's, Fenced or TransactionLost.
        """
        parts, task_context = self._parts, self._parts.task_context
        claim = Claim(task_context.cluster, Place(parts.topics.ledger, place.partition), parts.group)
        ledger = await self._ledger(claim)
        known = max(ledger.offset, await membership.committed(place))
        async with reading_from(task_context.cluster, place, known) as reader:
            vanished = Vanished(ledger.open_intents(), reader.start, remade=reader.start < known)
            begun = self._begun(place, ledger, reader, known, vanished)
            if not _written(begun, parts.group):
                await claim.commit(producer, ledger.footer(begun.progress.lowest, begun.progress.beyond, parts.group))
            task_context.tell(LedgerCounted(parts.administration, place.partition, len(ledger)))
            settled()
            await InHand(parts, place, begun).run(producer, membership, reader)

    async def _ledger(self, claim: Claim) -> Ledger:
        """The ledger, read back; once more where it has no owner yet: others may be taking it at this moment."""
        task_context = self._parts.task_context
        ledger = await read_back(task_context.cluster, claim.place, task_context.clock.monotonic(), task_context.turns)
        if claim.judged(ledger.group):
            return ledger
        await claim.watch()
        ledger = await read_back(task_context.cluster, claim.place, task_context.clock.monotonic(), task_context.turns)
        claim.judged(ledger.group)
        return ledger

    def _begun(self, place: Place, ledger: Ledger, reader: PartitionReader, known: int, vanished: Vanished) -> Begun:
        """Where the work begins; Kafka may have deleted commands while nobody read them, or made the partition anew."""
        parts, tell = self._parts, self._parts.task_context.tell
        if reader.start < known:
            tell(CommandsRemade(parts.administration, place.partition, known))
            return Begun(ledger, Progress(reader.start), Finished(), vanished)
        if known < reader.first and (ledger.begun or known):
            answered = vanished.within(known, reader.first)
            lost = lost_between(parts.post(place), known, reader.first, ledger.finished, answered)
            if lost is not None:
                tell(lost)
        return Begun(ledger, Progress(reader.start, ledger.finished), ledger.finished, vanished)


def _written(begun: Begun, group: str) -> bool:
    """Whether the footer says whose it is and where it begins."""
    ledger, progress = begun.ledger, begun.progress
    says = (ledger.begun, ledger.group, ledger.offset, ledger.finished.ranges)
    return says == (True, group, progress.lowest, progress.beyond)

"""Whose a command partition is: of one deployment. Two would carry out every command twice."""

from connector.errors import Fatal, TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.errors import transacting
from connector.kafka.reading.tails import end_of, lying_since
from connector.kafka.records import Place, Record
from connector.kafka.writing.transactions import FencedProducer
from connector.messages.loose_json import object_in
from connector.sink.ledger.ledger import FOOTER

SOMEBODY_ELSE = "another deployment, {group}, takes {place} at this moment"


def lane_key(partition: int) -> bytes:
    """The key of a partition's own record in its ledger."""
    return FOOTER + b"%d" % partition


def owner(value: bytes) -> str:
    """The deployment that a footer names; empty: one of an older version, which named none, or a stranger's."""
    return str(object_in(value).get("group", ""))


class Claim:
    """What one deployment has to say to a ledger partition: it is ours, from before anything is carried out.

    To be used with the producer of the session, which has fenced the one before.
    """

    def __init__(self, cluster: Cluster, ledger: Place, group: str) -> None:
        self.place = ledger
        self._cluster = cluster
        self._group = group
        self._since: int | None = None

    def judged(self, theirs: str) -> bool:
        """Whether the ledger names its owner, or nobody asks. Raises Fatal where it is another deployment."""
        if theirs and self._group and theirs != self._group:
            raise Fatal(said(f"the order commands of {self.place.topic.rpartition('.')[0]}", theirs))
        return bool(theirs) or not self._group

    async def watch(self) -> None:
        """What comes into the ledger from now on is looked at before our word counts. Raises Fenced or TransactionLost."""
        with transacting(self.place.partition):
            self._since = await end_of(self._cluster, self.place)

    async def commit(self, producer: FencedProducer, record: Record) -> None:
        """Write the footer, if nobody was before us. Raises Fenced, or TransactionLost: it is to be read back again."""
        if self._since is None:
            await producer.transaction([record])
        else:
            await producer.transaction([record], self._first)

    async def _first(self) -> None:
        """Our record lies there and is not decided. Of two that do this at once, the one that lies behind gives way."""
        for record in await lying_since(self._cluster, self.place, self._since or 0):
            theirs = owner(record.value) if record.key == lane_key(self.place.partition) and record.value else ""
            if theirs == self._group:
                return
            if theirs:
                raise TransactionLost(SOMEBODY_ELSE.format(group=theirs, place=self.place))


def said(what: str, group: str) -> str:
    """What is wrong, and what to do."""
    return f"{what} belong to the deployment {group}: stop it and start with --adopt, or set CONNECTOR_GROUP to it"

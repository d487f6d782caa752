"""Asking the owner of an entity to repair what an audit found, a bounded request at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from connector.admin.control import ControlUpdate, asked
from connector.audit.verdict import Finding, Kind
from connector.errors import ConnectorError, Reject, Unanswered
from connector.kafka.cluster import Cluster
from connector.messages.control import GONE_MAX, ITEMS_MAX, ControlRequest, Named

ACCEPTED_WITHIN_S = 60.0
"""Seconds."""

DONE_WITHIN_S = 24 * 3600.0
"""Seconds: a worker looks through all of the source for what is gone, at the audit's rate."""

Tell = Callable[[int, int, Mapping[str, Any]], None]
"""Hears which request of how many was answered, and how."""

UNSEEN = "no worker took it: is one running (`status`)?"
UNENDED = "accepted, and not done in time: it goes on; audit again later"


def requests(entity: str, findings: Sequence[Finding], by: str) -> Iterator[ControlRequest]:
    """Requests that name them all, each no larger than a worker takes. A list's item has no marker: 0 stands for it.

    The marker says where to look: an item that the POS does not show at its own is named where it does.
    """
    items = sorted(
        (
            (each.identity, (each.marker if each.asked is None else each.asked) or 0)
            for each in findings
            if each.kind is not Kind.GONE
        ),
        key=_marker,
    )
    gone = sorted(((each.identity, each.topic_marker or 0) for each in findings if each.kind is Kind.GONE), key=_marker)
    for part in _parts(items, ITEMS_MAX):
        yield ControlRequest("repair", entity, by=by, items=part)
    for part in _parts(gone, GONE_MAX):
        yield ControlRequest("repair", entity, by=by, gone=part)


def _marker(row: Named) -> tuple[int, str]:
    return row[1], row[0]


def _parts(rows: Sequence[Named], most: int) -> Iterator[Sequence[Named]]:
    return (rows[at : at + most] for at in range(0, len(rows), most))


async def repair_all(brokers: Cluster, administration: str, requests: Sequence[ControlRequest], tell: Tell) -> None:
    """Ask one after the other, and wait for each. Raises Reject where one is not done, Unanswered, Fatal."""
    for number, request in enumerate(requests, 1):
        said = await _answered(brokers, administration, request, partial(tell, number, len(requests)))
        if said["status"] != "done":
            raise Reject(f"a repair was {said['status']} by {said['owner']}: {said['reason']}")


async def _answered(
    brokers: Cluster, administration: str, request: ControlRequest, tell: Callable[[Mapping[str, Any]], None]
) -> Mapping[str, Any]:
    said: dict[str, Any] = {}
    deadline = asyncio.timeout(ACCEPTED_WITHIN_S)
    try:
        async with deadline, asked(brokers, administration, request) as update:
            async for answer in _answers(update):
                said.update(answer)
                tell(answer)
                deadline.reschedule(asyncio.get_running_loop().time() + DONE_WITHIN_S)
    except (TimeoutError, ConnectorError) as error:  # the client calls our deadline a broker that is silent
        if not deadline.expired():
            raise
        raise Unanswered(UNENDED if said else UNSEEN) from error
    return said


async def _answers(update: AsyncIterator[ControlUpdate]) -> AsyncIterator[Mapping[str, Any]]:
    """Up to the one that ends it."""
    async for each in update:
        if each.answer is not None:
            yield each.answer
        if each.answer is not None and each.answer["status"] != "accepted":
            return

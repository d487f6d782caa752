"""What operators ask of an entity, and what becomes of it. Pure: no I/O, no clock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from connector.errors import Reject
from connector.source.gaps import NONE
from connector.source.positions import NEVER_READ, Applied, Pending, Position, Resync
from connector.source.schedule import State
from connector.source.wanted import wanted

EXPIRES = 600.0
"""Seconds after which a request that nobody saw surprises more than it helps."""

LONGEST = 200
"""Characters of a name: an answer repeats them, and one that the broker refuses would stop the task."""

ACCEPTED, DONE, REJECTED, FAILED = "accepted", "done", "rejected", "failed"
RESYNC, RESUME, REPAIR = "resync", "resume", "repair"
LOW = (
    "the POS's head, {head}, lies below what was read, {highest}: within a minute it is known whether it was restored, "
    "and the entity is head-regressed then; ask again"
)
WAITING = "it is paused: it reads when it is resumed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request."""

    id: str
    action: str
    entity: str
    status: str
    reason: str = ""

    def encode(self, at: str, owner: str) -> bytes:
        """The record's value."""
        named = {"id": self.id, "action": self.action, "entity": self.entity, "status": self.status}
        return orjson.dumps({**named, "reason": self.reason, "at": at, "owner": owner})


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was read: `where` it lies, and its age in seconds. What it is about may be anything: see `problem`."""

    id: str
    action: str
    entity: str
    start: Any
    where: Applied
    age: float
    items: Any = None
    gone: Any = None

    def answer(self, status: str, reason: str = "") -> Answer:
        """What became of it."""
        return Answer(self.id, self.action, self.entity, status, reason)


def read(value: bytes | None, where: Applied, age: float) -> Request | None:
    """The request in a record; None where it has no id, or an endless one: nobody could be answered."""
    try:
        row = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or len(row["id"]) > LONGEST:
        return None
    action, entity = (str(row.get(name))[:LONGEST] for name in ("action", "entity"))
    return Request(row["id"], action, entity, row.get("from"), where, age, row.get("items"), row.get("gone"))


def problem(request: Request, entity: str, *, listed: bool) -> str:
    """What is wrong with a request to this entity, whatever its state; empty when nothing is."""
    if request.entity != entity:
        return f"no entity {request.entity} is read here"
    if request.action not in CHANGES:
        return f"unknown action {request.action}: use {', '.join(CHANGES)}"
    if request.age > EXPIRES:
        return f"expired: it is {request.age / 60:.0f} minutes old, and nobody took it before"
    if request.action == REPAIR:
        return _repair_problem(request)
    return _start_problem(request.start, listed) if request.action == RESYNC else ""


def _start_problem(start: Any, listed: bool) -> str:
    if start is None:
        return ""
    if isinstance(start, bool) or not isinstance(start, int) or start < 0:
        return "from must be a sync marker: a whole number of 0 or more"
    return "a list is published as a whole: leave from out" if listed and start else ""


def _repair_problem(request: Request) -> str:
    try:
        wanted(request.items, request.gone)
    except Reject as error:
        return str(error)
    return ""


def changed(position: Position, request: Request, head: int | None) -> Position:
    """The position after a request, at this head of the POS (None: a list). Raises Reject."""
    return replace(CHANGES[request.action](replace(position, repair=None), request, head), control=request.where)


def answers(request: Request, before: Position, after: Position) -> list[Answer]:
    """What is answered when the request has changed the position."""
    found = []
    if request.action == RESYNC and before.resync:
        found.append(Answer(before.resync.id, RESYNC, request.entity, FAILED, "another resync took its place"))
    if before.repair:
        found.append(Answer(before.repair.id, REPAIR, request.entity, FAILED, f"a {request.action} took its place: ask again"))
    if request.action == REPAIR or (request.action == RESYNC and after.resync is not None):
        return [*found, request.answer(ACCEPTED, WAITING if after.state is State.PAUSED else "")]
    return [*found, request.answer(ACCEPTED), request.answer(DONE)]


def _pause(position: Position, _request: Request, _head: int | None) -> Position:
    if position.state.stopped and position.state is not State.PAUSED:
        raise Reject(f"it has stopped already: {position.state}")
    return replace(position, state=State.PAUSED)


def _resume(position: Position, _request: Request, head: int | None) -> Position:
    """The operator's word: that the POS was not restored (the head must say so too), or that the topic has what it shall have."""
    if position.state is State.HEAD_REGRESSED and (head is None or head < position.highest):
        raise Reject(f"the POS's head, {head}, lies below the position, {position.highest}, so its markers come again: resync it")
    anchor = None if position.state is State.HEAD_REGRESSED else position.anchor
    topic = None if position.state is State.TOPIC_LOST else position.topic
    return replace(position, state=State.RUNNING, anchor=anchor, topic=topic)


def _resync(position: Position, request: Request, head: int | None) -> Position:
    """To just before the marker. After a confirmed restore of the POS all it has now counts as new: another epoch."""
    state = State.PAUSED if position.state is State.PAUSED else State.RUNNING
    if head is None:  # a list: what is known is kept by name: what vanished meanwhile is still seen to be gone
        forgotten = dict.fromkeys(position.hashes, "")
        return replace(position, state=state, hashes=forgotten, resync=Resync(request.id, None), topic=None)
    restored = position.state is State.HEAD_REGRESSED
    if head < position.highest and not restored:  # one low head proves no restore
        raise Reject(LOW.format(head=head, highest=position.highest))
    start = 0 if request.start is None and restored else request.start
    if start is None:
        raise Reject("say from which sync marker: only after head-regressed it is 0 by itself")
    if start > head + 1:
        raise Reject(f"{start} lies beyond the POS's head, {head}")
    upto = head if restored else position.highest
    resync = Resync(request.id, upto) if start - 1 < upto else None
    marker = max(start - 1, NEVER_READ)
    types = None if marker == NEVER_READ else position.types
    known = {"gaps": NONE, "anchor": None} if restored else {"gaps": position.gaps.below(marker)}
    topic = None if position.state is State.TOPIC_LOST else position.topic
    return replace(
        position,
        marker=marker,
        state=state,
        epoch=position.epoch + restored,
        resync=resync,
        topic=topic,
        letters=(),
        types=types,
        **known,
    )


def _repair(position: Position, request: Request, _head: int | None) -> Position:
    if position.state.stopped:
        raise Reject(f"it has stopped: {position.state}")
    return replace(position, repair=Pending(request.id, *request.where))


CHANGES: Mapping[str, Callable[[Position, Request, int | None], Position]] = {
    "pause": _pause,
    RESUME: _resume,
    RESYNC: _resync,
    REPAIR: _repair,
}

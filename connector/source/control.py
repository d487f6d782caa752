"""What operators ask of an entity, and what becomes of it. Pure: no I/O, no clock."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from connector.errors import Reject
from connector.messages.control import ACCEPTED, DONE, FAILED, REPAIR, RESUME, RESYNC, Answer, ReceivedRequest, wanted
from connector.messages.gaps import NONE
from connector.messages.position import NEVER_READ, Pending, Position, Resync, State

EXPIRES_S = 600.0
"""Seconds after which a request that nobody saw surprises more than it helps."""

LOW = (
    "the POS's head, {head}, lies below what was read, {highest}: within a minute it is known whether it was restored, "
    "and the entity is head-regressed then; ask again"
)
WAITING = "it is paused: it reads when it is resumed"


def problem(request: ReceivedRequest, entity: str, *, listed: bool) -> str:
    """What is wrong with a request to this entity, whatever its state; empty when nothing is."""
    if request.entity != entity:
        return f"no entity {request.entity} is read here"
    if request.action not in CHANGES:
        return f"unknown action {request.action}: use {', '.join(CHANGES)}"
    if request.age > EXPIRES_S:
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


def _repair_problem(request: ReceivedRequest) -> str:
    try:
        wanted(request.items, request.gone)
    except Reject as error:
        return str(error)
    return ""


def changed(position: Position, request: ReceivedRequest, head: int | None) -> Position:
    """The position after a request, at this head of the POS (None: a list). Raises Reject."""
    return replace(CHANGES[request.action](replace(position, repair=None), request, head), control=request.where)


def answers(request: ReceivedRequest, before: Position, after: Position) -> list[Answer]:
    """What is answered when the request has changed the position."""
    found = []
    if request.action == RESYNC and before.resync:
        found.append(Answer(before.resync.id, RESYNC, request.entity, FAILED, "another resync took its place"))
    if before.repair:
        found.append(Answer(before.repair.id, REPAIR, request.entity, FAILED, f"a {request.action} took its place: ask again"))
    if request.action == REPAIR or (request.action == RESYNC and after.resync is not None):
        return [*found, request.answer(ACCEPTED, WAITING if after.state is State.PAUSED else "")]
    return [*found, request.answer(ACCEPTED), request.answer(DONE)]


def _pause(position: Position, _request: ReceivedRequest, _head: int | None) -> Position:
    if position.state.stopped and position.state is not State.PAUSED:
        raise Reject(f"it has stopped already: {position.state}")
    return replace(position, state=State.PAUSED)


def _resume(position: Position, _request: ReceivedRequest, head: int | None) -> Position:
    """The operator's word: that the POS was not restored (the head must say so too), or that the topic has what it shall have."""
    if position.state is State.HEAD_REGRESSED and (head is None or head < position.highest):
        raise Reject(f"the POS's head, {head}, lies below the position, {position.highest}, so its markers come again: resync it")
    anchor = None if position.state is State.HEAD_REGRESSED else position.anchor
    topic = None if position.state is State.TOPIC_LOST else position.topic
    return replace(position, state=State.RUNNING, anchor=anchor, topic=topic)


def _resync(position: Position, request: ReceivedRequest, head: int | None) -> Position:
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


def _repair(position: Position, request: ReceivedRequest, _head: int | None) -> Position:
    if position.state.stopped:
        raise Reject(f"it has stopped: {position.state}")
    return replace(position, repair=Pending(request.id, *request.where))


CHANGES: Mapping[str, Callable[[Position, ReceivedRequest, int | None], Position]] = {
    "pause": _pause,
    RESUME: _resume,
    RESYNC: _resync,
    REPAIR: _repair,
}

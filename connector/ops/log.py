"""Log lines, from events: structured, one per thing that matters. No line ever holds a URL."""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import stamina.instrumentation
import structlog

from connector.events.base import Event, ListenerFailed
from connector.events.commands import CommandEnded, CommandsHeldBack, CommandsLost, CommandsRemade, MessageRefused
from connector.events.kafka import PartitionFailed, PartitionLost, PartitionOwned, Rejoining, TransactionEnded
from connector.events.pos import CallRetried
from connector.events.source import (
    ControlAnswered,
    DeadLettered,
    ItemsBelow,
    LateFound,
    PageCommitted,
    PageLimited,
    ShardStarted,
    StateChanged,
)
from connector.events.views import ViewsRecordRefused
from connector.messages.position import State
from connector.ops.libraries import LibraryLog
from connector.ops.stream import Line, LogStream, write

__all__ = ["Line", "configure", "line_of", "log_event", "silence_loggers", "write"]

URL_PRINTERS = ("httpx", "httpcore")
"""Loggers that print request URLs, and so the POS secret."""

LOUDNESS = {"succeeded": "info", "rejected": "warning", "unknown": "error"}


def silence_loggers() -> None:
    """Silence the libraries: those that print URLs, and those whose news come as events or errors of ours."""
    for name in URL_PRINTERS:
        logging.getLogger(name).disabled = True
        logging.getLogger(name).propagate = False
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    stamina.instrumentation.set_on_retry_hooks([])  # its hooks print arguments


def configure(style: str, level: str) -> None:
    """Set up logging for the process, that of libraries too. `style`: console or json."""
    silence_loggers()
    renderer: Any = structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=_coloured())
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=LogStream(),
    )
    logging.basicConfig(level=logging.WARNING, handlers=[LibraryLog(time.monotonic)], force=True)


def _coloured() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def log_event(event: Event) -> None:
    """Write the line of an event, if it deserves one."""
    if (line := line_of(event)) is not None:
        level, text, fields = line
        write(level, text, **fields)


def line_of(event: Event) -> Line | None:
    """What is written of an event. Those of waiting commands are summed up: see ops.waiting."""
    say = LINES.get(type(event))
    return None if say is None else say(event)


def _fields(event: Event, *names: str) -> dict[str, object]:
    found = {name: getattr(event, name) for name in names}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in found.items()}


def _always(level: str, text: str, *names: str) -> Callable[[Any], Line]:
    return lambda event: (level, text, _fields(event, *names))


def _state_changed(event: StateChanged) -> Line:
    reason = ("reason",) if event.reason else ()
    level = "info" if event.state == State.RUNNING else "warning"
    return level, "state changed", _fields(event, "administration", "entity", "state", *reason)


def _control_answered(event: ControlAnswered) -> Line:
    reason = ("reason",) if event.reason else ()
    level = "info" if event.status in ("accepted", "done") else "warning"
    return level, f"request {event.status}", _fields(event, "administration", "entity", "action", "id", *reason)


def _page_committed(event: PageCommitted) -> Line | None:
    if not event.items:
        return None
    return "debug", "page committed", _fields(event, "administration", "entity", "items", "marker", "seconds")


def _transaction_ended(event: TransactionEnded) -> Line | None:
    return ("warning", "transaction lost", {**_fields(event, "topic", "partition"), "reason": event.lost}) if event.lost else None


def _command_ended(event: CommandEnded) -> Line:
    """A repeated one gets no louder line again."""
    names = ("administration", "command", "command_id", "outcome", "reason", "attempts", "seconds")
    told = [name for name in ("message", "reconciled", "duplicate") if getattr(event, name)]
    level = "info" if event.duplicate else LOUDNESS[event.outcome]
    return level, f"command {event.outcome}", _fields(event, *names, *told)


def _commands_lost(event: CommandsLost) -> Line:
    fields = {"administration": event.administration, "partition": event.partition, "first": event.first}
    return "error", "commands deleted unread", {**fields, "following": event.following, "most": event.count}


def _held_back(event: CommandsHeldBack) -> Line:
    if not event.seconds:
        return "info", "commands no longer held back", _fields(event, "administration", "partition", "offset")
    return (
        "error",
        "commands held back by an open transaction",
        _fields(event, "administration", "partition", "offset", "seconds"),
    )


def _message_refused(event: MessageRefused) -> Line | None:
    if event.stage == "outcome":  # the command's own line says it
        return None
    return "warning", "dead letter", _fields(event, "administration", "stage", "partition", "offset", "reason")


LINES: Mapping[type[Event], Callable[[Any], Line | None]] = {
    StateChanged: _state_changed,
    ControlAnswered: _control_answered,
    ShardStarted: _always("debug", "entity taken", "administration", "entity", "marker", "state"),
    PageCommitted: _page_committed,
    DeadLettered: _always("warning", "dead letter", "administration", "entity", "stage", "marker", "reason"),
    LateFound: _always("info", "late items found", "administration", "entity", "items"),
    ItemsBelow: _always("warning", "items below the marker: not published", "administration", "entity", "asked", "items"),
    PageLimited: _always("info", "pages are asked with another limit", "administration", "entity", "limit", "reason"),
    CallRetried: _always("info", "call repeated", "administration", "operation", "attempt", "fault"),
    TransactionEnded: _transaction_ended,
    PartitionOwned: _always("info", "partition taken", "topic", "partition", "seconds"),
    PartitionLost: _always("info", "partition released", "topic", "partition", "reason"),
    PartitionFailed: _always("error", "partition fails", "topic", "partition", "reason", "seconds"),
    Rejoining: _always("warning", "joining the group again", "group", "reason"),
    CommandEnded: _command_ended,
    MessageRefused: _message_refused,
    CommandsLost: _commands_lost,
    CommandsRemade: _always("error", "command topic made anew", "administration", "partition", "offset"),
    CommandsHeldBack: _held_back,
    ListenerFailed: _always("error", "a listener fails", "listener", "reason"),
    ViewsRecordRefused: _always("warning", "record passed over", "topic", "partition", "offset", "reason"),
}
"""What is written of each event; of any other, nothing."""

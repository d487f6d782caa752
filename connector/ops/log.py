"""Log lines, from events: structured, one per thing that matters. No line ever holds a URL."""

import logging
import sys
from typing import Any, cast

import stamina.instrumentation
import structlog

from connector.events import (
    CallRetried,
    DeadLettered,
    Event,
    PageCommitted,
    PartitionLost,
    PartitionOwned,
    Rejoining,
    ShardStarted,
    StateChanged,
    TransactionEnded,
)

URL_PRINTERS = ("httpx", "httpcore")
"""Loggers that print request URLs, and so the POS secret."""


def hush() -> None:
    """Silence the libraries: those that print URLs, and those whose news come as events or errors of ours."""
    for name in URL_PRINTERS:
        logging.getLogger(name).disabled = True
        logging.getLogger(name).propagate = False
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    stamina.instrumentation.set_on_retry_hooks([])  # its hooks print arguments


def configure(style: str, level: str) -> None:
    """Set up logging for the process. `style`: console or json."""
    hush()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr, force=True)
    renderer: Any = (
        structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # looked up each time: the live summary redirects it
    )


def log_event(event: Event) -> None:
    """Write the line of an event, if it deserves one."""
    log = cast("structlog.typing.FilteringBoundLogger", structlog.get_logger())
    match event:
        case StateChanged(state=state, reason=reason):
            say = log.info if state == "running" else log.warning
            say("state changed", **_where(event), state=state, **({"reason": reason} if reason else {}))
        case DeadLettered(stage=stage, marker=marker, reason=reason):
            log.warning("dead letter", **_where(event), stage=stage, marker=marker, reason=reason)
        case PageCommitted(items=items, marker=marker, seconds=seconds) if items:
            log.debug("page committed", **_where(event), items=items, marker=marker, seconds=round(seconds, 3))
        case ShardStarted(marker=marker, state=state):
            log.debug("entity taken", **_where(event), marker=marker, state=state)
        case CallRetried(operation=operation, attempt=attempt):
            log.info("call repeated", administration=event.administration, operation=operation, attempt=attempt)
        case TransactionEnded(topic=topic, partition=partition, lost=lost) if lost:
            log.warning("transaction lost", topic=topic, partition=partition, reason=lost)
        case PartitionOwned(topic=topic, partition=partition, seconds=seconds):
            log.info("partition taken", topic=topic, partition=partition, seconds=round(seconds, 3))
        case PartitionLost(topic=topic, partition=partition, reason=reason):
            log.info("partition released", topic=topic, partition=partition, reason=reason)
        case Rejoining(group=group, reason=reason):
            log.warning("joining the group again", group=group, reason=reason)


def _where(event: Any) -> dict[str, str]:
    return {"administration": event.administration, "entity": event.entity}

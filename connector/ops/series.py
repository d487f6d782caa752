"""What `/metrics` shows, a row each: name, meaning, labels, and the event that moves it.

Labels are bounded: administrations, entities, operations, commands, kinds. A series without an event is kept by ops.metrics.
"""

from collections.abc import Mapping

from connector.events.base import ListenerFailed
from connector.events.commands import CommandEnded, CommandsHeldBack, CommandsLost, CommandTaken, LedgerCounted
from connector.events.kafka import PartitionFailed, TransactionEnded
from connector.events.pos import CallMade, CallRetried, PageDecoded
from connector.events.source import DeadLettered, GapsCounted, ItemsBelow, LateFound, PageCommitted, PageLimited, PageRead
from connector.events.views import ViewsBatchDone, ViewsLooked, ViewsRecordRefused
from connector.ops.registry import SECONDS, Counted, Series, Shown, Timed

SHARD = ("administration", "entity")
CALL = ("administration", "operation")
COMMAND = ("administration", "command")
TOPIC = ("topic",)
PARTITION = ("administration", "partition")
STAGE = ("administration", "stage")
LONG_SECONDS = (*SECONDS, 300, 900, 3600)
"""A command waits for a POS that is down."""


def _failed(event: CallMade) -> bool:
    return bool(event.fault) and not event.cancelled


def _lost(event: TransactionEnded) -> bool:
    return bool(event.lost)


def _committed(event: TransactionEnded) -> bool:
    return not event.lost


def _first(event: CommandEnded) -> bool:
    return not event.duplicate


def _repeated(event: CommandEnded) -> bool:
    return event.duplicate


SERIES: Mapping[str, Series] = {
    "head": Shown("mplus_connector_head_marker", "Highest sync marker of the POS", SHARD),
    "position": Shown("mplus_connector_position_marker", "Sync marker up to which everything is in Kafka", SHARD),
    "backlog": Shown("mplus_connector_backlog_markers", "Sync markers not read yet; absent while the head is not known", SHARD),
    "age": Shown("mplus_connector_backlog_age_seconds", "Age of the oldest unread change, or of what is known", SHARD),
    "unknown": Shown("mplus_connector_head_unknown_seconds", "How long the POS has not told its head; 0: it does", SHARD),
    "gaps": Shown(
        "mplus_connector_open_gaps",
        "Markers below the position where an item may still become visible",
        SHARD,
        GapsCounted,
        "open",
    ),
    "limit": Shown("mplus_connector_page_limit_items", "Items that a page is asked with", SHARD, PageLimited, "limit"),
    "state": Shown("mplus_connector_shard_state", "1: the entity is in this state", (*SHARD, "state")),
    "regressed": Shown("mplus_connector_head_regressed", "1: the head fell below the position", SHARD),
    "running": Shown("mplus_connector_shard_running", "1: read by this worker and not stopped", SHARD),
    "reachable": Shown(
        "mplus_connector_pos_reachable",
        "1: the last call that ended was answered, and none hangs for over 60 s; absent where there is nothing to ask",
        ("administration",),
    ),
    "oldest call": Shown(
        "mplus_connector_pos_oldest_call_seconds",
        "How long the oldest call has been under way; 0: there is none",
        ("administration",),
    ),
    "partitions": Shown("mplus_connector_owned_partitions", "Partitions owned by this worker", TOPIC),
    "in flight": Shown("mplus_connector_commands_in_flight", "Commands being worked on by this worker", COMMAND),
    "waiting": Shown("mplus_connector_commands_waiting", "Of them, those that had to wait for the POS", COMMAND),
    "ledger": Shown(
        "mplus_connector_ledger_entries",
        "Ledger entries of a partition owned by this worker",
        PARTITION,
        LedgerCounted,
        "entries",
    ),
    "held back": Shown(
        "mplus_connector_commands_held_back_seconds",
        "How long an open transaction holds commands back",
        PARTITION,
        CommandsHeldBack,
        "seconds",
    ),
    "configured": Shown("mplus_connector_shard_configured", "1: this worker's settings name it, whoever reads it", SHARD),
    "shared": Shown("mplus_connector_partitions", "Partitions that the workers share", TOPIC),
    "info": Shown("mplus_connector_info", "1: this worker's version and digest of its settings", ("version", "digest")),
    "items": Counted("mplus_connector_items", "Items published", SHARD, PageCommitted, "items"),
    "items read": Counted("mplus_connector_items_read", "Items read, some of them again", SHARD, PageRead, "items"),
    "pages": Counted("mplus_connector_pages", "Pages read", SHARD, PageRead),
    "late": Counted(
        "mplus_connector_late_items",
        "Items that became visible below the position, and were published",
        SHARD,
        LateFound,
        "items",
    ),
    "expired": Counted("mplus_connector_expired_gaps", "Gaps that are no longer waited for", SHARD, GapsCounted, "expired"),
    "below": Counted(
        "mplus_connector_items_below", "Items below the marker asked for: not published", SHARD, ItemsBelow, "items"
    ),
    "letters": Counted(
        "mplus_connector_dead_letters", "Items and commands that became dead letters", (*SHARD, "stage"), DeadLettered
    ),
    "faults": Counted(
        "mplus_connector_pos_faults",
        "Failed calls by kind",
        (*CALL, "kind"),
        CallMade,
        when=_failed,
    ),
    "retries": Counted("mplus_connector_pos_retries", "Repeated calls, by what had failed", (*CALL, "kind"), CallRetried),
    "lost": Counted(
        "mplus_connector_transactions_lost",
        "Kafka transactions aborted or of unknown outcome",
        TOPIC,
        TransactionEnded,
        when=_lost,
    ),
    "failed": Counted(
        "mplus_connector_partition_failures",
        "Unforeseen failures of work on a partition, which is tried again",
        TOPIC,
        PartitionFailed,
    ),
    "received": Counted("mplus_connector_commands_received", "Valid commands that work was begun on", COMMAND, CommandTaken),
    "outcomes": Counted(
        "mplus_connector_command_outcomes",
        "Commands that ended, repeated ones apart",
        (*COMMAND, "outcome"),
        CommandEnded,
        when=_first,
    ),
    "reconciled": Counted(
        "mplus_connector_commands_reconciled",
        "Of them, those that looking at the order decided",
        COMMAND,
        CommandEnded,
        "reconciled",
        when=_first,
    ),
    "duplicates": Counted(
        "mplus_connector_commands_duplicate",
        "Repeated commands, answered with the first result",
        COMMAND,
        CommandEnded,
        when=_repeated,
    ),
    "commands lost": Counted(
        "mplus_connector_commands_lost",
        "Commands, at most, that Kafka deleted before they were read",
        ("administration",),
        CommandsLost,
        "count",
    ),
    "log lost": Counted("mplus_connector_log_lines_lost", "Log lines that could not be written", ()),
    "listener": Counted(
        "mplus_connector_listener_errors", "Events that a listener of this worker failed on", ("listener",), ListenerFailed
    ),
    "page": Timed("mplus_connector_page_seconds", "Fetching and decoding a page", SHARD, PageRead),
    "decode": Timed("mplus_connector_decode_seconds", "Decoding a page, fetching apart", CALL, PageDecoded),
    "call": Timed("mplus_connector_pos_call_seconds", "Calls of the POS, to the end of the answer", CALL, CallMade),
    "transaction": Timed(
        "mplus_connector_transaction_seconds",
        "Kafka transactions committed",
        TOPIC,
        TransactionEnded,
        when=_committed,
    ),
    "command": Timed(
        "mplus_connector_command_seconds",
        "From the beginning of a command to its committed result",
        COMMAND,
        CommandEnded,
        when=_first,
        buckets=LONG_SECONDS,
    ),
}

SERIES_OF_VIEWS: Mapping[str, Series] = {
    "started": Shown("mplus_connector_views_started_timestamp_seconds", "When this worker started, by its clock", ()),
    "lag": Shown(
        "mplus_connector_views_lag_records",
        "Records of this worker's partitions that are not folded yet; no sample while that is unknown",
        TOPIC,
    ),
    "restoring": Shown(
        "mplus_connector_views_restoring_entries", "Table entries still to be read back", (), ViewsLooked, "restoring"
    ),
    "ready": Shown(
        "mplus_connector_views_ready",
        "1: this worker was up to date since it started, has its partitions, and Kafka answers",
        (),
        ViewsLooked,
        "ready",
    ),
    "records": Counted("mplus_connector_views_records", "Records carried out", STAGE, ViewsBatchDone, "records"),
    "refused": Counted(
        "mplus_connector_views_refused_records",
        "Records that cannot be understood and were passed over",
        TOPIC,
        ViewsRecordRefused,
    ),
    "batch": Timed(
        "mplus_connector_views_batch_seconds",
        "Carrying out a batch of records, until Kafka has what came of it",
        STAGE,
        ViewsBatchDone,
    ),
}

OF_A_SHARD = ("head", "position", "backlog", "age", "unknown", "gaps", "limit", "regressed", "running")
BEGUN_OF_A_SHARD = ("late", "expired", "below")
"""Counters that begin at 0: an increase to the first one would not be seen."""

LISTENERS = ("WorkerStatus", "Metrics", "FloodLog", "WaitingLog")
LETTERS = ("decode", "too-large")
LETTERS_OF_COMMANDS = ("parse", "validate", "outcome", "unexpected")
OUTCOMES = ("succeeded", "rejected", "unknown")
ORDER_COMMAND = "orderCommand"
"""The `entity` of dead letters that were commands."""

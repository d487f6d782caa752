"""What `/metrics` shows: name, meaning, labels. Labels are bounded: administrations, entities, operations, commands, kinds."""

from collections.abc import Mapping, Sequence

from connector.events.base import Event, ListenerFailed
from connector.events.commands import CommandsLost, CommandTaken
from connector.events.kafka import PartitionFailed
from connector.events.pos import CallRetried, PageDecoded
from connector.events.source import DeadLettered, GapsCounted, ItemsBelow, LateFound, PageCommitted, PageLimited, PageRead

SHARD = ("administration", "entity")
CALL = ("administration", "operation")
COMMAND = ("administration", "command")
TOPIC = ("topic",)
PARTITION = ("administration", "partition")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
LONG_SECONDS = (*SECONDS, 300, 900, 3600)
"""A command waits for a POS that is down."""

GAUGES = {
    "head": ("mplus_connector_head_marker", "Highest sync marker of the POS", SHARD),
    "position": ("mplus_connector_position_marker", "Sync marker up to which everything is in Kafka", SHARD),
    "backlog": ("mplus_connector_backlog_markers", "Sync markers not read yet; absent while the head is not known", SHARD),
    "age": ("mplus_connector_backlog_age_seconds", "Age of the oldest unread change, or of what is known", SHARD),
    "unknown": ("mplus_connector_head_unknown_seconds", "How long the POS has not told its head; 0: it does", SHARD),
    "gaps": ("mplus_connector_open_gaps", "Markers below the position where an item may still become visible", SHARD),
    "limit": ("mplus_connector_page_limit_items", "Items that a page is asked with", SHARD),
    "state": ("mplus_connector_shard_state", "1: the entity is in this state", (*SHARD, "state")),
    "regressed": ("mplus_connector_head_regressed", "1: the head fell below the position", SHARD),
    "running": ("mplus_connector_shard_running", "1: read by this worker and not stopped", SHARD),
    "reachable": (
        "mplus_connector_pos_reachable",
        "1: the last call that ended was answered, and none hangs for over 60 s; absent where there is nothing to ask",
        ("administration",),
    ),
    "oldest call": (
        "mplus_connector_pos_oldest_call_seconds",
        "How long the oldest call has been under way; 0: there is none",
        ("administration",),
    ),
    "partitions": ("mplus_connector_owned_partitions", "Partitions owned by this worker", TOPIC),
    "in flight": ("mplus_connector_commands_in_flight", "Commands being worked on by this worker", COMMAND),
    "waiting": ("mplus_connector_commands_waiting", "Of them, those that had to wait for the POS", COMMAND),
    "ledger": ("mplus_connector_ledger_entries", "Ledger entries of a partition owned by this worker", PARTITION),
    "held back": ("mplus_connector_commands_held_back_seconds", "How long an open transaction holds commands back", PARTITION),
    "configured": ("mplus_connector_shard_configured", "1: this worker's settings name it, whoever reads it", SHARD),
    "shared": ("mplus_connector_partitions", "Partitions that the workers share", TOPIC),
    "info": ("mplus_connector_info", "1: this worker's version and digest of its settings", ("version", "digest")),
}
COUNTERS = {
    "items": ("mplus_connector_items", "Items published", SHARD),
    "items read": ("mplus_connector_items_read", "Items read, some of them again", SHARD),
    "pages": ("mplus_connector_pages", "Pages read", SHARD),
    "late": ("mplus_connector_late_items", "Items that became visible below the position, and were published", SHARD),
    "expired": ("mplus_connector_expired_gaps", "Gaps that are no longer waited for", SHARD),
    "below": ("mplus_connector_items_below", "Items below the marker asked for: not published", SHARD),
    "letters": ("mplus_connector_dead_letters", "Items and commands that became dead letters", (*SHARD, "stage")),
    "faults": ("mplus_connector_pos_faults", "Failed calls by kind", (*CALL, "kind")),
    "retries": ("mplus_connector_pos_retries", "Repeated calls, by what had failed", (*CALL, "kind")),
    "lost": ("mplus_connector_transactions_lost", "Kafka transactions aborted or of unknown outcome", TOPIC),
    "failed": ("mplus_connector_partition_failures", "Unforeseen failures of work on a partition, which is tried again", TOPIC),
    "received": ("mplus_connector_commands_received", "Valid commands that work was begun on", COMMAND),
    "outcomes": ("mplus_connector_command_outcomes", "Commands that ended, repeated ones apart", (*COMMAND, "outcome")),
    "reconciled": ("mplus_connector_commands_reconciled", "Of them, those that looking at the order decided", COMMAND),
    "duplicates": ("mplus_connector_commands_duplicate", "Repeated commands, answered with the first result", COMMAND),
    "commands lost": (
        "mplus_connector_commands_lost",
        "Commands, at most, that Kafka deleted before they were read",
        ("administration",),
    ),
    "log lost": ("mplus_connector_log_lines_lost", "Log lines that could not be written", ()),
    "listener": ("mplus_connector_listener_errors", "Events that a listener of this worker failed on", ("listener",)),
}
HISTOGRAMS = {
    "page": ("mplus_connector_page_seconds", "Fetching and decoding a page", SHARD),
    "decode": ("mplus_connector_decode_seconds", "Decoding a page, fetching apart", CALL),
    "call": ("mplus_connector_pos_call_seconds", "Calls of the POS, to the end of the answer", CALL),
    "transaction": ("mplus_connector_transaction_seconds", "Kafka transactions committed", TOPIC),
    "command": ("mplus_connector_command_seconds", "From the beginning of a command to its committed result", COMMAND),
}
BUCKETS = {"command": LONG_SECONDS}
OF_A_SHARD = ("head", "position", "backlog", "age", "unknown", "gaps", "limit", "regressed", "running")
BEGUN_OF_A_SHARD = ("late", "expired", "below")
"""Counters that begin at 0: an increase to the first one would not be seen."""

LISTENERS = ("WorkerStatus", "Metrics", "FloodLog", "WaitingLog")
COUNTED: Mapping[type[Event], Sequence[tuple[str, str]]] = {
    PageRead: (("pages", ""), ("items read", "items")),
    PageCommitted: (("items", "items"),),
    DeadLettered: (("letters", ""),),
    LateFound: (("late", "items"),),
    ItemsBelow: (("below", "items"),),
    GapsCounted: (("expired", "expired"),),
    CallRetried: (("retries", ""),),
    PartitionFailed: (("failed", ""),),
    CommandTaken: (("received", ""),),
    CommandsLost: (("commands lost", "count"),),
    ListenerFailed: (("listener", ""),),
}
"""Counters that an event raises, each by one, or by a field of the event."""

OBSERVED: Mapping[type[Event], str] = {PageRead: "page", PageDecoded: "decode"}
"""Histograms of an event's `seconds`."""

SHOWN: Mapping[type[Event], tuple[str, str]] = {GapsCounted: ("gaps", "open"), PageLimited: ("limit", "limit")}
"""Gauges that show a field of the last such event."""

FIELDS = {"kind": "fault"}
"""Labels whose event's field has another name."""

LETTERS = ("decode", "too-large")
LETTERS_OF_COMMANDS = ("parse", "validate", "outcome", "unexpected")
OUTCOMES = ("succeeded", "rejected", "unknown")
ORDER_COMMAND = "orderCommand"
"""The `entity` of dead letters that were commands."""

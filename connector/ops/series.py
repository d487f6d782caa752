"""What `/metrics` shows: name, meaning, labels. Labels are bounded: administrations, entities, operations, commands, kinds."""

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
    "backlog": ("mplus_connector_backlog_markers", "Sync markers not read yet", SHARD),
    "age": ("mplus_connector_backlog_age_seconds", "Age of the oldest unread change", SHARD),
    "regressed": ("mplus_connector_head_regressed", "1: the head fell below the position", SHARD),
    "running": ("mplus_connector_shard_running", "1: read by this worker and not stopped", SHARD),
    "reachable": ("mplus_connector_pos_reachable", "1: the last call of the last 5 minutes was answered", ("administration",)),
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
}
HISTOGRAMS = {
    "page": ("mplus_connector_page_seconds", "Fetching and decoding a page", SHARD),
    "decode": ("mplus_connector_decode_seconds", "Decoding a page, fetching apart", CALL),
    "call": ("mplus_connector_pos_call_seconds", "Calls of the POS, to the end of the answer", CALL),
    "transaction": ("mplus_connector_transaction_seconds", "Kafka transactions committed", TOPIC),
    "command": ("mplus_connector_command_seconds", "From the beginning of a command to its committed result", COMMAND),
}
BUCKETS = {"command": LONG_SECONDS}
OF_A_SHARD = ("head", "position", "backlog", "age", "regressed", "running")
LETTERS = ("decode", "too-large")
LETTERS_OF_COMMANDS = ("parse", "validate", "outcome", "unexpected")
OUTCOMES = ("succeeded", "rejected", "unknown")
ORDER_COMMAND = "orderCommand"
"""The `entity` of dead letters that were commands."""

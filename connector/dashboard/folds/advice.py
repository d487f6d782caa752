"""What to do about a result that is no success, by its reason. Pure."""

UNKNOWN = "Look at the order, then redrive the dead letter: the command is looked up, not repeated, and its result closes this."
OTHERWISE = "The POS refused it and nothing happened. Read its message; send a corrected command with a new commandId."

BY_REASON: tuple[tuple[str, str], ...] = (
    ("INVALID-COMMAND", "The producer sent no valid command, another key, or a used commandId. Correct the producer."),
    ("EXPIRED", "Its time was over before it could be sent. Is the POS slow or away? Send it anew if it is still wanted."),
    ("CLIENT-FAULT", "The POS refuses the request; its message says why. Correct the command; send it with a new commandId."),
    ("PAYMENT-INSUFFICIENT", "The payments do not cover the order. Compare with its total, then pay the whole amount."),
    ("PAYMENT-FAILED", "The payment failed; the order may exist all the same. Look at the order, then pay it or cancel it."),
    ("ORDER-ALREADY-INVOICED", "Somebody else invoiced the order before. Look at its payments: was the customer charged twice?"),
    ("EXT-ORDER-ID-ALREADY-EXISTS", "Another order has this extOrderId. Was it sent twice? A new order needs an id of its own."),
    ("ORDER-HAS-CHANGED", "Somebody changed the order meanwhile. Read it again, then decide anew."),
    ("NOT-FOUND", "There is no such order, or the POS still has it in its queue. Check the id; try again later."),
    ("FAILED", "The POS could not do it, and looking shows that nothing happened. Read its message; send it again."),
)  # fmt: skip
"""How a reason ends → what to do; the first that fits."""


def for_result(outcome: str, reason: str) -> str:
    """A sentence or two; empty for a success."""
    if outcome == "succeeded":
        return ""
    if outcome == "unknown":
        return UNKNOWN
    return next((advice for ending, advice in BY_REASON if reason.endswith(ending)), OTHERWISE)

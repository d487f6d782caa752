"""What a redrive would send, in words, before it is sent. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from connector.admin.dead_letters import Later
from connector.cli.letters.text import words
from connector.messages.dead_letter import DeadLetter


def line(letter: DeadLetter, since: Later) -> str:
    """One letter: where it goes, and what happened since."""
    key, origin = words(letter.key), letter.origin
    text = f"{letter.coordinate}  {letter.stage}  {key}  → {origin.topic}[{origin.partition}] (was offset {origin.offset})"
    if since.redrives:
        text += f", redriven before: {since.redrives}"
    if since.commands:
        text += f", {since.commands} later command{'s' * (since.commands > 1)} of this key came since: look at the order first"
    return text


def summary(letters: Sequence[DeadLetter], since: Mapping[str, Later], now: datetime, ledger_days: int) -> str:
    """All of them: how many, the oldest, and how many need a look before. `ledger_days`: how long repeats are recognised."""
    if not letters:
        return "0 to send again"
    forgotten = sum(letter.at < now - timedelta(days=ledger_days) for letter in letters)
    overtaken = sum(since[letter.coordinate].commands > 0 for letter in letters)
    facts = [f"the oldest of {min(letter.at for letter in letters).isoformat(timespec='seconds')}"]
    if forgotten:
        facts.append(f"{forgotten} older than the ledger's {ledger_days} days: only looked up, never carried out")
    if overtaken:
        facts.append(f"{overtaken} with later commands of the same key: look at those orders first")
    return f"{len(letters)} to send again ({'; '.join(facts)})"


def sent(count: int, ledger_days: int) -> str:
    """What holds for those that were sent."""
    return (
        f"{count} sent again: each runs once within the {ledger_days} days that the ledger remembers, and is only looked up "
        "after that; results come as any other's"
    )

"""The order commands of this worker, counted by command, kept from events: for `/status`, the gauges and the terminal."""

from collections import Counter, defaultdict

from connector.events.base import Event
from connector.events.commands import CommandDropped, CommandEnded, CommandTaken, CommandWaits
from connector.messages.topics import Topics

COMMANDS = Topics("").commands
"""How the topic of an administration's order commands ends."""

COUNTED = ("inFlight", "waiting", "received", "succeeded", "rejected", "unknown", "duplicates")


class Orders:
    """Listens to events. `waiting`: of the commands in flight, those that have waited for the POS at least once."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._waiting: dict[tuple[str, str], set[str]] = defaultdict(set)

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        match event:
            case CommandTaken():
                self._counts[event.administration, event.command].update(inFlight=1, received=1)
            case CommandWaits():
                self._waiting[event.administration, event.command].add(event.command_id)
            case CommandEnded():
                self._left(event)
                outcome = "duplicates" if event.duplicate else event.outcome
                self._counts[event.administration, event.command][outcome] += 1
            case CommandDropped():
                self._left(event)

    def _left(self, event: CommandEnded | CommandDropped) -> None:
        key = (event.administration, event.command)
        self._counts[key]["inFlight"] -= 1
        self._waiting[key].discard(event.command_id)

    @property
    def working(self) -> set[str]:
        """Administrations that have commands in flight."""
        return {administration for (administration, _), counts in self._counts.items() if counts["inFlight"] > 0}

    def rows(self) -> dict[tuple[str, str], dict[str, int]]:
        """Counts by (administration, command), since this worker started."""
        return {
            key: {name: len(self._waiting[key]) if name == "waiting" else counts[name] for name in COUNTED}
            for key, counts in sorted(self._counts.items())
        }

"""What `check` tells."""

from dataclasses import asdict, dataclass
from typing import Literal

import orjson

from connector.errors import ConnectorError
from connector.kafka.walls import in_a_line


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `ok`, a `note` worth knowing, or a `problem` that keeps the connector from working."""

    kind: Literal["ok", "note", "problem"]
    text: str

    def json(self) -> str:
        """The finding as a line of JSON."""
        return orjson.dumps(asdict(self)).decode()


def problem(name: str, error: Exception) -> Finding:
    """One line about an administration, whatever is wrong with it."""
    return Finding("problem", f"{name}: {error if isinstance(error, ConnectorError) else in_a_line(error)}")

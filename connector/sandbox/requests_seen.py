"""What was asked of the sandbox."""

from collections import Counter, deque

KEPT_BODIES = 100


class RequestLog:
    """Counts per operation, and the last raw bodies; never the query string, which holds the secret."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.bodies: deque[str] = deque(maxlen=KEPT_BODIES)

    def add(self, operation: str, body: bytes) -> None:
        self.counts[operation] += 1
        self.bodies.append(body.decode(errors="replace"))

    def as_json(self) -> dict[str, object]:
        return {"counts": dict(self.counts), "bodies": list(self.bodies)}

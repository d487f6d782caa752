"""What all command tasks of an administration in a worker share."""

from dataclasses import dataclass, field

from connector.kafka.records import Place
from connector.kafka.tasks import TaskContext
from connector.messages.topics import Topics
from connector.sink.context import Deadlines, MissingOperations
from connector.sink.intake.feeding import Post
from connector.sink.intake.window import Window
from connector.sink.outbox import Limits
from connector.sink.pos.calls import Calls

WINDOW_BYTES = 12 << 20
"""Bytes of commands in hand in a worker, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class SinkTaskContext:
    """Durations in seconds; `in_flight`: calls of one partition at once; `proof`: how long a proof of membership is good;
    `linger`: for calls under way when the partition is left.

    `partitions`: of the command topic; None: a command may lie in any. `group`: the deployment whose commands they are; empty:
    whose they are is not judged. `window`: of all tasks of the worker.
    """

    task_context: TaskContext
    administration: str
    topics: Topics
    calls: Calls
    missing: MissingOperations
    deadlines: Deadlines
    in_flight: int
    retention: float
    proof: float
    linger: float
    watch_interval: float = 1.0
    group: str = ""
    partitions: int | None = None
    limits: Limits = field(default_factory=Limits)
    window: Window = field(default_factory=lambda: Window(WINDOW_BYTES))

    def post(self, place: Place) -> Post:
        """Where it is told what happens to the commands of a partition."""
        return Post(self.administration, place.partition, self.task_context.tell, self.task_context.clock.monotonic)

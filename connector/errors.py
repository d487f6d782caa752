"""Errors, named by what happens next.

ConnectorError
├── Retry              try again, after `after` seconds if it says so
│   ├── NotSent            nothing was sent: the other side cannot have acted
│   ├── Unanswered         sent, and no answer came: it may have been carried out, or still will be
│   └── Unreadable         a page came and cannot be read: asked in another way, or smaller, it may be
├── Reject             the other side said no; repeating the same request is useless
│   ├── AccessDenied       ident or secret are wrong: nothing of this administration works
│   └── Refused            this operation is not for this administration, or the request is wrong
│       └── UnknownOperation   the other side does not know this operation: an older one may do
├── TransactionLost    drop the bundles in hand, replace the producer, read the positions back
├── Fenced             another worker owns this now: let go and rejoin
└── Fatal              stop and say what to do
    ├── Misconfigured      wrong usage or configuration: exit code 2
    └── Blocked            only the work on one partition cannot go on until somebody acts: it is told, and tried again

Messages are one line: what is wrong, what to do. They never hold a URL: the POS secret is in its query.
"""


class ConnectorError(Exception):
    """Base of all errors of the connector."""


class Retry(ConnectorError):
    """Temporary: try again. `after` is a number of seconds that the other side asked for, or None."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class NotSent(Retry):
    """The other side was not reached."""


class Unanswered(Retry):
    """A call was sent and no answer came: look before repeating what must not be done twice."""


class Unreadable(Retry):
    """A page came, and cannot be read as it came. `careful`: reading it item by item may help (mplus.pages.PageSpec.careful)."""

    def __init__(self, message: str, *, careful: bool = False) -> None:
        super().__init__(message)
        self.careful = careful


class TransactionLost(ConnectorError):
    """A transaction was aborted or its outcome is unknown.

    `topic`: the one that the broker refuses to take records for, where it is one alone. `slow`: it took too long.
    """

    def __init__(self, message: str, *, topic: str = "", slow: bool = False) -> None:
        super().__init__(message)
        self.topic = topic
        self.slow = slow


class Reject(ConnectorError):
    """The other side said no. `code` is its own code for that."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class AccessDenied(Reject):
    """Ident or secret are wrong."""


class Refused(Reject):
    """The operation is unknown or not licensed here, or the request is wrong."""


class UnknownOperation(Refused):
    """The other side has no such operation."""


class Fenced(ConnectorError):
    """Another worker has taken over the partition."""


class Fatal(ConnectorError):
    """The connector must not go on."""


class Blocked(Fatal):
    """The work on one partition cannot go on until somebody acts. A worker waits and tries again; its other work goes on."""


class Misconfigured(Fatal):
    """Wrong usage or configuration. `problems` holds one line each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems

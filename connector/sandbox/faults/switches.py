"""Faults that can be switched while the sandbox runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from connector.sandbox.faults.forced_results import ToldResults, read_results

KINDS = (
    "delay_seconds",  # wait, then go on
    "drop_before",  # the connection is cut before anything is done
    "server_fault",  # HTTP 500 with a Server fault
    "unavailable",  # HTTP 503 with Retry-After
    "garbage",  # HTTP 200 that is no XML
    "drop_after",  # it is done, but the connection is cut without an answer
    "truncate",  # the connection is closed in the middle of the body
    "truncate_framed",  # a complete HTTP answer with XML that stops in the middle
    "delay_after_seconds",  # it is done, then wait, then answer
    "server_fault_after",  # it is done, and HTTP 500 with a Server fault
    "queue_order",  # createOrder accepts and books so many seconds later; 0: when a hook says so
    "forget_key",  # the idempotency key of this call is known no longer: it is carried out as if it were new
    "cut_reference",  # of each payment's externalReference only the first half is kept
    "drop_reference",  # no payment's externalReference is kept
    "leave_out",  # an order or packing slip is shown without some elements that the schema lets it leave out
    "add_slip_line",  # a packing slip gets a line more that is none of the order's
)
DELAYS = ("delay_seconds", "delay_after_seconds")
MISSING = "missing_operations"
UNLICENSED = "unlicensed_operations"
RESULTS = "results"
NOT_KINDS = (MISSING, UNLICENSED, RESULTS)
DEFAULTS = (("probability", 0), ("count", 0), ("seconds", 1))


@dataclass(slots=True)
class Fault:
    """Strikes the next `count` calls, then each with `probability` (0 to 1); only those of `operations` unless that is empty.

    `seconds` is how long a delay takes, or what Retry-After says.
    """

    probability: float = 0.0
    count: int = 0
    operations: frozenset[str] = frozenset()
    seconds: float = 1.0

    def strikes(self, operation: str, luck: Random) -> bool:
        if self.operations and operation not in self.operations:
            return False
        if self.count:
            self.count -= 1
            return True
        return self.probability > 0 and luck.random() < self.probability

    def as_json(self) -> dict[str, object]:
        return {
            "probability": self.probability,
            "count": self.count,
            "operations": sorted(self.operations),
            "seconds": self.seconds,
        }


class Faults:
    """The faults switched on, by kind; the same seed and calls give the same strikes."""

    def __init__(self, seed: int = 1) -> None:
        self.missing_operations: frozenset[str] = frozenset()
        self.unlicensed_operations: frozenset[str] = frozenset()
        self.results = ToldResults()
        self.luck = Random(seed)
        self._on: dict[str, Fault] = {}

    def switch(
        self, kind: str, *, probability: float = 0.0, count: int = 0, operations: Iterable[str] = (), seconds: float = 1.0
    ) -> None:
        """Replace the fault of this kind; without probability and count it is off. ValueError: no such kind, or out of range."""
        self._on[kind] = _checked(kind, Fault(probability, count, frozenset(operations), seconds))

    def clear(self) -> None:
        """Switch everything off and bring missing and unlicensed operations back."""
        self._on.clear()
        self.results.clear()
        self.missing_operations = self.unlicensed_operations = frozenset()

    def due(self, kind: str, operation: str) -> Fault | None:
        """The fault, if it strikes this call."""
        fault = self._on.get(kind)
        return fault if fault and fault.strikes(operation, self.luck) else None

    def as_json(self) -> dict[str, object]:
        on = {kind: fault.as_json() for kind, fault in self._on.items()}
        unlicensed = {UNLICENSED: sorted(self.unlicensed_operations)} if self.unlicensed_operations else {}
        return {**on, MISSING: sorted(self.missing_operations), **unlicensed, **self.results.as_json()}

    def load(self, wanted: Mapping[str, object]) -> None:
        """Switch what `wanted` names and leave the rest: the JSON of as_json; a bare number is short for a probability
        (of a delay: for so many seconds, every time). ValueError: not understood, and nothing was switched.
        """
        settings = {kind: _fault(kind, setting) for kind, setting in wanted.items() if kind not in NOT_KINDS}
        missing = _names(wanted.get(MISSING, sorted(self.missing_operations)))
        unlicensed = _names(wanted.get(UNLICENSED, sorted(self.unlicensed_operations)))
        results = read_results(wanted.get(RESULTS, {}))
        self._on.update(settings)
        self.missing_operations, self.unlicensed_operations = missing, unlicensed
        self.results.load(results)


def _fault(kind: str, setting: object) -> Fault:
    if not isinstance(setting, Mapping):
        number = _number(setting)
        return _checked(kind, Fault(1.0, seconds=number) if kind in DELAYS else Fault(number))
    if unknown := setting.keys() - {"probability", "count", "operations", "seconds"}:
        raise ValueError(f"{kind}: no setting '{min(unknown)}'")
    probability, count, seconds = (_number(setting.get(name, default)) for name, default in DEFAULTS)
    return _checked(kind, Fault(probability, int(count), _names(setting.get("operations", [])), seconds))


def _checked(kind: str, fault: Fault) -> Fault:
    if kind not in KINDS:
        raise ValueError(f"no fault '{kind}'; there are {', '.join(KINDS)}")
    if not (0 <= fault.probability <= 1 and fault.count >= 0 and fault.seconds >= 0):
        raise ValueError(f"{kind}: probability is 0 to 1, count and seconds are 0 or more")
    return fault


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a number is needed, not {value!r}")  # noqa: TRY004 one error for whatever is wrong with the JSON
    return value


def _names(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"a list of operations is needed, not {value!r}")
    return frozenset(value)

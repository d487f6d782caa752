"""Results that the order commands are told to answer, for their next calls."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from connector.sandbox.faults.result_codes import CODES, code_of


class ForcedResult(NamedTuple):
    """The code to answer, without its prefix, and whether the command is carried out nevertheless."""

    code: str
    effect: bool


class ToldResults:
    """Per operation what its next calls answer; when those are used up it answers the truth again."""

    def __init__(self) -> None:
        self._next: dict[str, deque[ForcedResult]] = {}

    def next(self, operation: str) -> ForcedResult | None:
        left = self._next.get(operation)
        return left.popleft() if left else None

    def tell(self, operation: str, results: Iterable[str], *, effect: bool = False) -> None:
        """Replace what the operation's next calls answer. ValueError: it never answers that."""
        self._next[operation] = deque(ForcedResult(code_of(operation, result), effect) for result in results)

    def as_json(self) -> dict[str, object]:
        left = {name: [_as_json(name, told) for told in results] for name, results in self._next.items() if results}
        return {"results": left} if left else {}

    def load(self, wanted: Mapping[str, deque[ForcedResult]]) -> None:
        self._next.update(wanted)

    def clear(self) -> None:
        self._next.clear()


def read_results(wanted: object) -> dict[str, deque[ForcedResult]]:
    """From JSON: {operation: [result, or {"result": …, "effect": true}, …]}. ValueError: not understood."""
    if not isinstance(wanted, Mapping) or not all(isinstance(rows, list) for rows in wanted.values()):
        raise ValueError("results: a list of result codes per operation is needed")
    return {name: deque(_read(name, row) for row in rows) for name, rows in wanted.items()}


def _read(operation: str, row: object) -> ForcedResult:
    named = row if isinstance(row, Mapping) else {"result": row}
    result, effect = named.get("result"), named.get("effect", False)
    if named.keys() - {"result", "effect"} or not isinstance(result, str) or not isinstance(effect, bool):
        raise ValueError(f"{operation}: not a result: {row!r}")
    return ForcedResult(code_of(operation, result), effect)


def _as_json(operation: str, told: ForcedResult) -> object:
    result = CODES[operation][0] + told.code
    return {"result": result, "effect": True} if told.effect else result

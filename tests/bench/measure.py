"""CPU seconds and memory of processes, from /proc; medians and tables."""

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all its living descendants."""
    children = [int(child) for task in _tasks(pid) for child in _children(task)]
    return [pid, *(member for child in children for member in family(child))]


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:
        return []


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, living and reaped."""
    return sum(_cpu(member) for member in family(pid))


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(value) for value in fields[11:15]) / TICKS


def rss_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants now."""
    return sum(_rss(member) for member in family(pid))


def _rss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)


def pss_bytes(pid: int) -> int:
    """As rss_bytes, but a page that n processes share counts 1/n in each. Slower to read: a few ms."""
    return sum(_pss(member) for member in family(pid))


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


class Peak:
    """Watches the memory of a process family while inside; `seen` holds what it saw, every so many seconds."""

    def __init__(self, pid: int, every: float = 0.05, memory: Callable[[int], int] = rss_bytes) -> None:
        self.peak = 0
        self.seen: list[int] = []
        self._pid = pid
        self._every = every
        self._memory = memory

    async def __aenter__(self) -> "Peak":
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            now = self._memory(self._pid)
            self.seen.append(now)
            self.peak = max(self.peak, now)
            await asyncio.sleep(self._every)


def table(title: str, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a Markdown table, as docs/benchmarks.md holds it."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(list(header)))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")

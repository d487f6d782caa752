"""`make bench`: all benchmarks, or those named: `python -m tests.bench latency`."""

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from connector.local_kafka.start import Broker, KafkaUnavailable, start_kafka
from tests.bench import commands, decoding, endtoend, latency, ledger, memory, page, views

WITH_KAFKA: dict[str, Callable[[str], Coroutine[Any, Any, None]]] = {
    "endtoend": endtoend.compare,
    "memory": memory.main,
    "latency": latency.main,
    "commands": commands.compare,
    "ledger": ledger.main,
    "views": views.main,
    "page": page.main,
}
PARTS = ("decoding", *WITH_KAFKA)


def main() -> int:
    """Run the parts asked for; 1 if there is no Kafka to be had."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    asked = parser.parse_args().parts or PARTS
    if unknown := set(asked) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    print(f"machine: {machine()}")
    if not os.environ.get("MPLUS_WSDL"):
        print("MPLUS_WSDL names no WSDL: zeep is left out, and with it the ratios")
    if "decoding" in asked:
        print()
        decoding.main()
    return _with_kafka([part for name, part in WITH_KAFKA.items() if name in asked])


def _with_kafka(parts: list[Callable[[str], Coroutine[Any, Any, None]]]) -> int:
    if not parts:
        return 0
    try:
        with start_kafka(say=lambda line: print(line, file=sys.stderr)) as broker:
            print(f"\nKafka: {_origin(broker)}")
            for part in parts:
                asyncio.run(part(broker.bootstrap))
    except KafkaUnavailable as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _origin(broker: Broker) -> str:
    return f"{broker.origin}, on this machine too" if broker.ours else broker.origin


def machine() -> str:
    """What it runs on, and how busy that was before."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f"{os.getloadavg()[0]:.1f}"
    return f"{_cpu()}, {cores} cores, {platform.system()}, Python {platform.python_version()}; load before: {load}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())

"""`make demo`: a real Kafka, a simulated POS with live changes, a webshop, the connector and its views, on a bare machine."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from connector.demo.shop import show
from connector.errors import ConnectorError
from connector.local_kafka.start import start_kafka
from connector.ops.log import silence_loggers


def main() -> int:
    """Run until Ctrl-C, or for DEMO_SECONDS; exit 0 if events flowed and nothing was lost."""
    silence_loggers()
    console = Console()
    seconds = os.environ.get("DEMO_SECONDS")
    if seconds is not None and not seconds.isdecimal():
        console.print("[bold red]error:[/] DEMO_SECONDS must be a whole number of seconds")
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="mplus-demo-") as directory:
            return _demo(Path(directory), float(seconds) if seconds else None, console)
    except ConnectorError as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 0


def _demo(directory: Path, seconds: float | None, console: Console) -> int:
    def say(line: str) -> None:
        console.print(escape(line), highlight=False)

    with start_kafka(directory / "kafka", say) as broker:
        say(f"Kafka runs ({broker.origin}); starting the simulated POS, the connector and its views")
        return asyncio.run(show(broker.bootstrap, directory, seconds, console))


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.support.views.frozen views`: a worker that freezes before a batch's figures are written to their table.

It is the product's own program: it has read its table, and its records have not left.
"""

import os
import runpy
import signal
import sys
from typing import Any

from connector.views.tables import PlainTable

FREEZE = "FREEZE_AT"
"""Environment: the write at which it freezes."""


def main() -> None:
    """Run the program."""
    write, left = PlainTable.write, int(os.environ[FREEZE])

    async def freezing(table: PlainTable, *told: Any) -> None:
        nonlocal left
        if table.name.endswith(".views-windows"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGSTOP)
        await write(table, *told)

    setattr(PlainTable, "write", freezing)  # noqa: B010
    sys.argv[0] = "mplus-connector"
    runpy.run_module("connector", run_name="__main__")


if __name__ == "__main__":
    main()

"""`mplus-connector`, and `python -m connector`."""

import sys

PROGRAM = (
    "mplus-connector needs more than the library for order commands does: pip install 'mplus-connector[worker]' ({} is missing)"
)


def main() -> None:
    """Run the program. Ends with one line where only what the library needs is installed."""
    try:
        from connector.cli.main import main as run  # noqa: PLC0415  it may not be there

        run()  # a verb is loaded when it is asked for
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "connector":
            raise
        sys.exit(f"error: {PROGRAM.format(error.name)}")


if __name__ == "__main__":
    main()

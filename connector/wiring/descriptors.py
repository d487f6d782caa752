"""File descriptors: how many a worker may need, and how many it may have."""

import contextlib
import resource

from connector.config.load import Config

ALWAYS = 64
"""Descriptors of the program itself: its log, HTTP and who asks it, the decoder, the groups' connections. Measured: 40 to 60."""

OF_A_TASK = 4
"""Connections of an owned partition to one broker: its producer's two, its readers'. Measured: 3, and one while it begins."""

OF_A_POS = 8
"""Connections to a POS while all its entities catch up. Measured: 8, of at most 20."""


def needed(config: Config) -> int:
    """Descriptors of a worker that has all partitions, with one broker; further ones are reached by some of the tasks."""
    settings, administrations = config.connector, len(config.administrations)
    tasks = settings.work_partitions + administrations * settings.command_partitions
    return ALWAYS + tasks * OF_A_TASK + administrations * OF_A_POS


def allowed() -> int | None:
    """The most that this process may have; None where there is no limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if hard == resource.RLIM_INFINITY else hard


def raise_limit() -> None:
    """Take as many as this process may have: most systems give 1,024 until they are asked. Where that is refused, no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft not in (hard, resource.RLIM_INFINITY):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def too_few(config: Config) -> list[str]:
    """A line where this configuration may need more than there can be."""
    wanted, most = needed(config), allowed()
    if most is None or wanted <= most:
        return []
    return [
        f"a worker may need {wanted} file descriptors for this configuration, and may have {most} here: "
        f"raise the hard limit (ulimit -Hn {wanted}; LimitNOFILE= of a systemd unit; --ulimit nofile= of a container)"
    ]

"""Which of the configured administrations a verb is for."""

from connector.config.load import Administration, Config
from connector.errors import Misconfigured


def chosen(config: Config, name: str | None) -> Administration:
    """The one of this name, or the only one there is. Raises Misconfigured."""
    names = ", ".join(row.administration for row in config.administrations)
    if name is None and len(config.administrations) > 1:
        raise Misconfigured(f"several administrations are configured: say which with --administration ({names})")
    found = [row for row in config.administrations if name in (None, row.administration)]
    if not found:
        raise Misconfigured(f"--administration {name} is not configured: use {names}")
    return found[0]

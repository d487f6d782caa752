"""How long to wait after failures. Pure."""

FIRST_S = 0.5
"""Seconds to wait after one failure, at most; each further one doubles it."""

MOST_S = 30.0


def backoff(failures: int, jitter: float) -> float:
    """Seconds to wait after so many failures in a row; `jitter` in [0, 1) spreads workers."""
    return min(MOST_S, FIRST_S * 2.0 ** min(failures - 1, 16)) * (0.5 + jitter / 2)

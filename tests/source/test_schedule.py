"""Schedule: when a shard reads, waits or stops. Pure."""

from connector.backoff import backoff
from connector.source.schedule import Head, Lag, fell_below


def test_a_head_below_the_position_contradicts_it() -> None:
    """It is doubted, never silently waited out."""
    assert fell_below(9, 2.0, Head(4, 3.0))
    assert not fell_below(9, 2.0, Head(9, 3.0))


def test_an_older_head_cannot_contradict_a_newer_page() -> None:
    """A page may show changes that came after the head was asked."""
    assert not fell_below(9, 2.0, Head(4, 1.0))


def test_backoff_doubles_up_to_a_bound_with_jitter() -> None:
    """Workers come apart, and none waits for ever."""
    assert [0.25, 0.5, 1.0] == [backoff(failures, 0.0) for failures in (1, 2, 3)]
    assert 15.0 == backoff(50, 0.0)
    assert 0.5 > backoff(1, 0.9) > 0.25


def test_age_counts_from_the_first_head_beyond_the_position() -> None:
    """And is nothing when everything is read."""
    lag = Lag()
    for at, head in enumerate([5, 7, 7, 9]):
        lag.saw(head, float(at))

    assert 0.0 == lag.since(4)
    assert 1.0 == lag.since(5)
    assert 3.0 == lag.since(8)
    assert lag.since(9) is None


def test_age_stays_right_with_a_bounded_memory() -> None:
    """A shard that stands still for days keeps the age of its oldest unread change."""
    lag = Lag(most=10)
    for at in range(1000):
        lag.saw(at + 1, float(at))

    assert 0.0 == lag.since(0)
    assert lag.since(1000) is None

"""Schedule: when a shard reads, waits or stops. Pure."""

from connector.backoff import backoff
from connector.source.schedule import AwaitHead, Head, Lag, Read, Regressed, decide


def test_a_head_beyond_the_position_is_read_at_once() -> None:
    """Catching up does not wait for the next look at the heads."""
    assert Read(Head(9, 1.0)) == decide(5, 2.0, Head(9, 1.0))


def test_at_the_head_the_next_one_is_awaited() -> None:
    """A head that is already known is not good enough."""
    assert AwaitHead(1.0) == decide(-1, 1.0, None)
    assert AwaitHead(3.0) == decide(9, 1.0, Head(9, 3.0))


def test_a_head_below_the_position_means_a_restored_pos() -> None:
    """Reported, never silently waited out."""
    assert Regressed(Head(4, 3.0)) == decide(9, 2.0, Head(4, 3.0))


def test_an_older_head_cannot_contradict_a_newer_page() -> None:
    """A page may show changes that came after the head was asked."""
    assert AwaitHead(2.0) == decide(9, 2.0, Head(4, 1.0))


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

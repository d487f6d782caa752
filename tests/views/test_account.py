"""What may be committed of a partition, whatever Faust drops."""

from hypothesis import given
from hypothesis import strategies as st

from connector.views.offsets import OffsetTracker, StallDetector


def test_nothing_is_committed_of_what_was_only_fetched() -> None:
    """Before the first record is carried out there is nothing to say."""
    tracker = OffsetTracker()
    tracker.fetched([3, 4])
    assert (None, 3) == (tracker.following, tracker.lowest)


def test_what_was_dropped_holds_up_what_is_behind_it() -> None:
    """Until it was read again and carried out; what is done by then stays done."""
    tracker = OffsetTracker()
    tracker.fetched([3, 5])
    tracker.fetched([6, 9])
    tracker.carried_out(3)
    tracker.carried_out(9)
    assert 5 == tracker.following
    tracker.fetched([3, 5, 6, 9])
    assert [5, 6] == tracker.in_turn([3, 5, 6, 9])
    for offset in (5, 6):
        tracker.carried_out(offset)
    assert (10, None) == (tracker.following, tracker.lowest)


def test_what_was_fetched_before_the_partition_was_handed_out_says_nothing() -> None:
    """It belongs to another tracker, and what came before it may not be done."""
    tracker = OffsetTracker()
    tracker.carried_out(7)
    assert tracker.following is None


@given(st.sets(st.integers(0, 60), min_size=1), st.data())
def test_no_offset_that_is_not_done_is_ever_passed(offsets: set[int], data: st.DataObject) -> None:
    """In whatever order records are carried out, dropped and fetched again."""
    tracker, done, there = OffsetTracker(), set[int](), sorted(offsets)
    tracker.fetched(there)
    for offset in data.draw(st.lists(st.sampled_from(there))):
        tracker.carried_out(offset)
        done.add(offset)
        if data.draw(st.booleans()):
            tracker.fetched([each for each in there if each >= offset])
        assert tracker.following is None or not [each for each in there if each < tracker.following and each not in done]


def test_a_record_that_stays_open_is_noticed() -> None:
    """One that moves on is not."""
    stall = StallDetector[str](10)
    assert [[], [], []] == [stall.see({"a": at, "b": at}, at) for at in (0, 8, 16)]
    assert [[], [], ["a"], []] == [stall.see({"a": 16, "b": at}, at) for at in (17, 26, 27, 28)]
    assert [] == stall.see({"a": None, "b": 29}, 90)


def test_nothing_is_carried_out_before_its_turn() -> None:
    """What came without the record before it waits; what is done, or of another tracker, has no turn."""
    tracker = OffsetTracker()
    tracker.fetched([3, 5, 6])
    assert [] == tracker.in_turn([5, 6])
    assert [3, 5] == tracker.in_turn([5, 1, 3])
    tracker.carried_out(3)
    assert [5, 6] == tracker.in_turn([3, 6, 5])
    assert [False, True] == [tracker.is_open(offset) for offset in (3, 5)]

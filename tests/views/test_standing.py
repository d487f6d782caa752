"""What a worker says of how far it is."""

import pytest

from connector.views.progress import LATE, Standing


@pytest.mark.parametrize(
    ("standing", "doubts"),
    [
        (Standing(), ["Kafka has not handed out the partitions (yet)"]),
        (Standing(working=True, restoring=1200), ["1,200 table entries are still to be read back"]),
        (Standing(working=True, lag={"a": 3, "b": 4}), ["7 records are still to be read"]),
        (Standing(working=True, lag={"a": 3}, caught_up=True), []),
        (Standing(working=True, lag={"a": 3000}, caught_up=True, late=LATE), []),
        (Standing(working=True, lag={"a": 3000}, caught_up=True, late=LATE + 1), ["3,000 records are still to be read"]),
    ],
)
def test_what_it_has_folded_is_doubted_while_it_is_behind(standing: Standing, doubts: list[str]) -> None:
    """Not for what just came: a busy shop always has some."""
    assert doubts == standing.doubts()

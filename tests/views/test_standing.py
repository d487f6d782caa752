"""What a worker says of how far it is."""

import pytest

from connector.views.progress import LATE, Progress


@pytest.mark.parametrize(
    ("progress", "doubts"),
    [
        (Progress(), ["Kafka has not handed out the partitions (yet)"]),
        (Progress(working=True, restoring=1200), ["1,200 table entries are still to be read back"]),
        (Progress(working=True, lag={"a": 3, "b": 4}), ["7 records are still to be read"]),
        (Progress(working=True, lag={"a": 3}, caught_up=True), []),
        (Progress(working=True, caught_up=True, trouble="Kafka does not answer"), ["Kafka does not answer"]),
        (Progress(working=True, lag={"a": 3000}, caught_up=True, late=LATE), []),
        (Progress(working=True, caught_up=True, elsewhere=5000, elsewhere_late=1), []),
        (
            Progress(working=True, caught_up=True, elsewhere=5000, elsewhere_late=2),
            ["5,000 records are still to be read by other workers of views"],
        ),
        (Progress(working=True, lag={"a": 3000}, caught_up=True, late=LATE + 1), ["3,000 records are still to be read"]),
    ],
)
def test_what_it_has_folded_is_doubted_while_it_is_behind(progress: Progress, doubts: list[str]) -> None:
    """Not for what just came: a busy shop always has some."""
    assert doubts == progress.doubts()

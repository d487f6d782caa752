"""Where the work of a partition stands."""

import orjson

from connector.kafka.records import Place
from connector.sink.intake.offsets import Finished, Progress
from connector.sink.ledger.ledger import Ledger
from connector.sink.task import ProgressFooter


def footer(start: int) -> tuple[Progress, ProgressFooter]:
    """Of an empty ledger."""
    progress = Progress(start)
    return progress, ProgressFooter(Ledger(Place("a.command-ledger", 3), {}), progress)


def test_the_lowest_unfinished_offset_counts() -> None:
    """What is finished beyond it is remembered, and forgotten once nothing below is open."""
    progress = Progress(5)
    for offset in (5, 6, 8, 9):
        progress.begin(offset)
    progress.finish(6)
    progress.finish(9)

    assert (5, [(6, 7), (9, 9)], 2) == (progress.lowest, progress.beyond, len(progress))

    progress.finish(5)
    assert (8, [(9, 9)]) == (progress.lowest, progress.beyond)

    progress.finish(8)
    assert (10, []) == (progress.lowest, progress.beyond)


def test_the_group_commits_only_what_is_committed() -> None:
    """Finished is not enough: were the transaction lost, a command would be passed over for ever."""
    progress, where = footer(0)
    progress.begin(0)
    progress.finish(0)

    assert 0 == where.offset
    (record,) = where.records()
    assert 0 == where.offset
    assert {"offset": 1, "finished": []} == orjson.loads(record.value or b"")
    assert (b"lane:3", 3) == (record.key, record.partition)
    where.committed()
    assert 1 == where.offset


def test_what_finishes_during_a_transaction_waits_for_the_next() -> None:
    """It is not in the one that is being written."""
    progress, where = footer(0)
    progress.begin(0)
    progress.begin(1)
    progress.finish(0)
    where.records()
    progress.finish(1)
    where.committed()

    assert 1 == where.offset


def test_what_was_finished_before_is_remembered_before_it_is_read_again() -> None:
    """Else a worker that dies soon leaves a repeated command to be answered once more."""
    progress = Progress(3, Finished([(5, 5), (7, 9)]))
    progress.begin(3)
    assert (3, [(5, 5), (7, 9)]) == (progress.lowest, progress.beyond)

    for offset in (4, 5):
        progress.begin(offset)
    progress.finish(5)
    progress.finish(3)
    assert (4, [(5, 5), (7, 9)]) == (progress.lowest, progress.beyond)

    progress.finish(4)
    assert (6, [(7, 9)]) == (progress.lowest, progress.beyond)


def test_one_that_takes_long_costs_no_more_the_longer_it_takes() -> None:
    """However much is finished behind it, that is one range: the record is written with each transaction."""
    progress = Progress(0)
    for offset in range(100_000):
        progress.begin(offset)
        if offset:
            progress.finish(offset)

    assert (0, [(1, 99_999)]) == (progress.lowest, progress.beyond)


def test_ranges_hold_their_offsets() -> None:
    """First and last included."""
    finished = Finished([[3, 5], [9, 9]])

    assert [3, 4, 5, 9] == [offset for offset in range(12) if offset in finished]
    assert 0 not in Finished()

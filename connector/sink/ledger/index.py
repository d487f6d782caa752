"""Where in a topic a key's records may lie: eight bytes for each, for ledgers of millions. Pure."""

from array import array
from bisect import bisect_left

OFFSET_BITS, BUCKET_BITS = 40, 10
"""A partition has no 2^40 records. The lowest bits of a hash are its bucket's number; the 24 above them lead its entries."""

BUCKETS_A_TIME = 16
"""Buckets that one call of `forget` looks through: a few milliseconds at a million of entries."""

_OFFSET, _BUCKET, _HASH = (1 << OFFSET_BITS) - 1, (1 << BUCKET_BITS) - 1, 0xFFFFFF << BUCKET_BITS
_SHIFT = OFFSET_BITS - BUCKET_BITS


class Index:
    """Offsets by the hash of a key. Two keys may share a hash (once in 14,000 at a million of entries): look at the record.

    Python's own hash: salted anew in each process, so nobody can choose keys that collide; and not to be kept.
    """

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(1 << BUCKET_BITS)]
        self._sorted: dict[int, int] = {}
        self._old: list[int] = []
        self._below = 0

    def __len__(self) -> int:
        return sum(map(len, self._buckets))

    def add(self, key: bytes, offset: int) -> None:
        """A record of this key lies there."""
        mixed = hash(key)
        self._buckets[mixed & _BUCKET].append((mixed & _HASH) << _SHIFT | offset)

    def find(self, key: bytes) -> list[int]:
        """Where its records may lie, the newest first."""
        mixed = hash(key)
        bucket, lowest = self._in_order(mixed & _BUCKET), (mixed & _HASH) << _SHIFT
        found = []
        for place in range(bisect_left(bucket, lowest), len(bucket)):
            if bucket[place] >> OFFSET_BITS != lowest >> OFFSET_BITS:
                break
            found.append(bucket[place] & _OFFSET)
        return found[::-1]

    def forget(self, below: int) -> None:
        """What lies below an offset is gone. Done bit by bit, with each call."""
        if below > self._below:
            self._below, self._old = below, list(range(1 << BUCKET_BITS))
        for number in self._old[-BUCKETS_A_TIME:]:
            kept = array("Q", (entry for entry in self._buckets[number] if entry & _OFFSET >= self._below))
            self._sorted.pop(number, None)
            self._buckets[number] = kept
        del self._old[-BUCKETS_A_TIME:]

    def _in_order(self, number: int) -> "array[int]":
        bucket = self._buckets[number]
        if self._sorted.get(number) != len(bucket):
            self._buckets[number] = bucket = array("Q", sorted(bucket))
            self._sorted[number] = len(bucket)
        return bucket

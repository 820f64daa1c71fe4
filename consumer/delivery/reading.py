"""How reading one partition goes, as far as reading may kill this process: pure, no threads, no Kafka.

What a replica dies of while it unpacks a batch or decodes a record is never seen by it. So it is counted before the
partition is read, in what is committed beside the partition's offset, and forgotten once its first record was read
whole. A count that is found there was left by replicas that died in between.
"""

from dataclasses import dataclass

# Offsets that are read carefully after deaths over reading, and after one while a separator was at work: as much as a
# replica may have read ahead of what it had committed, and as much as may wait for its turn.
CAREFUL_AFTER_READING, CAREFUL_AFTER_STARTS = 1000, 32
MAX_DEATHS = 3  # of replicas in a row over the first unfinished record of a partition, before it is given up


@dataclass(slots=True)
class Reading:
    """One partition's.

    at: the offset that `deaths` and `count` are of.
    deaths: replicas that died in a row when they had begun to read from there.
    count: the same, and one more while this replica reads from there and has not come through.
    careful_until: records before this offset are read one by one, each only once it is counted.
    """

    at: int = 0
    deaths: int = 0
    count: int = 0
    careful_until: int = 0

    def begin(self) -> None:
        """From now on a death of this replica is one of reading here."""
        self.count = min(self.deaths + 1, MAX_DEATHS)

    def come_through(self, offset: int) -> None:
        """The first record, or the end of the partition, was read whole there: others did not die of that."""
        self.at, self.deaths, self.count = offset, 0, 0

    def take_back(self) -> None:
        """Reading ends in good order before it came through; the next replica may read as it likes."""
        self.count, self.careful_until = self.deaths, 0

    def count_beside(self, offset: int) -> int:
        """What is to be committed beside `offset`: the next record to be read carefully is counted beforehand."""
        if offset == self.at:
            return self.count
        return 1 if offset < self.careful_until else 0


def careful_until(offset: int, end: int, *, deaths: int, has_starts: bool) -> int:
    """How far a partition that ends at `end` is read carefully, from `offset` on; 0 where nothing asks for that."""
    if end <= offset:
        return 0
    if deaths:
        return min(end, offset + CAREFUL_AFTER_READING)
    return min(end, offset + CAREFUL_AFTER_STARTS) if has_starts else 0

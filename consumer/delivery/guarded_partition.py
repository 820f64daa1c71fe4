"""How far a partition is on its way from its assignment to being read as usual; see `guarded_source`."""

from dataclasses import dataclass
from enum import Enum, auto

from consumer.delivery.announcement import Announcement


class Phase(Enum):
    """NEW: its position is to be learnt. WAITING: for its turn. ANNOUNCED: a commit is to say that it is read.
    PROBED, READ: its first event is awaited, of a suspect and of any other. CAREFUL: a suspect's next record is.
    SETTLING: its first record came, and others that the client fetches together with it. FREE: it is read as usual.
    """

    NEW = auto()
    WAITING = auto()
    ANNOUNCED = auto()
    PROBED = auto()
    READ = auto()
    CAREFUL = auto()
    SETTLING = auto()
    FREE = auto()


READ_BY_CLIENT = frozenset({Phase.READ, Phase.SETTLING, Phase.FREE})


@dataclass(slots=True)
class GuardedPartition:
    """must_seek: the client's own position in it is not where it is to be read from. since_s: when its phase began.
    rests_until: nothing is asked of it before. Both are on the monotonic clock.
    """

    phase: Phase = Phase.NEW
    announcement: Announcement | None = None
    must_seek: bool = False
    since_s: float = 0.0
    rests_until: float = float("-inf")

    @property
    def deaths(self) -> int:
        return self.announcement.deaths if self.announcement else 0

    @property
    def is_suspect(self) -> bool:
        return self.announcement is not None and self.announcement.careful_until > 0

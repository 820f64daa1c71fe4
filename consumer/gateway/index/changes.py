"""What a batch of records changed, as those are told who wait for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumer.core.events import SeparationProgress
from consumer.core.model import TopicPartition
from consumer.gateway.index.entry import JobEntry
from consumer.gateway.index.positions import Positions


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One record that changed a job, or told how far it is. `place` is the record's; `entry` the job since then.

    progress: what was told, where the record is that.
    """

    place: tuple[TopicPartition, int]
    entry: JobEntry
    progress: SeparationProgress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records that were read together, in their order.

    positions: how far the index has read now. last_event: the number of the last event that it holds.
    """

    changes: Sequence[Change]
    positions: Positions
    last_event: int = 0

"""What the rooms need from the world. Each Protocol says what its promises mean; adapters keep them."""

from consumer.core.ports.audit import AuditLog
from consumer.core.ports.messaging import (
    Commit,
    ControlFeed,
    EndOfPartition,
    Membership,
    Notices,
    Outbox,
    Position,
    RebalanceListener,
    Source,
    Traffic,
)
from consumer.core.ports.storage import (
    CreateOnlyProbe,
    ErasableStore,
    ModelSource,
    ObjectLinks,
    ObjectStore,
    PartStore,
    Quarantine,
    RangedReads,
)
from consumer.core.ports.work import Check, Codec, OnProgress, Scanner, Separator, SeparatorProcess, SeparatorStatus

__all__ = [
    "AuditLog",
    "Check",
    "Codec",
    "Commit",
    "ControlFeed",
    "CreateOnlyProbe",
    "EndOfPartition",
    "ErasableStore",
    "Membership",
    "ModelSource",
    "Notices",
    "ObjectLinks",
    "ObjectStore",
    "OnProgress",
    "Outbox",
    "PartStore",
    "Position",
    "Quarantine",
    "RangedReads",
    "RebalanceListener",
    "Scanner",
    "Separator",
    "SeparatorProcess",
    "SeparatorStatus",
    "Source",
    "Traffic",
]

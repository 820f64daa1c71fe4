"""The world as a replica sees it: one object for each port. Who makes them knows vendors, who uses them does not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from consumer.core.lag import LagReader
from consumer.core.ports import (
    Check,
    Codec,
    ControlFeed,
    ErasableStore,
    ModelSource,
    Notices,
    ObjectStore,
    Outbox,
    Quarantine,
    Scanner,
    SeparatorProcess,
    Source,
)
from consumer.core.runtimes import ChosenRuntime
from consumer.core.tracing import Tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """What `make_replica` needs beside the settings. A replica closes them in the end.

    scanner: None where nothing is scanned. quarantine: None where infected objects stay.
    check_registry: None where there is no schema registry. runtime: what computes the networks.
    prepare_model: called with a model's name, folder and weights digest before it is first used; None: nothing to do.
    erasable: what takes away what a forgotten request has left in the store; None: the store can't.
    inspect_brokers: what of the brokers' settings the service can't rest on, a line each; None: nobody looks.
    """

    codec: Codec
    source: Source
    outbox: Outbox
    notices: Notices
    control_feed: ControlFeed
    store: ObjectStore
    lag_reader: LagReader
    separators: Sequence[SeparatorProcess]
    model_sources: Sequence[ModelSource]
    tracer: Tracer
    runtime: ChosenRuntime
    scanner: Scanner | None = None
    quarantine: Quarantine | None = None
    erasable: ErasableStore | None = None
    check_registry: Check | None = None
    prepare_model: Callable[[str, Path, str], None] | None = None
    inspect_brokers: Callable[[], Sequence[str]] | None = None

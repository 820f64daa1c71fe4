"""What a replica depends on, in one list: start-up waits for it, /ready names it, outages of it are sat out."""

from dataclasses import dataclass

from consumer.app.adapters import Adapters
from consumer.app.checks import check_bucket
from consumer.core.errors import (
    RegistryUnavailable,
    ScannerUnavailable,
    ScratchUnavailable,
    StoreUnavailable,
    Transient,
)
from consumer.core.ports import Check
from consumer.pipeline.scratch import Scratch
from consumer.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something that may be away for every record at once.

    name: in /ready. away: the error that tells that it does not answer. check: raises that error as long as it is so.
    """

    name: str
    away: type[Transient]
    check: Check


def dependencies_of(settings: Settings, adapters: Adapters, scratch: Scratch) -> tuple[Dependency, ...]:
    """Those that this replica has: registry and scanner only where they are configured."""

    def check_output() -> None:
        check_bucket(adapters.store, settings.job.output_bucket, setting="OUTPUT_BUCKET")

    found = [
        Dependency(name="scratch", away=ScratchUnavailable, check=scratch.check),
        Dependency(name="store", away=StoreUnavailable, check=check_output),
    ]
    if check := adapters.check_registry:
        found.append(Dependency(name="registry", away=RegistryUnavailable, check=check))
    if scanner := adapters.scanner:
        found.append(Dependency(name="scanner", away=ScannerUnavailable, check=scanner.check))
    return tuple(found)

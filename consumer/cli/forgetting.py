"""What `forget` does: finds out from the topics and the store what there is of requests, and has it go."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import typer

from consumer.adapters.factories import make_codec, make_erasable_store, make_store
from consumer.cli.audit import CommandAudit
from consumer.client.client import REQUEST_S, Client
from consumer.client.errors import SeparationFailed, WaitTimeout
from consumer.client.history import RequestHistory, Sighting
from consumer.core.audit_actions import AuditAction
from consumer.core.errors import Fatal, SettingsError
from consumer.core.events import REQUEST_ID, SeparationRequest, SeparationResult, SourceObject
from consumer.core.model import StartedUpload
from consumer.core.output_place import output_folder, tenant_prefix
from consumer.core.ports import ErasableStore
from consumer.pipeline.forgetting import Eraser, ErasingPlace, Remains, StemsPlace, stem_files
from consumer.pipeline.forgotten import Forgetter, Tombstones
from consumer.pipeline.stages.validate import fingerprint_of
from consumer.settings import ClientSettings, JobSettings, KafkaSettings, SchemaSettings, TopicSettings


@dataclass(slots=True, kw_only=True)
class Target:
    """A request that is to be forgotten, and what is known of it so far.

    places: by bucket and folder. is_open: asked for, without an outcome.
    """

    request_id: str
    tenant: str | None
    places: dict[tuple[str, str], StemsPlace] = field(default_factory=dict)
    sources: dict[SourceObject, None] = field(default_factory=dict)
    is_open: bool = False


class ForgetCommand:
    """Prints as it goes. Every method returns how many requests were found."""

    def __init__(
        self, history: RequestHistory, forgetter: Forgetter, erasable: ErasableStore, client: Client, job: JobSettings
    ) -> None:
        self._history, self._forgetter, self._erasable = history, forgetter, erasable
        self._client, self._job = client, job

    def show(self, request_id: str | None, tenant: str | None) -> int:
        """Print what would go."""
        found = 0
        for target in self._targets(request_id, tenant):
            found += 1
            if target.is_open:
                typer.echo(f"{target.request_id}: would be cancelled, if it is under way")
            for remains in self._forgetter.eraser.remains(target.places.values(), target.sources):
                typer.echo(f"{target.request_id}: {_told(remains)} would go")
        return found

    def forget(self, request_id: str | None, tenant: str | None, audit: CommandAudit, timeout_s: float) -> int:
        """Forget them. Raises Fatal where one that was asked for by its id has not ended in time."""
        found = 0
        for target in self._targets(request_id, tenant):
            found += 1
            audit.record(AuditAction.FORGET_REQUESTED, request_id=target.request_id, tenant=target.tenant)
            self._forgetter.mark(target.tenant, target.request_id)
            is_over = self._end(target, timeout_s if request_id else None)
            erased = self._forgetter.erase(tuple(target.places.values()), target.sources)
            if is_over:
                audit.record(AuditAction.SEPARATION_FORGOTTEN, request_id=target.request_id, tenant=target.tenant)
            else:
                raise Fatal(f"{request_id} is under way and has not ended in {timeout_s:g} s: run this again")
            typer.echo(f"{target.request_id}: forgotten, {erased} objects gone")
        return found

    def _end(self, target: Target, timeout_s: float | None) -> bool:
        """Cancel it where it is under way; whether it is no longer. None: that is not waited for.

        What its replica stores meanwhile it takes away itself.
        """
        if not target.is_open:
            return True
        self._client.cancel(target.request_id, None)
        if timeout_s is None:
            return True
        try:
            self._client.job(target.request_id).result(timeout_s)
        except SeparationFailed:
            return True
        except WaitTimeout:
            return False
        return True

    def _targets(self, request_id: str | None, tenant: str | None) -> Iterator[Target]:
        if request_id is None:
            assert tenant is not None
            return chain(self._stored(tenant), self._of_tenant(tenant))
        return iter(self._one(request_id, tenant))

    def _one(self, request_id: str, tenant: str | None) -> list[Target]:
        targets: dict[str | None, Target] = {}
        for seen in self._history.sightings():
            if seen.request_id == request_id and tenant in (None, seen.tenant):
                target = targets.setdefault(seen.tenant, self._target(request_id, seen.tenant))
                self._learn(target, seen)
                target.is_open = not seen.has_ended  # outcomes come behind what they are the outcomes of
        if len(targets) > 1:
            raise Fatal(f"several tenants have a request {request_id}: say --tenant")
        target = next(iter(targets.values()), None) or self._target(request_id, tenant)
        is_known = targets or self._forgetter.tombstones.stands(tenant, request_id) or self._has_remains(target)
        return [target] if is_known else []

    def _stored(self, tenant: str) -> Iterator[Target]:
        """All of the tenant's requests that have stems in the default place, or a part of them."""
        prefix = tenant_prefix(self._job.output_prefix, tenant)
        for folder in self._erasable.folders(self._job.output_bucket, prefix):
            request_id = folder.removeprefix(prefix).removesuffix("/")
            if REQUEST_ID.fullmatch(request_id):
                yield self._target(request_id, tenant)

    def _of_tenant(self, tenant: str) -> Iterator[Target]:
        """Those that the topics tell of, one record after the other: nothing is kept of them."""
        for seen in self._history.outcomes_first():
            if seen.tenant != tenant:
                continue
            target = self._target(seen.request_id, tenant)
            self._learn(target, seen)
            is_marked = self._forgetter.tombstones.stands(tenant, seen.request_id)
            target.is_open = not seen.has_ended and not is_marked  # else it was looked at before
            if not is_marked or self._has_remains(target):
                yield target

    def _has_remains(self, target: Target) -> bool:
        return next(self._forgetter.eraser.remains(target.places.values(), target.sources), None) is not None

    def _target(self, request_id: str, tenant: str | None) -> Target:
        folder = f"{tenant_prefix(self._job.output_prefix, tenant)}{request_id}/"
        target = Target(request_id=request_id, tenant=tenant)
        place = StemsPlace(bucket=self._job.output_bucket, folder=folder)
        target.places[place.bucket, place.folder] = place
        return target

    def _learn(self, target: Target, seen: Sighting) -> None:
        if seen.request:
            target.sources[SourceObject(bucket=seen.request.source.bucket, key=seen.request.source.key)] = None
            self._learn_place(target, seen.request)
        if seen.result:
            self._learn_source(target, seen.result)

    def _learn_place(self, target: Target, request: SeparationRequest) -> None:
        bucket = request.output.bucket or self._job.output_bucket
        if bucket not in (self._job.output_bucket, *self._job.allowed_output_buckets):
            return
        folder = output_folder(self._job.output_prefix, request)
        files = stem_files(request.model, request.output.format)
        is_its_own = request.output.prefix is None  # where no other request's stems can be
        fingerprint = None if is_its_own else fingerprint_of(request)
        place = StemsPlace(bucket=bucket, folder=folder, fingerprint=fingerprint, files=files)
        if is_its_own or (bucket, folder) not in target.places:
            target.places[bucket, folder] = place

    @staticmethod
    def _learn_source(target: Target, result: SeparationResult) -> None:
        if source := result.source:
            target.sources[SourceObject(bucket=source.bucket, key=source.key)] = None


def make_forget_command() -> ForgetCommand:
    """Of what the settings say; nothing is connected yet. Raises SettingsError."""
    kafka, topics, job = KafkaSettings.load(), TopicSettings.load(), JobSettings.load()
    store, codec = make_store(), make_codec(SchemaSettings.load(), topics)
    erasable = make_erasable_store(store)
    if erasable is None:
        raise SettingsError("OBJECT_STORE: can't take objects away for good", variables=("OBJECT_STORE",))
    seal = job.seal()
    place = ErasingPlace(
        seal=seal,
        bucket=job.output_bucket,
        prefix=job.output_prefix,
        upload_bucket=ClientSettings.load().upload_bucket or job.allowed_source_buckets[0],
    )
    tombstones = Tombstones(store=store, bucket=job.output_bucket, prefix=job.output_prefix, seal=seal)
    forgetter = Forgetter(tombstones=tombstones, eraser=Eraser(store, erasable, place))
    history = RequestHistory(kafka, topics, codec, request_s=REQUEST_S)
    return ForgetCommand(history, forgetter, erasable, Client(kafka, topics, codec), job)


def _told(remains: Remains) -> str:
    what = "parts of" if isinstance(remains, StartedUpload) else "version of"
    version_id = None if isinstance(remains, StartedUpload) else remains.version_id
    version = "" if version_id in (None, "null") else f" {version_id}"  # S3's word for there being no versions
    return f"{what} {remains.bucket}/{remains.key}{version}"

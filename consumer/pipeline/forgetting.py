"""Takes away all that the store holds of a request: its stems, what the indexes say of it, the upload it was made of.

What tells where the rest lies goes last, so that whoever was stopped in the middle can begin anew.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from consumer.core.catalog import FORMATS, STEM_MODELS
from consumer.core.content_index import (
    index_entries_key,
    is_index_key,
    parse_index_entries,
    parse_separated_content,
    parse_stems_entry,
)
from consumer.core.errors import NotOurs, StoreUnavailable
from consumer.core.events import SourceObject
from consumer.core.manifest import Manifest
from consumer.core.model import Job, StartedUpload, StoredVersion
from consumer.core.output_place import MANIFEST
from consumer.core.ports import ErasableStore, ObjectStore
from consumer.core.seal import UNSEALED, Seal
from consumer.core.upload_place import upload_name, upload_record_key
from consumer.pipeline.documents import Documents

_ROUNDS = 10  # each finds only what came during the one before

Remains = StoredVersion | StartedUpload
"""One thing in the store that is to go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StemsPlace:
    """Where a request's stems lie. folder: what their keys begin with, up to a slash.

    fingerprint: of the request, where others may have their stems there too; None where the place is its own. files:
    the stems' names there, as far as they are known, for parts of them that some stores list by the whole key alone.
    """

    bucket: str
    folder: str
    fingerprint: str | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasingPlace:
    """bucket, prefix: OUTPUT_BUCKET and OUTPUT_PREFIX. upload_bucket: None where uploads are not ours to remove.

    seal: by which is known what the service wrote.
    """

    bucket: str
    prefix: str
    upload_bucket: str | None = None
    seal: Seal = UNSEALED


class Eraser:
    """Thread-safe. Every method may raise StoreUnavailable; then the same is to be done again."""

    def __init__(self, store: ObjectStore, erasable: ErasableStore, place: ErasingPlace) -> None:
        self._store, self._erasable, self._place = store, erasable, place
        self._documents = Documents(store=store, seal=place.seal)

    def remains(self, places: Iterable[StemsPlace], sources: Iterable[SourceObject] = ()) -> Iterator[Remains]:
        """All that is there of a request, in the order in which it has to go. sources: what it was made of."""
        for source in dict.fromkeys(sources):
            yield from self._of_upload(source.bucket, source.key)
        for place in places:
            yield from self._of_place(place)

    def erase(self, places: Collection[StemsPlace], sources: Iterable[SourceObject] = ()) -> int:
        """Returns once nothing is there any more, how many things went."""
        sources, erased = self._sources_of(places, sources), 0
        for _ in range(_ROUNDS):
            found = 0
            for remains in self.remains(places, sources):
                self._erasable.erase(remains)
                found += 1
            if not found:
                return erased
            erased += found
        raise StoreUnavailable("what is to be forgotten is written again and again")

    def _sources_of(self, places: Iterable[StemsPlace], sources: Iterable[SourceObject]) -> tuple[SourceObject, ...]:
        """Also those that manifests tell of, which will have gone when it is looked whether all has."""
        manifests = [manifest for place in places if (manifest := self._manifest(place)) and _is_of(place, manifest)]
        told = [SourceObject(bucket=each.source.bucket, key=each.source.key) for each in manifests]
        return tuple(dict.fromkeys([*sources, *told]))

    def _of_place(self, place: StemsPlace) -> Iterator[Remains]:
        manifest = self._manifest(place)
        if manifest and not _is_of(place, manifest):
            return  # another request's
        if manifest:
            yield from self._of_upload(manifest.source.bucket, manifest.source.key)
        entries_key = index_entries_key(self._place.prefix, place.bucket, place.folder)
        entries = parse_index_entries(self._documents.read_ours(self._place.bucket, entries_key)).keys
        for key in entries:
            yield from self._of_entry(place, key)
        for prefix in (place.folder, *(f"{place.folder}{file}" for file in place.files)):
            yield from self._erasable.started_uploads(place.bucket, prefix)
        last: list[StoredVersion] = []
        for version in self._erasable.versions(place.bucket, place.folder):
            if version.key == f"{place.folder}{MANIFEST}":
                if manifest or place.fingerprint is None:
                    last.append(version)
            elif place.fingerprint is None or self._bears(version, place.fingerprint):
                yield version
        yield from self._exactly(self._place.bucket, entries_key)
        yield from last

    def _bears(self, version: StoredVersion, fingerprint: str) -> bool:
        """Whether it is a stem of that request: where others' objects may lie too, nothing else is taken away."""
        facts = self._store.stat(version.bucket, version.key, version_id=version.version_id)
        return facts is not None and facts.metadata.get("fingerprint") == fingerprint

    def _of_entry(self, place: StemsPlace, key: str) -> Iterator[Remains]:
        """An entry of the indexes, if it tells of this request; and whatever it told before."""
        if not is_index_key(self._place.prefix, key):
            return
        data = self._documents.read_ours(self._place.bucket, key)
        stems, content = parse_stems_entry(data), parse_separated_content(data)
        is_ours = (
            stems is not None and (stems.bucket, stems.manifest_key) == (place.bucket, f"{place.folder}{MANIFEST}")
        ) or (content is not None and place.folder.endswith(f"{content.request_id}/"))
        for version in self._exactly(self._place.bucket, key):
            if is_ours or not version.is_latest:
                yield version

    def _of_upload(self, bucket: str, key: str) -> Iterator[Remains]:
        name = upload_name(key)
        if name is None or bucket != self._place.upload_bucket:
            return
        for upload in self._erasable.started_uploads(bucket, key):
            if upload.key == key:
                yield upload
        yield from self._exactly(bucket, key)
        yield from self._exactly(bucket, upload_record_key(name))

    def _exactly(self, bucket: str, key: str) -> Iterator[StoredVersion]:
        for version in self._erasable.versions(bucket, key):
            if version.key != key:
                return  # they come in the order of their keys
            yield version

    def _manifest(self, place: StemsPlace) -> Manifest | None:
        try:
            return self._documents.manifest(place.bucket, f"{place.folder}{MANIFEST}")
        except NotOurs:
            return None


def _is_of(place: StemsPlace, manifest: Manifest) -> bool:
    """Whether it is that of the request whose place this is."""
    return place.fingerprint in (None, manifest.fingerprint)


def place_of(job: Job) -> StemsPlace:
    """Where the stems of a job lie."""
    return StemsPlace(
        bucket=job.output_bucket,
        folder=job.output_prefix,
        fingerprint=None if job.request.output.prefix is None else job.fingerprint,
        files=stem_files(job.request.model, job.format),
    )


def stem_files(model: str, format: str) -> tuple[str, ...]:
    """The names that the stems of a model have in a format; none where there is no such model or format."""
    if model not in STEM_MODELS or format not in FORMATS:
        return ()
    return tuple(f"{stem}.{FORMATS[format].extension}" for stem in STEM_MODELS[model].stems)

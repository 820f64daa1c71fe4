"""Codec and object store, as the settings ask for them: of use to a replica, to commands and to the client alike."""

import pkgutil

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.registry import ConfluentRegistry
from consumer.core.errors import ConsumerError, SettingsError
from consumer.core.events import SCHEMA_FILES
from consumer.core.ports import ErasableStore, ObjectLinks, ObjectStore, PartStore, Quarantine
from consumer.settings import MinioSettings, ObjectStoreSettings, ScannerSettings, SchemaSettings, TopicSettings

# The events that come of a replica.
_WRITTEN = ("separation_result", "dead_letter", "separation_progress", "audit_event")


def make_codec(schema: SchemaSettings, topics: TopicSettings) -> AvroCodec:
    """Confluent's wire format where a registry is configured, single-object encoding elsewhere."""
    return AvroCodec(make_registry(schema, topics))


def make_registry(schema: SchemaSettings, topics: TopicSettings) -> ConfluentRegistry | None:
    """None where none is configured."""
    urls = schema.registry_urls()
    if urls is None:
        return None
    topic_of = {
        "separation_request": topics.requests,
        "separation_result": topics.results,
        "dead_letter": topics.dead_letter,
        "separation_progress": topics.progress,
        "separation_control": topics.control,
        "audit_event": topics.audit,
    }
    assert topic_of.keys() == set(SCHEMA_FILES.values())
    return ConfluentRegistry(
        urls,
        {name: f"{topic}-value" for name, topic in topic_of.items()},
        writes=_WRITTEN,
        registers=schema.schema_registry_auto_register,
    )


def make_store() -> ObjectStore:
    """The object store that OBJECT_STORE names; it reads its own settings. Raises SettingsError."""
    name = ObjectStoreSettings.load().object_store
    try:
        factory = pkgutil.resolve_name(name)
    except Exception as error:  # whatever comes of importing a module that is not ours
        raise _no_store(f"{name} can't be imported ({type(error).__name__}: {error})") from error
    if not callable(factory):
        raise _no_store(f"{name} can't be called")
    try:
        store = factory()
    except ConsumerError:
        raise
    except Exception as error:  # its message may hold a secret: only its type is reported
        raise _no_store(f"{name} made no store ({type(error).__name__})") from error
    if not isinstance(store, ObjectStore):
        raise _no_store(f"what {name} returned is no object store")
    return store


def make_part_store(store: ObjectStore) -> PartStore | None:
    """What takes files in parts for the store that OBJECT_STORE names; None: it has none. Raises SettingsError."""
    if isinstance(store, PartStore):
        return store
    if not _is_minio():
        return None
    from consumer.adapters.s3.parts import make_minio_parts

    return make_minio_parts()


def make_object_links(store: ObjectStore) -> ObjectLinks | None:
    """What signs addresses in the store that OBJECT_STORE names; None: it has none. Raises SettingsError."""
    if isinstance(store, ObjectLinks):
        return store
    if not _is_minio():
        return None
    from consumer.adapters.s3.links import make_minio_links

    return make_minio_links()


def public_origin() -> str | None:
    """Where clients reach the store that OBJECT_STORE names, as scheme://host:port; None: not known, or not at all.

    Raises SettingsError.
    """
    return MinioSettings.load().public_url if _is_minio() else None


def make_erasable_store(store: ObjectStore) -> ErasableStore | None:
    """What takes away for good what OBJECT_STORE's store holds; None: it has none. Raises SettingsError."""
    if isinstance(store, ErasableStore):
        return store
    if not _is_minio():
        return None
    from consumer.adapters.s3.erasing import make_minio_erasing

    return make_minio_erasing()


def make_quarantine(settings: ScannerSettings, store: ObjectStore) -> Quarantine | None:
    """What puts infected objects away as the settings say; None: nothing does. Raises SettingsError."""
    if settings.quarantine == "none":
        return None
    if isinstance(store, Quarantine):
        return store
    if not _is_minio():
        raise SettingsError("CLAMD_QUARANTINE: the store of OBJECT_STORE has none", variables=("CLAMD_QUARANTINE",))
    from consumer.adapters.s3.quarantine import make_minio_quarantine

    return make_minio_quarantine(settings.quarantine_bucket if settings.quarantine == "move" else None)


def _is_minio() -> bool:
    """Whether OBJECT_STORE names the store of this package, which has all that may stand beside its port."""
    return bool(ObjectStoreSettings.load().object_store == ObjectStoreSettings.model_fields["object_store"].default)


def _no_store(reason: str) -> SettingsError:
    return SettingsError(f"OBJECT_STORE: {reason}", variables=("OBJECT_STORE",))

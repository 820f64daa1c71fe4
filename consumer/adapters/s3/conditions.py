"""Whether a store keeps the condition that the service's promise rests on: `If-None-Match: *`, never replace.

A store that does not know the header leaves it out in silence: two replicas at work on one request would then replace
each other's stems, and nobody would notice.
"""

import uuid
from collections.abc import Callable
from contextlib import suppress

from consumer.adapters.s3.answers import Refused
from consumer.core.errors import StoreMisconfigured, StoreUnavailable
from consumer.core.ports import ObjectStore

_PUT, _MULTIPART = "when an object is put", "when an upload in parts is completed"
_PROMISE = "two replicas could replace each other's stems, so this store can't be used"
_WORDS_FOR_NO = frozenset({"InvalidArgument", "InvalidRequest", "MethodNotAllowed", "NotImplemented"})


def probe_create_only(store: ObjectStore, remove: Callable[[str, str], None], bucket: str, prefix: str) -> None:
    """Try to replace an object of a few bytes in the two ways in which objects come to be, and remove it again.

    Its key is of this probe alone, so that any number may be under way. Raises StoreMisconfigured with the way in which
    it was replaced, StoreUnavailable.
    """
    key = f"{prefix}.probe-{uuid.uuid4().hex}"
    try:
        _kept(lambda: _try(store, bucket, key), _PUT)
    finally:
        with suppress(StoreUnavailable):  # who may write need not have the right to remove
            remove(bucket, key)


def _try(store: ObjectStore, bucket: str, key: str) -> None:
    made = store.create(bucket, key, b"probe", media_type="text/plain", metadata={})
    if made is None:
        raise StoreUnavailable(f"object storage says that a key which nobody knows is taken in {bucket}")
    if store.create(bucket, key, b"another", media_type="text/plain", metadata={}) is not None:
        raise _ignored(_PUT)
    if _kept(lambda: store.copy(made, bucket, key, media_type="text/plain", metadata={}), _MULTIPART) is not None:
        raise _ignored(_MULTIPART)


def _kept(request: Callable[[], object], when: str) -> object:
    """What a conditional request brings; that the store takes no condition there is told as what it is."""
    try:
        return request()
    except StoreMisconfigured:
        raise
    except StoreUnavailable as error:
        if takes_no_condition(error):
            reason = f"MINIO_ENDPOINT: object storage takes no If-None-Match {when} ({error.__cause__}): {_PROMISE}"
            raise StoreMisconfigured(reason) from error
        raise


def takes_no_condition(error: StoreUnavailable) -> bool:
    """Whether this is the answer of a store that does not know how to keep a request's condition."""
    refused = error.__cause__
    return isinstance(refused, Refused) and (refused.status == 501 or refused.code in _WORDS_FOR_NO)


def _ignored(when: str) -> StoreMisconfigured:
    return StoreMisconfigured(f"MINIO_ENDPOINT: object storage ignores If-None-Match {when}: {_PROMISE}")

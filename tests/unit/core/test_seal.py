"""What the service signs, and what it takes for its own."""

import hashlib
import hmac
import json

import pytest

from consumer.core.seal import UNSEALED, Seal

OLD, NEW = b"o" * 32, b"n" * 32
PLACE = ("out", "stems/r1/manifest.json")
DOCUMENT = b'{"version": 1, "note": "of ours"}'


def sealed_by(*keys: bytes, accepts_unsealed: bool = False) -> Seal:
    return Seal(keys=lambda: keys, accepts_unsealed=accepts_unsealed)


def test_a_sealed_document_is_the_same_json_with_one_more_member() -> None:
    """Readers without the key read what they always read; the seal is HMAC-SHA256 (RFC 2104) of place and bytes."""
    sealed = sealed_by(NEW).close(*PLACE, DOCUMENT)
    told = json.loads(sealed)
    body = DOCUMENT[:-1]
    signed = b"3:out22:stems/r1/manifest.json%d:%b" % (len(body), body)
    assert told.pop("mac") == hmac.new(NEW, signed, hashlib.sha256).hexdigest()
    assert told == json.loads(DOCUMENT)
    assert UNSEALED.open(*PLACE, sealed) == sealed
    assert UNSEALED.close(*PLACE, DOCUMENT) == DOCUMENT


def test_keys_rotate() -> None:
    """A new key signs, and what the old one signed is believed until that one goes."""
    earlier = sealed_by(OLD).close(*PLACE, DOCUMENT)
    assert sealed_by(NEW, OLD).open(*PLACE, earlier) == earlier
    later = sealed_by(NEW, OLD).close(*PLACE, DOCUMENT)
    assert sealed_by(NEW).open(*PLACE, later) == later
    assert sealed_by(NEW).open(*PLACE, earlier) is None


@pytest.mark.attack
def test_a_signed_document_that_was_copied_or_changed_is_not_believed() -> None:
    """In another bucket, under another key, with any byte of it another: none of ours."""
    seal = sealed_by(NEW)
    sealed = seal.close(*PLACE, DOCUMENT)
    assert seal.open(*PLACE, sealed) == sealed
    assert seal.open("more", PLACE[1], sealed) is None
    assert seal.open(PLACE[0], "stems/r2/manifest.json", sealed) is None
    assert seal.open("outs", "tems/r1/manifest.json", sealed) is None
    for at in range(len(sealed)):
        assert seal.open(*PLACE, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]) is None
    assert seal.open(*PLACE, sealed + b"{}") is None
    assert seal.open(*PLACE, sealed[:-1] + b',"mac":"' + b"0" * 64 + b'"}') is None


@pytest.mark.attack
@pytest.mark.parametrize("data", [DOCUMENT, b"", b"{}", b'{"mac": 1}', b'{"a":1,"mac":"00"}'])
def test_an_unsigned_document_is_believed_only_where_that_is_said(data: bytes) -> None:
    """For a time after a key was set; a wrong signature is none even then."""
    assert sealed_by(NEW).open(*PLACE, data) is None
    accepting = sealed_by(NEW, accepts_unsealed=True)
    assert accepting.open(*PLACE, data) == data
    assert accepting.open(*PLACE, sealed_by(OLD).close(*PLACE, DOCUMENT)) is None

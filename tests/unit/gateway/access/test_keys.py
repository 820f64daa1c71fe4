"""Keys: how they are made, and what is known by one."""

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from consumer.gateway.access.keys import KeyRecord, KeyRing, key_id_of, make_key
from consumer.gateway.access.principal import Forbidden, Principal, Refusal, Scope, Unauthenticated, require

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
BOTH = frozenset({Scope.READ, Scope.WRITE})


def a_key(**fields: Any) -> tuple[str, KeyRecord]:
    given: dict[str, Any] = {"name": "web", "tenant": "acme", "scopes": BOTH, "created_at": NOON}
    return make_key(**given | fields)


def refusal(ring: KeyRing, key: str, now: datetime = NOON) -> Unauthenticated:
    with pytest.raises(Unauthenticated, match=r"^a valid key or token is needed$") as caught:
        ring.find(key, now)
    return caught.value


def test_a_key_is_written_as_documented() -> None:
    """Prefix, id, 32 bytes and checksum, in letters that need no escape anywhere; only the digest is kept."""
    key, record = a_key()
    assert re.fullmatch(r"spk_[0-9A-Za-z]{10}_[0-9A-Za-z]{49}", key)
    assert key.split("_")[1] == record.id == key_id_of(key)
    assert record.sha256 == hashlib.sha256(key.encode()).hexdigest()
    assert key.split("_")[2] not in repr(record)
    assert (record.name, record.tenant, record.scopes, record.created_at) == ("web", "acme", BOTH, NOON)
    assert (record.expires_at, record.revoked_at) == (None, None)


def test_keys_are_never_the_same() -> None:
    """Neither their ids nor their secrets, and each of the 32 bytes takes many values."""
    keys = [a_key()[0] for _ in range(300)]
    assert len({key.split("_")[1] for key in keys}) == len({key.split("_")[2] for key in keys}) == 300
    numbers = [int_of(key.split("_")[2][:43]) for key in keys]
    assert max(numbers) < 1 << 256
    assert all(len({number >> shift & 0xFF for number in numbers}) > 100 for shift in range(0, 256, 8))


def int_of(text: str) -> int:
    """The number that is written so in base62: digits, capitals, small letters."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = 0
    for letter in text:
        number = number * 62 + alphabet.index(letter)
    return number


# Made by hand from the description: CRC-32 (ISO 3309, whose value for 123456789 is CBF43926) bit by bit.
def crc32(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_the_checksum_is_that_of_the_description() -> None:
    """Whoever scans for leaked keys can write it again."""
    assert crc32(b"123456789") == 0xCBF43926
    key, _ = a_key()
    assert int_of(key[-6:]) == crc32(key[:-6].encode())


def test_who_holds_a_key_is_known() -> None:
    """Among others; nothing in the principal tells the key."""
    key, record = a_key()
    ring = KeyRing([a_key()[1], record, a_key(tenant=None)[1]])
    assert len(ring) == 3
    found = ring.find(key, NOON)
    assert found == record
    assert found.principal == Principal(id=f"key:{record.id}", tenant="acme", scopes=BOTH)


def test_all_who_are_unknown_take_the_same_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a checksum and one of a digest, in constant time, whether the id is somebody's or not."""
    compared: list[int] = []

    def counting(a: Any, b: Any) -> bool:
        compared.append(len(a))
        return bool(a == b)

    key, record = a_key()
    stranger, other = a_key()[0], KeyRing([record])
    replaced = a_key()[1]
    same_id = KeyRing([KeyRecord(**{field: getattr(record, field) for field in record.__struct_fields__}
                                 | {"sha256": replaced.sha256})])  # fmt: skip
    monkeypatch.setattr(hmac, "compare_digest", counting)
    assert refusal(other, stranger).reason is Refusal.UNKNOWN
    unknown_id, compared[:] = compared[:], []
    assert refusal(same_id, key).reason is Refusal.UNKNOWN
    assert unknown_id == compared == [6, 64]


def test_a_key_ends() -> None:
    """When its time is over, to the second, and at once when it is revoked; then it is certain whose it was."""
    key, record = a_key(expires_at=LATER)
    ring = KeyRing([record])
    assert ring.find(key, LATER - timedelta(seconds=1)) == record
    expired = refusal(ring, key, LATER)
    assert (expired.reason, expired.principal_id) == (Refusal.EXPIRED, f"key:{record.id}")
    fields = {field: getattr(record, field) for field in record.__struct_fields__}
    revoked = refusal(KeyRing([KeyRecord(**fields | {"revoked_at": NOON})]), key)
    assert (revoked.reason, revoked.principal_id) == (Refusal.REVOKED, f"key:{record.id}")


def test_times_of_other_zones_are_the_same_moments() -> None:
    """Noon in UTC is 14:00 two hours to the east."""
    east = timezone(timedelta(hours=2))
    key, record = a_key(expires_at=datetime(2026, 11, 20, 14, tzinfo=east))
    assert refusal(KeyRing([record]), key, NOON).reason is Refusal.EXPIRED
    assert KeyRing([record]).find(key, NOON - timedelta(seconds=1))


def test_whose_key_it_was_is_not_told_without_its_secret() -> None:
    """Another secret with a known id says nothing, and neither does a key that has ended."""
    record = a_key(expires_at=NOON)[1]
    other, _ = a_key()
    forged = f"spk_{record.id}_{other.split('_')[2][:43]}"
    checksum, digits = crc32(forged.encode()), ""
    for _ in range(6):
        checksum, digit = divmod(checksum, 62)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[digit] + digits
    refused = refusal(KeyRing([record]), forged + digits, LATER)
    assert (refused.reason, refused.principal_id) == (Refusal.UNKNOWN, None)


NO_KEYS = [
    "", "spk", "spk__", "spk_0123456789_", "SPK_{rest}", "spk-{rest}", "ghp_{rest}", "{rest}", " {key}", "{key} ",
    "{key}\n", "{key}0", "{key}{key}", "Bearer {key}", "{key}é", "spk_" + "0" * 10 + "_" + "0" * 49,
    "spk_" + "٠" * 10 + "_" + "٠" * 49, "\x00", "x" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("written", NO_KEYS, ids=range(len(NO_KEYS)))
def test_what_is_no_key_is_told_without_a_look(written: str) -> None:
    """Its form or its checksum is wrong."""
    key, record = a_key()
    sent = written.format(key=key, rest=key.removeprefix("spk_"))
    assert key_id_of(sent) is None
    assert refusal(KeyRing([record]), sent).reason is Refusal.MALFORMED


@pytest.mark.parametrize(
    "field",
    [
        {"id": "short"}, {"id": "0123456789\n"}, {"id": "012345678_"},
        {"name": ""}, {"name": " web"}, {"name": "a\nb"}, {"name": "x" * 101}, {"name": "a\u202eb"}, {"name": "\ud800"},
        {"tenant": ""}, {"tenant": "a/b"}, {"tenant": ".."}, {"tenant": "x" * 65}, {"tenant": "acme\n"},
        {"sha256": "0" * 63}, {"sha256": "A" * 64}, {"sha256": base64.b64encode(bytes(48)).decode()},
        {"created_at": datetime(2026, 1, 1)}, {"expires_at": datetime(2026, 1, 1)},
        {"revoked_at": datetime(2026, 1, 1)},
    ],
    ids=str,
)  # fmt: skip
def test_what_a_record_can_not_be(field: dict[str, Any]) -> None:
    _, record = a_key()
    with pytest.raises(ValueError, match=r"a key's|a tenant must"):
        KeyRecord(**{name: getattr(record, name) for name in record.__struct_fields__} | field)


def test_an_id_is_one_keys() -> None:
    """Of two with the same nobody could say which was used."""
    _, record = a_key()
    with pytest.raises(ValueError, match="two keys have the same id"):
        KeyRing([record, KeyRecord(**{name: getattr(record, name) for name in record.__struct_fields__})])


@pytest.mark.parametrize("scope", Scope)
def test_each_scope_is_one_of_its_own(scope: Scope) -> None:
    """None includes another, and who has none may do nothing."""
    alone = Principal(id="key:x", tenant=None, scopes=frozenset({scope}))
    require(alone, scope)
    for other in set(Scope) - {scope}:
        with pytest.raises(Forbidden, match=f"^this needs the scope {other}$") as caught:
            require(alone, other)
        assert caught.value.scope is other

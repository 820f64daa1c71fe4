"""What OBJECT_STORE names, and what becomes of a name that is wrong."""

from pathlib import Path

import pytest

from consumer.adapters.factories import make_store
from consumer.adapters.s3.minio import MinioStore
from consumer.app.checks import check_bucket
from consumer.core.errors import BucketUnusable, SettingsError, StoreMisconfigured
from consumer.testing.store import MemoryStore

BACKEND = """
from consumer.core.errors import SettingsError
from consumer.testing.store import MemoryStore

NUMBER = 7

def memory():
    return MemoryStore("in")

def nothing():
    return None

def broken():
    raise ValueError("hunter2")

def lacking():
    raise SettingsError("MY_STORE_URL must be set", variables=("MY_STORE_URL",))

def needs_an_argument(endpoint):
    return MemoryStore(endpoint)
"""


@pytest.fixture(autouse=True)
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that can be imported, and no setting of the store that comes with the service."""
    (tmp_path / "backend_of_test_parts.py").write_text(BACKEND)
    (tmp_path / "backend_that_is_broken.py").write_text("import no_such_vendor\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_the_store_is_what_its_factory_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another backend no setting of MinIO's is asked for."""
    monkeypatch.setenv("OBJECT_STORE", "backend_of_test_parts:memory")
    store = make_store()
    assert isinstance(store, MemoryStore)
    store.check("in")


def test_the_default_is_minio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the setting MINIO_* are asked for, and make a store of it."""
    monkeypatch.delenv("OBJECT_STORE", raising=False)
    with pytest.raises(SettingsError, match=r"^MINIO_ENDPOINT must be set; MINIO_ACCESS_KEY must be set; "):
        make_store()
    for name in ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
        monkeypatch.setenv(name, "127.0.0.1:1")
    assert isinstance(make_store(), MinioStore)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("minio", "must be package.module:factory"),
        ("a:b:c", "must be package.module:factory"),
        ("a.:b", "must be package.module:factory"),
        ("no_such_module:make", r"can't be imported \(ModuleNotFoundError: No module named 'no_such_module'\)"),
        ("backend_that_is_broken:make", r"can't be imported \(ModuleNotFoundError: No module named 'no_such_vendor'\)"),
        ("backend_of_test_parts:make", r"can't be imported \(AttributeError: .*'make'\)"),
        ("backend_of_test_parts:NUMBER", "can't be called"),
        ("backend_of_test_parts:nothing", "returned is no object store"),
        ("backend_of_test_parts:broken", r"made no store \(ValueError\)"),
        ("backend_of_test_parts:needs_an_argument", r"made no store \(TypeError\)"),
    ],
)
def test_a_wrong_name_is_told_of_in_one_line(monkeypatch: pytest.MonkeyPatch, value: str, reason: str) -> None:
    """Whatever is wrong with it, the variable is named, and what the factory said in its error is kept back."""
    monkeypatch.setenv("OBJECT_STORE", value)
    with pytest.raises(SettingsError, match=rf"^OBJECT_STORE: .*{reason}$") as caught:
        make_store()
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.variables == ("OBJECT_STORE",)


def test_what_a_factory_misses_is_told_as_it_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend's own settings are named by itself."""
    monkeypatch.setenv("OBJECT_STORE", "backend_of_test_parts:lacking")
    with pytest.raises(SettingsError, match=r"^MY_STORE_URL must be set$"):
        make_store()


def test_who_names_a_bucket_is_named_with_it() -> None:
    """A store knows no setting of ours: it is put to what the store says, and nothing else is touched."""
    store = MemoryStore("in")
    check_bucket(store, "in", setting="OUTPUT_BUCKET")
    with pytest.raises(BucketUnusable, match=r"^OUTPUT_BUCKET: there is no bucket out$"):
        check_bucket(store, "out", setting="OUTPUT_BUCKET")

    class Refusing(MemoryStore):
        def check(self, bucket: str) -> None:
            raise StoreMisconfigured("MY_KEY: unknown")

    with pytest.raises(StoreMisconfigured, match=r"^MY_KEY: unknown$"):
        check_bucket(Refusing(), "out", setting="OUTPUT_BUCKET")

"""How a store is reached: regions and keys of every kind; on real servers, by the service's settings."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AssumeRoleProvider, StaticProvider
from minio.minioadmin import MinioAdmin

from consumer.adapters.s3.minio import MinioStore, make_minio_store
from consumer.core.cancellation import Cancellation
from consumer.core.errors import StoreMisconfigured, StoreUnavailable
from devstack.minio import ACCESS_KEY, SECRET_KEY, minio
from devstack.service import free_port
from harness.fakes import serve
from harness.store_faults import StoreFaults, s3_error
from tests.contract.conftest import BUCKET, COPIED_PART_BYTES, close
from tests.contract.store_settings import use, wrote

REGION = "eu-test-7"
USER = ("sender-of-tests", "hunter2hunter2")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of another region than most."""
    port = free_port()
    running = minio(tmp_path_factory.mktemp("elsewhere"), port, MINIO_SITE_REGION=REGION).start()
    client = Minio(f"127.0.0.1:{port}", ACCESS_KEY, SECRET_KEY, secure=False, region=REGION)
    client.make_bucket(BUCKET)
    client._http.clear()
    yield f"127.0.0.1:{port}"
    running.stop()


def test_a_region_is_learnt_from_the_store(elsewhere: str, tmp_path: Path) -> None:
    """Whatever is asked for first, and without a word about regions; by one request more, for each bucket once."""
    (tmp_path / "large").write_bytes(b"x" * ((16 << 20) + 1))
    with StoreFaults(elsewhere) as proxy:

        def store() -> MinioStore:
            return MinioStore(proxy.endpoint, ACCESS_KEY, SECRET_KEY, secure=False, copied_part_bytes=COPIED_PART_BYTES)

        first = store()
        facts = first.replace(BUCKET, "a", b"song", media_type="text/plain", metadata={})
        assert len(proxy.seen) == 2
        assert first.read(BUCKET, "a") == b"song"
        assert len(proxy.seen) == 3
        key = f"large-{uuid.uuid4().hex}"
        asks: list[Callable[[MinioStore], object]] = [
            lambda fresh: fresh.check(BUCKET),
            lambda fresh: fresh.stat(BUCKET, "a"),
            lambda fresh: fresh.fetch(facts, tmp_path / "fetched", Cancellation()),
            lambda fresh: fresh.create(BUCKET, key, tmp_path / "large", media_type="text/plain", metadata={}),
            lambda fresh: fresh.copy(facts, BUCKET, f"copy-{key}", media_type="text/plain", metadata={}),
            lambda fresh: fresh.probe_create_only(BUCKET, "stems/"),
        ]
        for ask in asks:
            fresh = store()
            ask(fresh)
            close(fresh)
        assert first.stat(BUCKET, key) is not None
        assert first.read(BUCKET, f"copy-{key}") == b"song"
        close(first)
    assert not [request for request in proxy.seen if "location" in request.words]


def test_a_region_that_is_set_is_meant(elsewhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With MINIO_REGION nothing is learnt: one request each, and a wrong one is told with the right one."""
    use(monkeypatch, elsewhere, MINIO_REGION=REGION)
    with StoreFaults(elsewhere) as proxy:
        monkeypatch.setenv("MINIO_ENDPOINT", proxy.endpoint)
        store = make_minio_store()
        assert wrote(store)
        assert len(proxy.seen) == 2
        close(store)
    use(monkeypatch, elsewhere, MINIO_REGION="us-east-1")
    store = make_minio_store()
    for ask in (lambda: store.read(BUCKET, "a"), lambda: store.check(BUCKET), lambda: wrote(store)):
        with pytest.raises(
            StoreMisconfigured, match=f"^MINIO_REGION: .*AuthorizationHeaderMalformed; its region is {REGION}"
        ):
            ask()
    close(store)


def test_a_store_that_can_not_decide_is_asked_once_more_and_no_oftener(real: tuple[str, str, str]) -> None:
    """A region that changes with each answer ends as trouble."""
    with StoreFaults(real[0]) as proxy:
        proxy.fault = lambda request: s3_error(
            400, "AuthorizationHeaderMalformed", **{"x-amz-bucket-region": f"r-{len(proxy.seen)}"}
        )
        store = MinioStore(proxy.endpoint, *real[1:], secure=False)
        with pytest.raises(StoreMisconfigured):
            store.read(BUCKET, "a")
        close(store)
    assert len(proxy.seen) == 2


@pytest.fixture(scope="module")
def administered(real: tuple[str, str, str]) -> MinioAdmin:
    """The server with a user who may do all that there is to do with objects."""
    admin = MinioAdmin(endpoint=real[0], credentials=StaticProvider(*real[1:]), secure=False)
    admin.user_add(*USER)
    admin.policy_set("readwrite", user=USER[0])
    return admin


def temporary(endpoint: str) -> Credentials:
    """Keys with a session token, by MinIO's own STS."""
    return AssumeRoleProvider(sts_endpoint=f"http://{endpoint}", access_key=USER[0], secret_key=USER[1]).retrieve()


@pytest.mark.usefixtures("administered")
def test_temporary_keys_need_their_token(real: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With MINIO_SESSION_TOKEN they work; without it, or with another, the line names what may be wrong."""
    keys = temporary(real[0])
    set_keys = {"MINIO_ACCESS_KEY": keys.access_key, "MINIO_SECRET_KEY": keys.secret_key}
    use(monkeypatch, real[0], **set_keys, MINIO_SESSION_TOKEN=keys.session_token or "")
    store = make_minio_store()
    assert wrote(store)
    close(store)
    for token in ("", (keys.session_token or "")[:-5]):
        use(monkeypatch, real[0], **set_keys, MINIO_SESSION_TOKEN=token)
        store = make_minio_store()
        with pytest.raises(StoreMisconfigured, match=r"^MINIO_ACCESS_KEY, MINIO_SECRET_KEY") as caught:
            store.read(BUCKET, "a")
        assert not token or "MINIO_SESSION_TOKEN" in str(caught.value)
        close(store)


def test_keys_in_files_are_followed(
    real: tuple[str, str, str], administered: MinioAdmin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store goes on with what the files hold now: refused while that is refused, and at work again with new keys."""

    def mount(keys: Credentials) -> None:
        for name, value in {
            "access": keys.access_key, "secret": keys.secret_key, "token": keys.session_token,
        }.items():  # fmt: skip
            (tmp_path / f"{name}.new").write_text(f"{value}\n")
            (tmp_path / f"{name}.new").replace(tmp_path / name)

    mount(temporary(real[0]))
    use(
        monkeypatch, real[0], MINIO_ACCESS_KEY_FILE=str(tmp_path / "access"),
        MINIO_SECRET_KEY_FILE=str(tmp_path / "secret"), MINIO_SESSION_TOKEN_FILE=str(tmp_path / "token"),
    )  # fmt: skip
    store = make_minio_store()
    assert wrote(store)
    mount(Credentials("nobody-here", "hunter2hunter2", "no-token"))
    with pytest.raises(StoreMisconfigured, match="MINIO_ACCESS_KEY"):
        wrote(store)
    mount(temporary(real[0]))
    assert wrote(store)
    (tmp_path / "token").unlink()  # as while a mount is changed
    assert wrote(store)
    administered.user_disable(USER[0])
    with pytest.raises(StoreMisconfigured, match="MINIO_ACCESS_KEY"):
        wrote(store)
    administered.user_enable(USER[0])
    assert wrote(store)
    close(store)


def environments(endpoint: str, folder: Path, keys: Credentials, role: str) -> Mapping[str, Mapping[str, str]]:
    """For each of AWS's and MinIO's usual ways what says where credentials are."""
    token = keys.session_token or ""
    (folder / ".mc").mkdir()
    alias = {"url": f"http://{endpoint}", "accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
    (folder / ".mc/config.json").write_text(json.dumps({"version": "10", "aliases": {"here": alias}}))
    (folder / "credentials").write_text(
        f"[default]\naws_access_key_id = x\naws_secret_access_key = y\n[music]\naws_access_key_id = {keys.access_key}\n"
        f"aws_secret_access_key = {keys.secret_key}\naws_session_token = {token}\n"
    )
    return {
        "variables": {
            "AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key, "AWS_SESSION_TOKEN": token,
        },
        "file": {"AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"), "AWS_PROFILE": "music"},
        "client": {"HOME": str(folder), "MINIO_ALIAS": "here"},
        "role": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": role},
    }  # fmt: skip


@pytest.mark.usefixtures("administered")
@pytest.mark.parametrize("way", ["variables", "file", "client", "role"])
def test_keys_that_are_not_set_are_found(
    way: str, real: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In AWS's variables and file, in MinIO's client's file, and from whoever gives a container its role's keys."""
    keys = temporary(real[0])
    told = {
        "AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret_key, "Token": keys.session_token,
        "Expiration": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }  # fmt: skip
    with serve({"/role": (200, json.dumps(told).encode())}) as (url, asked):
        monkeypatch.setenv("HOME", str(tmp_path / "nobody's"))
        use(monkeypatch, real[0], **environments(real[0], tmp_path, keys, f"{url}/role")[way])
        store = make_minio_store()
        assert wrote(store)
        close(store)
    assert len(asked) == (1 if way == "role" else 0)


def test_keys_that_nobody_gives_are_trouble(
    real: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a source is named that has none now, that waits, and the line says where it was looked."""
    (tmp_path / "credentials").write_text("[default]\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    use(
        monkeypatch, real[0], AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials"),
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:1/role",
    )  # fmt: skip
    store = make_minio_store()
    with pytest.raises(
        StoreUnavailable, match=r"no credentials come from AWS_FILE \(ValueError\), ROLE \(\w+\)$"
    ) as caught:
        store.check(BUCKET)
    assert not isinstance(caught.value, StoreMisconfigured)
    (tmp_path / "credentials").write_text(
        f"[default]\naws_access_key_id = {real[1]}\naws_secret_access_key = {real[2]}\n"
    )
    assert wrote(store)
    close(store)

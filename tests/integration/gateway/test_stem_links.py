"""Stems by links to the store, where clients reach it: each link is for one file, for a short time, and is told of."""

import base64
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from consumer.client.http import HttpClient, api_key
from harness.clips import write_clip
from harness.gateway import Gateway, gateway
from harness.platform import Platform
from harness.waiting import wait_for


class Recorder:
    """Hands all connections on to an address, and keeps what clients have sent."""

    def __init__(self, target: str) -> None:
        host, _, port = target.partition(":")
        self._target = host, int(port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.sent = bytearray()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                store = socket.create_connection(self._target)
                for source, target in ((client, store), (store, client)):
                    threading.Thread(target=self._hand_on, args=(source, target), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        is_client = source.getpeername() != self._target
        with suppress(OSError), closing(target):
            while data := source.recv(1 << 16):
                if is_client:
                    self.sent += data
                target.sendall(data)


@pytest.fixture
def keys(platform: Platform) -> dict[str, str]:
    """Of two tenants."""
    file = str(platform.folder / "keys.json")
    return {
        name: platform.run("keys", "create", name, "--file", file, "--tenant", name).stdout.strip()
        for name in ("acme", "other")
    }


@pytest.fixture
def store(platform: Platform) -> Iterator[Recorder]:
    """Where clients reach the store."""
    with closing(Recorder(platform.environment["MINIO_ENDPOINT"])) as recorder:
        yield recorder


@pytest.fixture
def door(platform: Platform, keys: dict[str, str], store: Recorder) -> Iterator[Gateway]:
    """A gateway whose links lead there."""
    own = {"API_KEYS_FILE": str(platform.folder / "keys.json"), "MINIO_PUBLIC_ENDPOINT": store.address}
    with gateway(platform, **own) as running:
        yield running


def link_of(response: httpx2.Response) -> str:
    assert (response.status_code, response.content) == (302, b"")
    assert response.headers["cache-control"] == "no-store"
    return response.headers["location"]


def test_stems_by_links(
    platform: Platform, door: Gateway, keys: dict[str, str], store: Recorder, tmp_path: Path
) -> None:
    """Whoever has one gets that file from the store, in part too, without a key; another tenant gets none."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=3, seed=1))
    platform.start_replica().wait_ready()
    mine, other = (door.client(**{"X-API-KEY": keys[name]}) for name in ("acme", "other"))
    with mine, other, httpx2.Client() as stranger:
        body = {"source": {"bucket": platform.source_bucket, "key": key}, "output": {"format": "flac"}}
        job = mine.post("/v1/separations", json=body, headers={"Prefer": "wait=60"}).json()
        assert job["state"] == "succeeded", job
        vocals = next(stem for stem in job["result"]["stems"] if stem["name"] == "vocals")
        content = platform.minio.get_object(vocals["bucket"], vocals["key"]).read()
        place = f"/v1/separations/{job['id']}/stems/vocals"
        check_link(link_of(mine.get(place)), content, stranger, store.address)
        check_told_link(mine.get(f"{place}/link"), content, stranger)
        here = mine.get(place, params={"redirect": "false"}, headers={"Range": "bytes=10-19"})
        assert (here.status_code, here.content) == (206, content[10:20])  # no link, for who can't be sent elsewhere
        check_head(mine.head(place, headers={"Range": "bytes=0-9"}), content)
        known = mine.get(place, headers={"If-None-Match": f'"{vocals["sha256"]}"'})
        assert (known.status_code, "location" in known.headers) == (304, False)
        for path in (place, f"/v1/separations/{job['id']}/stems/drums", "/v1/separations/unknown/stems/vocals"):
            asked = other if path == place else mine
            for response in (asked.get(path), asked.head(path), asked.get(f"{path}/link")):
                assert (response.status_code, "location" in response.headers) == (404, False)
        assert mine.get(f"/v1/separations/{job['id']}/archive").status_code == 200  # the store has no such object
        check_client(door, job["id"], keys["acme"], store, tmp_path)
        platform.minio.remove_object(vocals["bucket"], vocals["key"])
        gone = mine.get(place), mine.head(place), mine.get(f"{place}/link")
        assert [each.status_code for each in gone] == [410] * 3
    check_told(platform, job["id"], keys)
    assert b"X-Amz-Signature" not in door.process.log.read_bytes()


def check_link(link: str, content: bytes, stranger: httpx2.Client, address: str) -> None:
    """It is short-lived, and for reading one file alone."""
    parsed = urlsplit(link)
    assert parsed.netloc == address
    assert int(parse_qs(parsed.query)["X-Amz-Expires"][0]) <= 600
    whole = stranger.get(link)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["content-type"] == "audio/flac"
    assert whole.headers["content-disposition"] == 'attachment; filename="vocals.flac"'
    part = stranger.get(link, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"
    assert stranger.get(link, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    for forged in (
        link.replace("vocals", "accompaniment", 1),
        link.replace("X-Amz-Expires=", "X-Amz-Expires=9", 1),
        link.partition("?")[0],
    ):
        assert stranger.get(forged).status_code == 403
    assert stranger.put(link, content=b"x").status_code == 403
    assert stranger.delete(link).status_code == 403


def check_told_link(told: httpx2.Response, content: bytes, stranger: httpx2.Client) -> None:
    """The same without a redirect, for whoever can't keep a key from following one."""
    assert (told.status_code, told.headers["cache-control"]) == (200, "no-store")
    left_s = (datetime.fromisoformat(told.json()["expires_at"]) - datetime.now(UTC)).total_seconds()
    assert 0 < left_s <= 300
    assert stranger.get(told.json()["url"]).content == content


def check_head(head: httpx2.Response, content: bytes) -> None:
    """All that is told of the whole file, from the gateway itself."""
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert (head.status_code, head.content) == (200, b"")
    told = {name: head.headers[name] for name in ("content-length", "content-type", "repr-digest", "accept-ranges")}
    assert told == {
        "content-length": str(len(content)),
        "content-type": "audio/flac",
        "repr-digest": f"sha-256=:{digest}:",
        "accept-ranges": "bytes",
    }


def check_client(door: Gateway, request_id: str, key: str, store: Recorder, folder: Path) -> None:
    """Our own client follows the links, and the store never sees its key."""
    before = len(store.sent)
    with HttpClient(door.url, api_key(key)) as client:
        files = client.job(request_id).download(folder / "out")
    assert set(files) == {"vocals", "accompaniment"}
    sent = bytes(store.sent[before:])
    assert sent.count(b"GET /") == 2
    assert key.encode() not in sent
    assert b"x-api-key" not in sent.lower()


def check_told(platform: Platform, request_id: str, keys: dict[str, str]) -> None:
    """One event for each link, by whom; none of them holds a link or a key."""

    def told() -> list[Any]:
        return [event for event in platform.audit_events() if event.action == "link.issued"]

    def presigned() -> list[Any]:
        return [event for event in told() if event.details.get("reason") == "presigned"]

    wait_for(lambda: len(presigned()) >= 4)
    assert [(e.request_id, e.tenant, e.outcome) for e in presigned()] == [(request_id, "acme", "success")] * 4
    assert {event.tenant for event in told()} == {"acme"}
    for secret in ("X-Amz", "stems/", *keys.values()):
        assert secret not in repr(told())

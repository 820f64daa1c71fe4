"""Whatever tenants do, and in whatever order: no answer to one of them shows anything of another's.

Every name, key, id, digest and byte of a tenant's bears a mark of its own. Another's id has to be answered as one that
nobody has: with the same status, the same headers and the same body, but for what differs between any two answers.
"""

import asyncio
import hashlib
import json
import random
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.core.content_index import SeparatedContent, content_key
from consumer.core.events import SeparationResult, SourceObject, SourceUsed, Stem
from consumer.core.manifest import Manifest
from consumer.core.output_place import MANIFEST, tenant_prefix
from consumer.gateway.access.key_file import KeyFile
from consumer.gateway.access.keys import make_key
from consumer.gateway.access.principal import Scope
from consumer.gateway.index.entry import Ended, JobState
from consumer.gateway.index.interpret import result_document
from harness.job_log import LETTERS, PROGRESS, RESULTS, ended, progress
from harness.memory_gateway import IN, OUT, PREFIX, MemoryGateway, Told

AT = datetime(2026, 11, 2, 10, 0, 7, tzinfo=UTC)
MOST_IN_FLIGHT = 4
DIFFERS = ("x-request-id", "ratelimit")  # between any two answers
BOUNDARY = "b"
PAGES = ("", "/stems/vocals", "/stems/none", "/archive", "/waveform", "/events")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """mark: is in everything of theirs, and in nothing else. name: None stands for nobody in particular."""

    name: str | None
    key: str
    mark: str


@dataclass(slots=True, kw_only=True)
class Known:
    """A job, or an upload. is_indexed: whether the log tells of it; else its manifest alone does."""

    id: str
    owner: Tenant
    is_open: bool = True
    is_indexed: bool = True


@dataclass(slots=True)
class World:
    """What has happened, as nobody but the test sees all of it."""

    gateway: MemoryGateway
    tenants: Sequence[Tenant]
    jobs: list[Known] = field(default_factory=list)
    uploads: list[Known] = field(default_factory=list)
    contents: list[Known] = field(default_factory=list)
    keyed: dict[tuple[str, str], tuple[Known, int]] = field(default_factory=dict)

    async def ask(self, who: Tenant, method: str, target: str, body: bytes = b"", **headers: str) -> Told:
        """An answer, which shows nothing of anybody else's but what was asked with."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        told = await self.gateway.ask(method, target, headers={"X-API-KEY": who.key, **named}, body=body)
        shown = told.body + repr(told.headers).encode()
        asked_with = f"{target} {headers}".encode() + body
        for secret in self._secrets_of_others(who):
            assert secret not in shown or secret in asked_with, (method, target, secret, told)
        assert told.status < 500, (method, target, told)
        return told

    async def post(self, who: Tenant, target: str, document: object, **headers: str) -> Told:
        body = json.dumps(document).encode()
        return await self.ask(who, "POST", target, body, Content_Type="application/json", **headers)

    async def as_unknown(self, known: Known, ask: Callable[[str], Awaitable[Told]], status: int = 404) -> None:
        """Asked with another's id, it answers as with one that nobody has."""
        nobodys = secrets.token_hex(32) if len(known.id) == 64 else secrets.token_urlsafe(32)
        one, other = normal(await ask(known.id), known.id), normal(await ask(nobodys), nobodys)
        assert one == other
        assert one[0] == status, one

    def own(self, who: Tenant) -> list[Known]:
        return [job for job in self.jobs if job.owner is who]

    def _secrets_of_others(self, who: Tenant) -> Iterator[bytes]:
        for tenant in self.tenants:
            if tenant is not who:
                yield tenant.mark.encode()
                yield tenant.key.encode()
        for each in (*self.jobs, *self.uploads, *self.contents):
            if each.owner is not who:
                yield each.id.encode()


def normal(told: Told, used_id: str) -> tuple[int, dict[str, str], bytes]:
    """All that tells one answer from another."""
    body = told.body
    if body.startswith(b"{"):
        body = json.dumps({**json.loads(body), "instance": ""}).encode()
    headers = {name: value for name, value in told.headers if name not in DIFFERS}
    assert {name for name, _ in told.headers} >= set(DIFFERS)
    return told.status, headers, body.replace(used_id.encode(), b"<id>")


def document_of(told: Told) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told.body)
    return found


# --- what a tenant can do; `which` chooses between what there is ---


def body_of(who: Tenant, which: int = 0) -> dict[str, Any]:
    return {"source": {"bucket": IN, "key": f"{who.mark}/{which % 2}.wav"}, "metadata": {"user": who.mark}}


async def send(world: World, who: Tenant, which: int) -> None:
    """Whether it is taken depends on the tenant's own jobs, and on nobody else's."""
    told = await world.post(who, "/v1/separations", body_of(who, which))
    note_job(world, who, told)


async def send_again(world: World, who: Tenant, which: int) -> None:
    """Under few keys, which all tenants share: each has jobs of its own under them."""
    key = f"key-{which % 2}"
    words = which // 2 % 2
    told = await world.post(who, "/v1/separations", body_of(who, words), Idempotency_Key=key)
    if (known := world.keyed.get((who.mark, key))) is None:
        if job := note_job(world, who, told):
            world.keyed[who.mark, key] = job, words
    elif known[1] == words:
        assert (told.status, document_of(told)["id"]) == (200, known[0].id)
    else:
        assert told.status == (409 if known[0].is_open else 422)


async def send_file(world: World, who: Tenant, which: int) -> None:
    """Its bytes bear the mark; its digest is known to its tenant alone."""
    file = b"RIFF\x00\x00\x00\x00WAVE" + who.mark.encode() + bytes([which])
    parts = (("request", json.dumps({"metadata": {"user": who.mark}}).encode()), ("file", file))
    form = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + content + b"\r\n"
        for name, content in parts
    )
    media_type = f"multipart/form-data; boundary={BOUNDARY}"
    told = await world.ask(
        who, "POST", "/v1/separations", form + f"--{BOUNDARY}--\r\n".encode(), Content_Type=media_type
    )
    if job := note_job(world, who, told):
        sha256 = hashlib.sha256(file).hexdigest()
        if sha256 not in {each.id for each in world.contents}:
            world.contents.append(Known(id=sha256, owner=who))
        facts = world.gateway.store.stat(IN, f"uploads/{job.id}")
        assert facts is not None
        read = SourceObject(bucket=IN, key=facts.key, etag=facts.etag)
        content = SeparatedContent(request_id=job.id, asked=read, read=read)
        place = content_key(PREFIX, who.name, sha256)
        world.gateway.store.replace(OUT, place, content.to_json(), media_type="application/json", metadata={})


def note_job(world: World, who: Tenant, told: Told) -> Known | None:
    """A job that was taken, or else the tenant has as many as it may."""
    is_full = sum(job.is_open for job in world.own(who)) >= MOST_IN_FLIGHT
    assert told.status == (429 if is_full else 202), told
    if is_full:
        return None
    world.jobs.append(job := Known(id=document_of(told)["id"], owner=who))
    return job


async def send_known_content(world: World, who: Tenant, which: int) -> None:
    """What another tenant has had separated is not known here, even to whoever has its digest."""
    if world.contents:
        content = world.contents[which % len(world.contents)]

        def ask(sha256: str) -> Awaitable[Told]:
            return world.post(who, "/v1/separations", {"source": {"sha256": sha256}})

        if content.owner is not who:
            await world.as_unknown(content, ask)
        elif (told := await ask(content.id)).status != 200:
            note_job(world, who, told)


async def send_upload(world: World, who: Tenant, which: int) -> None:
    """Neither by its id nor by where it lies."""
    if world.uploads:
        upload = world.uploads[which % len(world.uploads)]
        if upload.owner is not who:
            await world.as_unknown(
                upload, lambda id_: world.post(who, "/v1/separations", {"source": {"upload_id": id_}})
            )
    for job in world.jobs[: which % 3]:
        if job.owner is not who:
            source = {"bucket": IN, "key": f"uploads/{job.id}"}
            await world.as_unknown(
                job,
                lambda id_, source=source: world.post(  # type: ignore[misc]
                    who, "/v1/separations", {"source": {**source, "key": f"uploads/{id_}"}}
                ),
                403,
            )


async def begin_upload(world: World, who: Tenant, which: int) -> None:
    told = await world.post(who, "/v1/uploads", {"size_bytes": 12 + which})
    assert told.status == 201
    world.uploads.append(Known(id=document_of(told)["upload_id"], owner=who))


async def go_on_with_upload(world: World, who: Tenant, which: int) -> None:
    """Sending a part, completing and removing: the owner's alone."""
    if not world.uploads:
        return
    upload = world.uploads[which % len(world.uploads)]
    data = (b"RIFF\x00\x00\x00\x00WAVE" + bytes(which))[: 12 + which]
    calls = (("PUT", "/parts/1", data), ("POST", "/complete", b""), ("DELETE", "", b""))
    for method, page, body in calls[which % 3 :]:
        if upload.owner is not who:
            await world.as_unknown(
                upload,
                lambda id_, m=method, p=page, b=body: world.ask(who, m, f"/v1/uploads/{id_}{p}", b),  # type: ignore[misc]
            )
        else:
            await world.ask(who, method, f"/v1/uploads/{upload.id}{page}", body)


async def look(world: World, who: Tenant, which: int) -> None:
    """At each page of a job; of another's, none is there."""
    for job in world.jobs[which % 5 :: 5]:
        for page in PAGES:
            if job.owner is not who:
                await world.as_unknown(job, lambda id_, p=page: world.ask(who, "GET", f"/v1/separations/{id_}{p}"))  # type: ignore[misc]
        if job.owner is who:
            shown = await world.ask(who, "GET", f"/v1/separations/{job.id}")
            assert (shown.status, document_of(shown)["id"], document_of(shown)["done"]) == (
                200, job.id, not job.is_open,
            )  # fmt: skip
            for page in PAGES[1:]:
                await world.ask(who, "GET", f"/v1/separations/{job.id}{page}")


async def cancel(world: World, who: Tenant, which: int) -> None:
    """Nobody's wish reaches another's job."""
    if world.jobs:
        job = world.jobs[which % len(world.jobs)]
        wished = list(world.gateway.publisher.cancelled)
        if job.owner is not who:
            await world.as_unknown(job, lambda id_: world.ask(who, "DELETE", f"/v1/separations/{id_}"))
            assert world.gateway.publisher.cancelled == wished
        else:
            await world.ask(who, "DELETE", f"/v1/separations/{job.id}")


async def forget_anothers(world: World, who: Tenant, which: int) -> None:
    """Nobody's job is taken away by others: nothing in the store changes, and it is shown as before."""
    if not world.jobs or (job := world.jobs[which % len(world.jobs)]).owner is who:
        return
    there = sorted(world.gateway.store.keys(OUT))
    before = await world.ask(job.owner, "GET", f"/v1/separations/{job.id}")
    await world.as_unknown(job, lambda id_: world.ask(who, "DELETE", f"/v1/separations/{id_}?forget=true"))
    assert sorted(world.gateway.store.keys(OUT)) == there
    after = await world.ask(job.owner, "GET", f"/v1/separations/{job.id}")
    assert after.status == before.status


async def list_all(world: World, who: Tenant, which: int) -> None:
    """Page by page, of every state: the tenant's own, each once."""
    found: list[str] = []
    query = f"?limit={1 + which % 4}"
    cursor: str | None = ""
    while cursor is not None:
        page = document_of(await world.ask(who, "GET", f"/v1/separations{query}{cursor}"))
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert sorted(found) == sorted(job.id for job in world.own(who) if job.is_indexed)


async def list_some(world: World, who: Tenant, which: int) -> None:
    """Asked for all ids that there are, it tells of the tenant's own."""
    ids = [*[job.id for job in world.jobs][-50:], secrets.token_urlsafe(32)]
    random.Random(which).shuffle(ids)
    query = "&".join(f"id={each}" for each in ids)
    page = document_of(await world.ask(who, "GET", f"/v1/separations?{query}"))
    own = {job.id for job in world.own(who) if job.is_indexed}
    assert [item["id"] for item in page["items"]] == [each for each in ids if each in own]


async def follow(world: World, who: Tenant, which: int) -> None:
    """All events from the beginning, and what a stream of another's would go on with."""
    told = await world.ask(who, "GET", "/v1/events", Last_Event_ID=world.gateway.replica.log.ids.text({}))
    accepted = [
        json.loads(line.removeprefix("data: "))["id"]
        for block in told.body.decode().split("\n\n")
        if block.startswith("event: accepted\n")
        for line in block.splitlines()
        if line.startswith("data: ")
    ]
    assert sorted(accepted) == sorted(job.id for job in world.own(who) if job.is_indexed)
    other = world.tenants[which % len(world.tenants)]
    theirs = await world.ask(other, "GET", "/v1/events")
    last_id = theirs.body.decode().partition("id: ")[2].partition("\n")[0]
    await world.ask(who, "GET", "/v1/events", Last_Event_ID=last_id)


async def finish(world: World, who: Tenant, which: int) -> None:
    """A replica tells of one of the tenant's jobs: how far it is, or its end."""
    if not (jobs := [job for job in world.own(who) if job.is_open]):
        return
    job = jobs[which % len(jobs)]
    gateway, state = world.gateway, (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, None)[which % 4]
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    if state is None:
        gateway.log.write(PROGRESS, 0, progress(job.id, 1, at_ms=now_ms))
    elif state is JobState.SUCCEEDED:
        result = msgspec.json.encode(result_document(make_stems(world, job)))
        outcome = Ended(
            request_id=job.id, state=state, tenant=who.name, fingerprint=None, document=result, partition=-1, offset=-1,
            at_ms=now_ms,
        )  # fmt: skip
        gateway.log.write(RESULTS, 0, outcome)
    else:
        gateway.log.write(LETTERS, 0, ended(job.id, state, at_ms=now_ms, words=who.mark))
    job.is_open = state is None
    gateway.replica.read_all()


async def succeed_long_ago(world: World, who: Tenant, which: int) -> None:
    """A job of which its stems alone are left."""
    world.jobs.append(job := Known(id=secrets.token_urlsafe(32), owner=who, is_open=False, is_indexed=False))
    make_stems(world, job)


def make_stems(world: World, job: Known) -> SeparationResult:
    """As a replica stores them, the manifest last."""
    content = b"RIFF" + job.owner.mark.encode() + job.id.encode()
    folder = f"{tenant_prefix(PREFIX, job.owner.name)}{job.id}/"
    stem = Stem(
        name="vocals", bucket=OUT, key=f"{folder}vocals.wav", size_bytes=len(content), duration_s=1.0,
        sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip
    source = SourceUsed(bucket=IN, key=f"{job.owner.mark}.wav", etag="e", format="wav", duration_s=1.0)
    manifest = Manifest(
        request_id=job.id, fingerprint=f"f-{job.owner.mark}", source=source, model="2stems", weights_sha256="ab",
        stems=(stem,), timings_s={}, completed_at=AT, warnings=(job.owner.mark,), overviews={"vocals": (0.5,)},
    )  # fmt: skip
    store = world.gateway.store
    store.replace(OUT, stem.key, content, media_type="audio/wav", metadata={})
    store.replace(OUT, f"{folder}{MANIFEST}", manifest.to_json(), media_type="application/json", metadata={})
    return SeparationResult(
        request_id=job.id, source=source, model="2stems", stems=(stem,), completed_at=AT, tenant=job.owner.name,
        metadata={"user": job.owner.mark},
    )  # fmt: skip


ACTS = (
    send, send, send_again, send_file, send_known_content, send_upload, begin_upload, go_on_with_upload, look, cancel,
    forget_anothers, list_all, list_some, follow, finish, finish, succeed_long_ago,
)  # fmt: skip
Step = tuple[Callable[[World, Tenant, int], Awaitable[None]], int, int]


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sequence[Tenant], Path]:
    """200 of them, the first of which is nobody in particular, and the file of their keys."""
    file, found = tmp_path_factory.mktemp("keys") / "keys.json", []
    for number in range(200):
        mark = f"mark{number:03}x{secrets.token_hex(4)}"
        name = None if number == 0 else f"{mark}_tenant"
        key, record = make_key(name=mark, tenant=name, scopes={Scope.READ, Scope.WRITE}, created_at=AT)
        KeyFile(file).add(record)
        found.append(Tenant(name=name, key=key, mark=mark))
    return found, file


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def play(tenants: Sequence[Tenant], keys: Path, steps: Sequence[Step]) -> World:
    """All of these, one after the other, and in the end everybody looks at everything."""

    async def go() -> World:
        with folder() as place:
            gateway = MemoryGateway(place, keys, most_in_flight=MOST_IN_FLIGHT)
            world = World(gateway, tenants)
            try:
                async with asyncio.timeout(300):
                    for act, who, which in steps:
                        await act(world, tenants[who % len(tenants)], which)
            finally:
                await gateway.close()
            return world

    return asyncio.run(go())


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.permutations(range(12)),
    st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 2), st.integers(0, 30)), max_size=40),
)
def test_no_sequence_of_calls_shows_anothers(
    tenants: tuple[Sequence[Tenant], Path], chosen: list[int], steps: list[Step]
) -> None:
    """Of three tenants, one of which may be nobody in particular."""
    everybody, keys = tenants
    some = [everybody[number] for number in chosen[:3]]
    closing: list[Step] = [(act, who, 0) for who in range(3) for act in (look, list_all, list_some, follow)]
    play(some, keys, [*steps, *closing])


def test_two_hundred_tenants(tenants: tuple[Sequence[Tenant], Path]) -> None:
    """Each sends, uploads and ends something under the same names; then each asks for all that there is."""
    everybody, keys = tenants
    order = random.Random(7)
    steps: list[Step] = [
        (act, who, order.randrange(30))
        for act in (send, send_again, send_file, begin_upload, finish, succeed_long_ago)
        for who in range(200)
    ]
    steps += [(act, who, order.randrange(800)) for who in range(200) for act in (cancel, send_known_content)]
    steps += [(act, who, order.randrange(800)) for who in range(200) for act in (list_all, list_some, send_upload)]
    world = play(everybody, keys, steps)
    assert len({job.owner.mark for job in world.jobs}) == 200
    assert len(world.jobs) >= 800


def test_the_marks_are_seen_where_they_are_shown(tenants: tuple[Sequence[Tenant], Path]) -> None:
    """What the others rest on: an owner is shown the marks, and an answer with another's would be found."""
    everybody, keys = tenants

    async def go() -> None:
        with folder() as place:
            world = World(MemoryGateway(place, keys), everybody[:2])
            mine, theirs = everybody[:2]
            await send(world, mine, 0)
            await finish(world, mine, 0)
            [job] = world.jobs
            for page in ("", "/stems/vocals", "/archive", "/events"):
                told = await world.ask(mine, "GET", f"/v1/separations/{job.id}{page}")
                assert told.status == 200
                assert mine.mark.encode() in told.body
            assert job.id in (await world.ask(mine, "GET", "/v1/separations")).body.decode()
            job.owner = theirs  # as if it had been theirs
            with pytest.raises(AssertionError):
                await world.ask(mine, "GET", "/v1/separations")
            with pytest.raises(AssertionError):
                await look(world, mine, 0)
            await world.gateway.close()

    asyncio.run(go())

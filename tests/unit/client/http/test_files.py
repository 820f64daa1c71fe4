"""Files on their way to the gateway and back."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path

import pytest

from consumer.client import AccessDenied, GatewayUnavailable, RequestRefused
from consumer.client.http import HttpClient, HttpJob, api_key
from consumer.core.errors import Rejected
from tests.unit.client.http.conftest import KEY, Time
from tests.unit.client.http.door import HANG_UP, Door, Reply, Seen, open_door
from tests.unit.client.http.jobs import CONTENTS, ID, PLACE, QUEUED, RESULT, SUCCEEDED

ACCEPTED = Reply.of(QUEUED, 202)
SONG = os.urandom(300_000) + b"\r\n--boundary--\r\n"


def parts(seen: Seen) -> list[Message]:
    """The parts of a multipart body, as Python's own parser of mail reads them."""
    head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + seen.body)
    assert message.get_content_type() == "multipart/form-data"
    found = message.get_payload()
    assert isinstance(found, list)
    return [each for each in found if isinstance(each, Message)]


def name_of(part: Message) -> object:
    return part.get_param("name", header="Content-Disposition")


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "secret name.mp3"
    path.write_bytes(SONG)
    return path


def test_a_local_file_is_sent_behind_its_request(door: Door, client: HttpClient, song: Path) -> None:
    """As multipart with its length: what is wanted comes first, then the bytes; the file's name is not told."""
    door.answer(HANG_UP, ACCEPTED)
    job = client.separate(song, model="4stems", metadata={"user": "ü"}, idempotency_key="take 1")
    assert job.request_id == ID
    for seen in door.seen:  # each try is whole
        assert int(seen.headers["content-length"]) == len(seen.body)
        assert seen.headers["idempotency-key"] == "take 1"
        request, file = parts(seen)
        assert (name_of(request), request.get_content_type()) == ("request", "application/json")
        assert b'"model": "4stems"' in request.get_payload(decode=True)
        assert b"source" not in request.get_payload(decode=True)
        assert name_of(file) == "file"
        assert SONG in seen.body
        assert b"secret name" not in seen.body


def test_a_file_that_can_t_be_read(door: Door, client: HttpClient, tmp_path: Path, time: Time) -> None:
    """Is the caller's trouble, told at once in the system's words; a pipe is waited for by nobody."""
    with pytest.raises(FileNotFoundError):
        client.separate(tmp_path / "none.mp3")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(Rejected, match="must be a file"):
            client.separate(path)
    with pytest.raises(OSError, match="Input/output"):
        client.separate(Path("/proc/self/mem"))  # opens as a file, and can't be read from its beginning
    assert time.paused == []


def test_a_file_that_is_refused(door: Door, client: HttpClient, song: Path, time: Time) -> None:
    """Once, with the code that a replica would give."""
    door.answer(Reply.problem(413, "OBJECT_TOO_LARGE"))
    with pytest.raises(RequestRefused) as caught:
        client.separate(song)
    assert (caught.value.code, len(door.seen), time.paused) == ("OBJECT_TOO_LARGE", 1, [])


def test_a_refusal_in_the_middle_of_a_file_is_read(tmp_path: Path, time: Time) -> None:
    """A gateway that answers and hangs up while the file comes has said why, and is not sent it again."""
    song, problem = tmp_path / "song.wav", Reply.problem(413, "OBJECT_TOO_LARGE")
    with song.open("wb") as file:
        file.truncate(64 << 20)  # more than sockets hold
    told = [f"{name}: {value}" for name, value in problem.headers.items()]
    head = "\r\n".join(["HTTP/1.1 413 -", f"Content-Length: {len(problem.body)}", *told, "", ""])
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(head.encode() + problem.body)

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with (
            HttpClient(url, api_key(KEY), clock=time, pause=time.pause) as client,
            pytest.raises(RequestRefused) as caught,
        ):
            client.separate(song)
        thread.join(30)
    assert (caught.value.code, time.paused) == ("OBJECT_TOO_LARGE", [])


# --- stems ---

Answer = Callable[[Seen], Reply]


def content_of(seen: Seen) -> bytes:
    return CONTENTS[seen.path.rpartition("/")[2]]


def begin_of(seen: Seen) -> int:
    return int(seen.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


def part(seen: Seen, cut: int | None = None) -> Reply:
    """As RFC 9110 has it: what is asked for, whole or from some byte on."""
    content, begin = content_of(seen), begin_of(seen)
    if begin == 0:
        return Reply(body=content, cut=cut)
    span = f"bytes {begin}-{len(content) - 1}/{len(content)}"
    return Reply(status=206, headers={"Content-Range": span}, body=content[begin:], cut=cut)


@pytest.fixture
def job(door: Door, client: HttpClient) -> HttpJob:
    """One that has succeeded."""
    door.answer(Reply.of(SUCCEEDED))
    job = client.job(ID)
    door.seen.clear()
    return job


def check_whole(files: dict[str, Path], folder: Path) -> None:
    assert files == {name: folder / f"{name}.wav" for name in CONTENTS}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        f"{name}.wav": content for name, content in CONTENTS.items()
    }


def test_stems_are_fetched(door: Door, job: HttpJob, tmp_path: Path) -> None:
    """Through the gateway, as they lie in the store, onto what may lie in the folder."""
    door.answer(part)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "vocals.wav").write_bytes(b"of yesterday")
    check_whole(job.download(tmp_path / "out"), tmp_path / "out")
    assert [seen.path for seen in door.seen] == [f"{PLACE}/stems/{name}" for name in CONTENTS]
    assert {seen.headers["accept-encoding"] for seen in door.seen} == {"identity"}
    assert {seen.headers["x-api-key"] for seen in door.seen} == {KEY}


def test_a_download_that_is_cut_goes_on(door: Door, job: HttpJob, tmp_path: Path, time: Time) -> None:
    """Where it was, however often, as long as something comes: longer than patience has it without."""
    door.answer(lambda seen: part(seen, cut=20_000))
    check_whole(job.download(tmp_path / "out"), tmp_path / "out")
    begins = [begin_of(seen) for seen in door.seen if seen.path.endswith("vocals")]
    assert begins[0] == 0
    assert sorted(set(begins)) == begins  # nothing is fetched twice
    assert len(time.paused) > 10


def test_a_server_without_parts_begins_anew(door: Door, job: HttpJob, tmp_path: Path) -> None:
    """What came before the cut is dropped."""
    door.answer(
        lambda seen: Reply(body=content_of(seen), cut=20_000), HANG_UP, lambda seen: Reply(body=content_of(seen))
    )
    check_whole(job.download(tmp_path / "out"), tmp_path / "out")


def test_a_download_without_progress_ends(door: Door, job: HttpJob, tmp_path: Path, time: Time) -> None:
    """As patience has it; nothing is left in the folder."""
    for answer in (HANG_UP, Reply(body=b"", headers={}), Reply.problem(503, "UNAVAILABLE"), lambda s: part(s, cut=0)):
        door.answer(answer)
        time.paused.clear()
        with pytest.raises(GatewayUnavailable):
            job.download(tmp_path / "out")
        assert 30 < sum(time.paused) <= 60
        assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda seen: Reply(body=bytes(len(content_of(seen)))), "OBJECT_CHANGED"),
        (lambda seen: Reply(body=content_of(seen) + b"."), "OBJECT_CHANGED"),
        (lambda _: Reply.problem(416, "RANGE"), "OBJECT_CHANGED"),
        (lambda _: Reply(status=206, headers={"Content-Range": "bytes 7-9/10"}, body=b"abc"), "OBJECT_CHANGED"),
        (lambda _: Reply.problem(410, "STEMS_GONE"), "OBJECT_NOT_FOUND"),
        (lambda _: Reply.problem(404, "NOT_FOUND"), "OBJECT_NOT_FOUND"),
    ],
)
def test_a_stem_that_is_another_gets_no_name(
    door: Door, job: HttpJob, tmp_path: Path, answer: Answer, code: str, time: Time
) -> None:
    """Nor does one that is gone; what was there before stays."""
    door.answer(answer)
    (tmp_path / "vocals.wav").write_bytes(b"of yesterday")
    with pytest.raises(Rejected) as caught:
        job.download(tmp_path)
    assert caught.value.code == code
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"of yesterday"]
    assert time.paused == []


def test_a_right_that_is_lacking(door: Door, job: HttpJob, tmp_path: Path) -> None:
    """Is not asked for again."""
    door.answer(Reply.problem(403, "SCOPE_MISSING"))
    with pytest.raises(AccessDenied):
        job.download(tmp_path)
    assert len(door.seen) == 1


def test_a_replica_that_is_behind_is_waited_for(door: Door, job: HttpJob, tmp_path: Path) -> None:
    """That a job has succeeded is known; another gateway may not have read it yet."""
    door.answer(Reply.problem(409, "UNFINISHED"), part)
    check_whole(job.download(tmp_path / "out"), tmp_path / "out")


@pytest.fixture
def store() -> Iterator[Door]:
    """A store that the gateway's links lead to."""
    with open_door() as store:
        yield store


def test_a_link_to_the_store_is_followed(door: Door, store: Door, job: HttpJob, tmp_path: Path) -> None:
    """Without our key. One that has grown old is asked for anew, and what came until then is kept."""
    door.answer(lambda seen: Reply(status=302, headers={"Location": f"{store.url}/s/{seen.path.rpartition('/')[2]}"}))
    store.answer(lambda seen: part(seen, cut=20_000), Reply(status=403, body=b"<Error>"), part)
    check_whole(job.download(tmp_path / "out"), tmp_path / "out")
    assert not any("x-api-key" in seen.headers for seen in store.seen)
    assert all(seen.headers["x-api-key"] == KEY for seen in door.seen)
    assert begin_of(store.seen[2]) == begin_of(store.seen[1]) > 0


@pytest.mark.parametrize("place", [PLACE, "file:///etc/passwd", "http://h:x", ""])
def test_a_link_to_nowhere(door: Door, job: HttpJob, tmp_path: Path, place: str) -> None:
    """One that leads to itself, to a file, or to nothing ends at once."""
    door.answer(Reply(status=302, headers={"Location": place} if place else {}))
    with pytest.raises(GatewayUnavailable, match="no proper answer"):
        job.download(tmp_path)
    assert len(door.seen) < 10


@pytest.mark.parametrize("name", ["../../evil", "..", "", "a/b", "a\0b", "x" * 200, "é\n"])
def test_a_stem_s_name_leads_nowhere_else(door: Door, client: HttpClient, tmp_path: Path, name: str) -> None:
    """A name that no file of the folder may have is none."""
    stems = [{**SUCCEEDED["result"]["stems"][0], "name": name}]
    door.answer(Reply.of(SUCCEEDED | {"result": SUCCEEDED["result"] | {"stems": stems}}))
    job = client.job(ID)
    door.answer(Reply(body=CONTENTS["vocals"]))
    with pytest.raises(Rejected):
        job.download(tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_a_full_disk_is_the_caller_s(door: Door, job: HttpJob, tmp_path: Path, time: Time) -> None:
    """Or a folder that can't be made: the system's own error, and no second try."""
    (tmp_path / "out").write_bytes(b"a file")
    door.answer(part)
    with pytest.raises(OSError, match="exists"):
        job.download(tmp_path / "out")
    assert time.paused == []
    assert {stem.name for stem in RESULT.stems} == set(CONTENTS)

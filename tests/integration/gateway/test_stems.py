"""What is fetched by HTTP is what lies in the store, whole and in parts."""

import base64
import hashlib
import io
import wave
import zipfile
from pathlib import Path

from harness.clips import write_clip
from harness.gateway import Gateway
from harness.platform import Platform


def test_stems_archive_and_waveform(platform: Platform, door: Gateway, tmp_path: Path) -> None:
    """Digests, tags, parts and lengths are right; nothing is there before the job has succeeded."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=3, seed=1))
    body = {"source": {"bucket": platform.source_bucket, "key": key}}
    job = door.http.post("/v1/separations", json=body).json()
    place = f"/v1/separations/{job['id']}"
    for page in ("stems/vocals", "stems/vocals/link", "archive", "waveform"):
        early = door.http.get(f"{place}/{page}")
        assert (early.status_code, early.json()["code"]) == (409, "UNFINISHED")
        assert door.http.get(f"/v1/separations/unknown/{page}").status_code == 404
    platform.start_replica().wait_ready()
    done = door.http.get(place, headers={"Prefer": "wait=60"}).json()
    stored = {
        stem["name"]: platform.minio.get_object(stem["bucket"], stem["key"]).read() for stem in done["result"]["stems"]
    }
    for name, content in stored.items():
        whole = door.http.get(f"{place}/stems/{name}")
        assert whole.content == content
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert whole.headers["repr-digest"] == f"sha-256=:{digest}:"
        head = door.http.head(f"{place}/stems/{name}")
        assert (head.status_code, head.content) == (200, b"")
        for each in ("content-length", "content-type", "repr-digest", "etag", "cache-control", "content-disposition"):
            assert head.headers[each] == whole.headers[each]
        assert "immutable" in whole.headers["cache-control"]
        with wave.open(io.BytesIO(whole.content)) as audio:
            assert (audio.getnchannels(), audio.getframerate()) == (2, 44100)
        for asked, span in {
            "bytes=0-99": slice(0, 100),
            "bytes=1000-": slice(1000, None),
            "bytes=-7": slice(-7, None),
        }.items():
            part = door.http.get(f"{place}/stems/{name}", headers={"Range": asked})
            assert (part.status_code, part.content) == (206, content[span])
            assert part.headers["content-range"].endswith(f"/{len(content)}")
        beyond = door.http.get(f"{place}/stems/{name}", headers={"Range": f"bytes={len(content)}-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(content)}")
        stale = {"Range": "bytes=0-9", "If-Range": '"another"'}
        assert door.http.get(f"{place}/stems/{name}", headers=stale).status_code == 200
        link = door.http.get(f"{place}/stems/{name}/link").json()
        assert link == {"url": f"{place}/stems/{name}", "expires_at": None}
        same = door.http.get(f"{place}/stems/{name}", headers={"If-None-Match": whole.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
    assert door.http.get(f"{place}/stems/drums").status_code == 404
    zipped = door.http.get(f"{place}/archive")
    assert int(zipped.headers["content-length"]) == len(zipped.content)
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            f"{name}.wav": content for name, content in stored.items()
        }
    middle = len(zipped.content) // 2
    rest = door.http.get(f"{place}/archive", headers={"Range": f"bytes={middle}-", "If-Range": zipped.headers["etag"]})
    assert (rest.status_code, rest.content) == (206, zipped.content[middle:])
    drawn = door.http.get(f"{place}/waveform").json()
    assert set(drawn["stems"]) == set(stored)
    assert all(0 <= sample <= 1 for stem in drawn["stems"].values() for sample in stem)
    platform.minio.remove_object(platform.output_bucket, done["result"]["stems"][0]["key"])
    gone = door.http.get(f"{place}/archive")
    assert (gone.status_code, gone.json()["code"]) == (410, "STEMS_GONE")

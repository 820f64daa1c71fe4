"""A form of two parts is read alike however its bytes come, and one that is not such a form is refused."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import encode_multipart_formdata

from consumer.gateway.problems import Problem
from consumer.gateway.uploads.form import Form, boundary_of

OPTIONS, AUDIO = b'{"model":"2stems"}', bytes(range(256)) * 40 + b"\r\n--\r\n--x" + b"\r" * 9
BOUNDARY = "b0undary"


def encoded(*parts: tuple[str, bytes, str | None]) -> bytes:
    """By another library than the one that reads it."""
    fields = [(name, (f"{name}.bin", data, kind) if kind else data) for name, data, kind in parts]
    body, _ = encode_multipart_formdata(fields, BOUNDARY)
    return body


WHOLE = encoded(("request", OPTIONS, "application/json"), ("file", AUDIO, "audio/mpeg"))


def read(chunks: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Both parts of a form that comes in these pieces."""

    async def come() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def go() -> tuple[bytes, bytes]:
        form, found = Form(come(), BOUNDARY), []
        for name, kinds in (("request", ["application/json"]), ("file", [])):
            await form.next_part(name, *kinds)
            found.append(b"".join([data async for data in form.data()]))
        await form.end()
        return found[0], found[1]

    return asyncio.run(go())


def refused(*chunks: bytes) -> tuple[int, str]:
    """What a form is refused with."""
    with pytest.raises(Problem) as caught:
        read(chunks)
    return caught.value.status, caught.value.code


@given(st.lists(st.integers(min_value=len(BOUNDARY) + 6, max_value=len(WHOLE) + 2), max_size=6))
def test_it_is_the_same_wherever_it_is_cut(cuts: list[int]) -> None:
    """Within boundaries, headers and line ends, and with a line's end behind the last boundary."""
    body = WHOLE + b"\r\n"
    places = sorted({0, *cuts, len(body)})
    pieces = [body[begin:end] for begin, end in pairwise(places) if begin < end]
    assert read(pieces) == (OPTIONS, AUDIO)


def test_byte_by_byte() -> None:
    """The slowest sender there is."""
    assert read([bytes([byte]) for byte in WHOLE]) == (OPTIONS, AUDIO)


REQUEST = ("request", OPTIONS, "application/json")
FILE = ("file", AUDIO, None)


@pytest.mark.parametrize(
    "body",
    [
        encoded(FILE, REQUEST),
        encoded(REQUEST),
        encoded(REQUEST, ("picture", AUDIO, None)),
        encoded(REQUEST, FILE, ("more", b"", None)),
        encoded(REQUEST, FILE, FILE),
        encoded(REQUEST, REQUEST),
        WHOLE[:-4],
        WHOLE[: len(WHOLE) // 2],
        WHOLE.replace(BOUNDARY.encode(), b"another"),
        b"",
        b"\r\n" * 5000,
        b"--" + BOUNDARY.encode() + b"--\r\n",
        WHOLE.replace(b'name="request"', b"name=" + b"r" * 5000),
        WHOLE.replace(b"Content-Type: application/json", b"X-Long: " + b"x" * 5000),
        WHOLE.replace(b"Content-Type: application/json", b"\r\n".join(b"X-%d: y" % n for n in range(20))),
        WHOLE.replace(b"Content-Type: application/json", b"no colon"),
        WHOLE.replace(b"Content-Type: application/json", b"X-Bad: \xff\xfe"),
        WHOLE.replace(b"form-data", b"attachment"),
        WHOLE.replace(b"\r\n", b"\n"),
    ],
    ids=[
        "file-first", "no-file", "another-part", "a-third-part", "two-files", "two-requests", "no-last-boundary", "cut",
        "another-boundary", "empty", "no-form", "no-parts", "long-name",
        "long-header", "many-headers", "no-header", "header-in-no-charset", "no-form-data", "unix-lines",
    ],
)  # fmt: skip
def test_what_is_no_such_form(body: bytes) -> None:
    """400, whether it comes at once or in pieces."""
    assert refused(body) == (400, "BODY_INVALID")
    assert refused(*(body[at : at + 997] for at in range(0, len(body), 997))) == (400, "BODY_INVALID")


def test_what_follows_is_ignored_within_reason() -> None:
    """RFC 2046 calls it the epilogue."""
    assert read([WHOLE + b"an epilogue"]) == read([WHOLE, b"an epilogue", b"\r\n" * 1000]) == (OPTIONS, AUDIO)
    assert refused(WHOLE, *[b"x" * 1000] * 100) == (400, "BODY_INVALID")


def test_headers_that_never_end_are_not_kept() -> None:
    """Refused after the first that is too long, however many are still to come."""
    sent = []

    async def come() -> AsyncIterator[bytes]:
        yield f"--{BOUNDARY}\r\nX-Long: ".encode()
        for _ in range(1000):
            sent.append(1000)
            yield b"x" * 1000

    async def go() -> None:
        await Form(come(), BOUNDARY).next_part("request")

    with pytest.raises(Problem) as caught:
        asyncio.run(go())
    assert (caught.value.status, sum(sent)) == (400, 5000)


def test_the_type_of_the_request_part() -> None:
    """JSON, or not told."""
    assert read([encoded(("request", OPTIONS, None), FILE)]) == (OPTIONS, AUDIO)
    assert refused(encoded(("request", OPTIONS, "text/xml"), FILE)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'b' * 71}",
     'multipart/form-data; boundary="a\tb"', "multipart/form-data; boundary=\u00fc"],
)  # fmt: skip
def test_boundaries_that_are_none(content_type: str) -> None:
    """RFC 2046 allows 70 characters of ASCII."""
    with pytest.raises(Problem) as caught:
        boundary_of(content_type)
    assert caught.value.status == 400


def test_a_boundary_in_quotes() -> None:
    """As some clients write it."""
    assert boundary_of('multipart/form-data; charset=utf-8; boundary="a b:c"') == "a b:c"

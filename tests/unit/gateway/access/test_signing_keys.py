"""The issuer's keys, from a real server: when it is asked, what is kept while it is away, what it can't do to us."""

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from structlog.testing import capture_logs

from consumer.core.log_events import LogEvent
from consumer.gateway.access.signing_keys import FetchLimits, SigningKeys
from harness.clock import ManualClock
from tests.unit.gateway.access.issuer import EcKey, JwksServer, RsaKey

PATIENCE_S = 60.0
T = TypeVar("T")


def run(work: Callable[[], Awaitable[T]]) -> T:
    """In a loop of its own, and within bounds."""

    async def bounded() -> T:
        async with asyncio.timeout(PATIENCE_S):
            return await work()

    return asyncio.run(bounded())


async def until_asked(server: JwksServer, times: int) -> None:
    """Until that many questions have come to the server."""

    def wait() -> bool:
        with server.changed:
            return server.changed.wait_for(lambda: len(server.asked) >= times, PATIENCE_S)

    assert await asyncio.to_thread(wait)


def test_keys_are_found_by_name_and_algorithm(server: JwksServer) -> None:
    """And asked for once."""

    async def work() -> None:
        keys = SigningKeys(server.url)
        assert not keys.are_known
        rsa, ec = await keys.find("rsa", "RS256"), await keys.find("ec", "ES256")
        assert (rsa and rsa.key_id, ec and ec.key_id) == ("rsa", "ec")
        assert await keys.find("rsa", "ES256") is None
        assert keys.are_known

    run(work)
    assert server.asked == ["/jwks"]


def test_unknown_names_do_not_flood_the_issuer(server: JwksServer) -> None:
    """A thousand at once, all of other names, are one question; and the next is asked after the cool-down."""
    clock = ManualClock()

    async def work() -> None:
        keys = SigningKeys(server.url, clock=clock)
        await asyncio.gather(*(keys.find(f"made-up-{number}", "ES256") for number in range(1000)))
        assert len(server.asked) == 1
        clock.advance(9.9)
        await asyncio.gather(*(keys.find(f"made-up-{number}", "RS256") for number in range(1000)))
        assert len(server.asked) == 1
        clock.advance(0.2)
        await asyncio.gather(*(keys.find(f"made-up-{number}", "ES256") for number in range(1000)))
        assert len(server.asked) == 2
        assert await keys.find("ec", "ES256")

    run(work)


def test_all_who_wait_for_a_fetch_get_its_keys(server: JwksServer) -> None:
    """Those who come while it is under way, too; one who goes away does not end it for the others."""
    let_go = threading.Event()

    def slowly(request: Any) -> None:
        let_go.wait(PATIENCE_S)
        server.give_keys(request)

    server.behave = slowly

    async def work() -> None:
        keys = SigningKeys(server.url, limits=FetchLimits(answer_s=PATIENCE_S))
        waiting = [asyncio.ensure_future(keys.find("ec", "ES256")) for _ in range(20)]
        await until_asked(server, 1)
        late = asyncio.ensure_future(keys.find("rsa", "RS256"))
        waiting[0].cancel()
        await asyncio.wait([waiting[0]])
        let_go.set()
        assert all(await asyncio.gather(*waiting[1:], late))

    run(work)
    assert server.asked == ["/jwks"]


def test_a_new_key_is_known_when_it_is_first_used(server: JwksServer) -> None:
    """And one that was taken out is unknown from the next fetch on."""
    clock, new = ManualClock(), EcKey.make(name="new")

    async def work() -> None:
        keys = SigningKeys(server.url, clock=clock)
        assert await keys.find("ec", "ES256")
        server.keys = [new.jwk()]
        assert await keys.find("new", "ES256") is None  # within the cool-down
        clock.advance(10)
        assert await keys.find("new", "ES256")
        assert await keys.find("ec", "ES256") is None

    run(work)


def test_the_set_is_followed(server: JwksServer) -> None:
    """From start to close it is fetched again and again, also where nobody asks; afterwards no more."""
    limits = FetchLimits(refresh_s=0.01, cool_down_s=0.0)

    async def work() -> None:
        keys = SigningKeys(server.url, limits=limits)
        await keys.start()
        assert await keys.find("ec", "ES256")
        server.keys = []
        await until_asked(server, len(server.asked) + 3)
        await keys.close()
        assert len(asyncio.all_tasks()) == 1  # this one: nobody is left who would ask
        assert await keys.find("ec", "ES256") is None

    run(work)


def test_a_set_that_can_not_be_had_at_the_start_is_asked_for_until_it_can(server: JwksServer) -> None:
    """Without anybody who needs it: a gateway that is not ready gets no requests."""
    server.behave = lambda request: request.answer(b"", 503)

    async def work() -> None:
        keys = SigningKeys(server.url, limits=FetchLimits(cool_down_s=0.01))
        await keys.start()
        assert await keys.find("ec", "ES256") is None
        server.behave = server.give_keys
        while not keys.are_known:
            await asyncio.sleep(0.01)
        await keys.close()

    run(work)


def test_an_end_does_not_wait_for_an_answer(server: JwksServer) -> None:
    """A fetch that is under way is given up."""
    server.behave = lambda _: server.ended.wait(PATIENCE_S)  # type: ignore[assignment]

    async def work() -> None:
        keys = SigningKeys(server.url, limits=FetchLimits(answer_s=PATIENCE_S * 2))
        begun = asyncio.ensure_future(keys.refresh())
        await until_asked(server, 1)
        await keys.close()
        await asyncio.wait([begun])
        assert begun.cancelled()

    run(work)


def answers(server: JwksServer, good: bytes) -> dict[str, Callable[[Any], object]]:
    """What a server that is broken, or is another, may do."""

    def drip(request: Any) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        while not server.ended.wait(0.02):
            request.wfile.write(b" ")

    def endless(request: Any) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        while not server.ended.is_set():
            request.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    def hang_up(request: Any) -> None:
        request.connection.shutdown(socket.SHUT_RDWR)

    def cut(request: Any) -> None:
        request.answer(good[:40], Content_Length=str(len(good)))
        hang_up(request)

    many = json.dumps({"keys": json.loads(good)["keys"] * 51}).encode()
    return {
        "error": lambda request: request.answer(good, 500),
        "not found": lambda request: request.answer(good, 404),
        "no content": lambda request: request.answer(b"", 204),
        "redirect": lambda request: request.answer(good, 302, Location=server.url),
        "login page": lambda request: request.answer(b"<html>log in</html>"),
        "empty": lambda request: request.answer(b""),
        "array": lambda request: request.answer(b"[]"),
        "null": lambda request: request.answer(b"null"),
        "no member keys": lambda request: request.answer(b"{}"),
        "keys that are none": lambda request: request.answer(b'{"keys": {}}'),
        "nested": lambda request: request.answer(b"[" * 200_000),
        "no UTF-8": lambda request: request.answer(b'{"keys": [], "x": "\xff"}'),
        "too many": lambda request: request.answer(many),
        "too long": lambda request: request.answer(good[:-1] + b" " * (1 << 20) + b"}"),
        "packed": lambda request: request.answer(gzip.compress(good), Content_Encoding="gzip"),
        "nothing": lambda _: server.ended.wait(PATIENCE_S),
        "drip": drip,
        "endless": endless,
        "hang up": hang_up,
        "cut": cut,
        "no HTTP": lambda request: request.wfile.write(b"220 smtp ready\r\n\r\n"),
    }


KINDS = [
    "error", "not found", "no content", "redirect", "login page", "empty", "array", "null", "no member keys",
    "keys that are none", "nested", "no UTF-8", "too many", "too long", "packed", "nothing", "drip", "endless",
    "hang up", "cut", "no HTTP",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_old_keys_are_kept_while_the_issuer_is_away(server: JwksServer, kind: str) -> None:
    """Whatever it answers instead: in bounded time and memory, and with a line in the log that holds no address."""
    clock, limits = ManualClock(), FetchLimits(answer_s=1.0)
    good = json.dumps({"keys": server.keys}).encode()

    async def work() -> None:
        keys = SigningKeys(server.url, limits=limits, clock=clock)
        assert await keys.find("ec", "ES256")
        server.behave = answers(server, good)[kind]  # type: ignore[assignment]
        clock.advance(10)
        assert await keys.find("other", "ES256") is None
        assert len(server.asked) == 2
        assert await keys.find("ec", "ES256")
        server.keys, server.behave = [EcKey.make(name="other").jwk()], server.give_keys
        clock.advance(10)
        assert await keys.find("other", "ES256")

    with capture_logs() as logs:
        run(work)
    [line] = [line for line in logs if line["event"] == LogEvent.SIGNING_KEYS_AWAY]
    assert (line["kept"], line["log_level"]) == (2, "warning")
    assert line["reason"]
    assert "127.0.0.1" not in str(logs)


def test_an_issuer_that_is_gone_is_away_too(rsa_key: RsaKey) -> None:
    """Nothing listens there any more."""
    server, clock = JwksServer(keys=[rsa_key.jwk()]), ManualClock()

    async def work() -> None:
        keys = SigningKeys(server.url, clock=clock)
        assert await keys.find("rsa", "RS256")
        server.close()
        clock.advance(10)
        assert await keys.find("other", "ES256") is None
        assert await keys.find("rsa", "RS256")

    with capture_logs() as logs:
        run(work)
    assert [line["reason"] for line in logs if line["event"] == LogEvent.SIGNING_KEYS_AWAY] == ["Connection refused"]


def test_an_issuer_may_take_back_all_its_keys(server: JwksServer) -> None:
    """A set that is empty is a set: from then on nothing is signed by it."""
    clock = ManualClock()

    async def work() -> None:
        keys = SigningKeys(server.url, clock=clock)
        assert await keys.find("ec", "ES256")
        server.keys = []
        clock.advance(10)
        await keys.refresh()
        assert await keys.find("ec", "ES256") is None
        assert keys.are_known

    run(work)

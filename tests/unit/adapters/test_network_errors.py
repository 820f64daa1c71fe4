"""Why a server can't be reached, out of what real libraries raise at real sockets."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import urllib3

from consumer.adapters.network_errors import reason_of
from devstack.certificates import make_authority

PATIENCE_S = 5.0


def by_urllib3(url: str) -> None:
    urllib3.PoolManager(retries=False, timeout=PATIENCE_S).urlopen("GET", url)


def by_httpx(url: str) -> None:
    httpx2.get(url, timeout=PATIENCE_S)


def by_httpx_in_a_loop(url: str) -> None:
    async def ask() -> None:
        async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
            await client.get(url)

    asyncio.run(ask())


LIBRARIES = pytest.mark.parametrize("ask", [by_urllib3, by_httpx, by_httpx_in_a_loop])


@contextmanager
def served(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """The port of a server that treats each connection so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    answer(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def told(ask: Callable[[str], None], url: str) -> str:
    with pytest.raises((urllib3.exceptions.HTTPError, httpx2.HTTPError)) as caught:
        ask(url)
    return reason_of(caught.value)


@LIBRARIES
def test_a_port_where_nobody_listens(ask: Callable[[str], None]) -> None:
    """The system's own word."""
    assert told(ask, "http://127.0.0.1:1/") == "Connection refused"


@LIBRARIES
def test_a_name_that_nobody_knows(ask: Callable[[str], None]) -> None:
    """It is said to be the name, in the resolver's words."""
    assert told(ask, "http://no-such-host.invalid/").startswith("its name can't be resolved: ")


@LIBRARIES
def test_a_server_without_tls(ask: Callable[[str], None]) -> None:
    """Whatever it answers to a TLS greeting, that is no TLS."""

    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with served(answer) as port:
        assert told(ask, f"https://127.0.0.1:{port}/") == "it does not speak TLS at that port"


@LIBRARIES
def test_a_certificate_that_nobody_trusts(ask: Callable[[str], None], tmp_path: Path) -> None:
    """What is wrong with it, and where trusted authorities are named."""
    certificate, key = make_authority(tmp_path, "our own").issue("server", tmp_path / "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def answer(connection: socket.socket) -> None:
        try:
            context.wrap_socket(connection, server_side=True).close()
        except (ssl.SSLError, OSError):  # refused by the client, as it should be
            connection.close()

    with served(answer) as port:
        reason = told(ask, f"https://127.0.0.1:{port}/")
    assert reason.startswith("certificate verify failed: unable to get local issuer certificate")
    assert "SSL_CERT_FILE" in reason


@LIBRARIES
def test_a_server_that_says_nothing(ask: Callable[[str], None]) -> None:
    """Silence is told as silence, and a hang-up as one."""
    silent = threading.Event()
    with served(lambda _: silent.wait(60)) as port:
        assert told(ask, f"http://127.0.0.1:{port}/") == "timed out"
        silent.set()
    with served(lambda connection: connection.recv(1000)) as port:
        assert told(ask, f"http://127.0.0.1:{port}/") in ("it hung up", "RemoteProtocolError")

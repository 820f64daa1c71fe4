import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from structlog.testing import capture_logs

from consumer.core.errors import Fatal
from consumer.observability.connections import LIMITS, ClientLimits
from consumer.observability.health import Health
from consumer.observability.http import ProbeServer, listen
from consumer.observability.metrics import Metrics

Reply = tuple[int, str, bytes]


class Site:
    """A server on a free port; `stuck`, `busy` and `begins` are what its probes say."""

    def __init__(self, limits: ClientLimits = LIMITS) -> None:
        self.stuck = self.busy = self.begins = ""
        self.metrics = Metrics()
        health = Health(
            live={"poll_loop": lambda: self.stuck},
            ready={"separator": lambda: self.busy, "store": lambda: ""},
            started={"replica": lambda: self.begins},
        )
        self.server = ProbeServer("127.0.0.1", 0, health, self.metrics.registry, limits=limits)

    def get(self, path: str, method: str = "GET", **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers["Content-Type"], response.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Site]:
    site = Site(ClientLimits(ask_s=3600.0, answer_s=3600.0))  # who is dropped is so for no other reason than a crowd
    yield site
    site.server.close()


@pytest.fixture
def site(server: Site) -> Site:
    server.stuck = server.busy = server.begins = ""
    return server


def test_a_replica_that_is_well_says_so(site: Site) -> None:
    """Each probe answers 200 and names what it looked at; a query behind the path does not matter."""
    pages = {"/health?full": ["poll_loop"], "/ready": ["separator", "store"], "/started": ["replica"]}
    for path, checks in pages.items():
        status, kind, body = site.get(path)
        assert (status, kind) == (200, "application/json")
        assert json.loads(body) == {"status": "ok", "checks": dict.fromkeys(checks, "ok")}


def test_readiness_and_liveness_are_two_things(site: Site) -> None:
    """A replica that can't work yet is not ready, with the reason, and alive; one that is stuck is not alive."""
    site.busy = "loading models"
    status, _, body = site.get("/ready")
    assert status == 503
    assert json.loads(body) == {"status": "unavailable", "checks": {"separator": "loading models", "store": "ok"}}
    assert site.get("/health")[0] == 200
    site.stuck, site.busy = "silent for 50 s", ""
    assert (site.get("/health")[0], site.get("/ready")[0]) == (503, 200)


def test_a_note_keeps_nobody_from_working() -> None:
    """What is only worth knowing stands on /ready as it is, and does not change its status."""
    server = ProbeServer("127.0.0.1", 0, Health({}, {}, notes={"sandbox": lambda: "limits"}), Metrics().registry)
    try:
        answer = httpx2.get(f"http://127.0.0.1:{server.port}/ready")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": {"sandbox": "limits"}})
    finally:
        server.close()


def test_start_up_has_a_probe_of_its_own(site: Site) -> None:
    """What has not begun is not started, with the reason, and nobody takes it for stuck."""
    site.begins = "loading models"
    assert (site.get("/started")[0], site.get("/health")[0]) == (503, 200)
    assert json.loads(site.get("/started")[2])["checks"] == {"replica": "loading models"}


def test_metrics_in_both_formats(site: Site) -> None:
    """/metrics speaks Prometheus' text format, and OpenMetrics to whoever asks for it."""
    site.metrics.jobs.labels("done", "").inc()
    status, kind, body = site.get("/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert 'separation_jobs_total{code="",outcome="done"} 1.0' in body.decode()
    assert list(parse_text(body.decode()))
    status, kind, body = site.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert (status, kind.partition(";")[0]) == (200, "application/openmetrics-text")
    assert list(parse_openmetrics(body.decode()))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/ready/", 404), ("POST", "/ready", 501)]
)
def test_nothing_else_is_served(site: Site, method: str, path: str, status: int) -> None:
    """Other pages and methods get a plain refusal."""
    assert site.get(path, method)[0] == status


def test_one_connection_serves_many_questions(site: Site) -> None:
    """A prober may keep its connection."""
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=60)
    for _ in range(3):
        connection.request("GET", "/ready")
        assert json.loads(connection.getresponse().read())["status"] == "ok"
    connection.close()


def stuck(site: Site, sent: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", site.server.port), timeout=60)
    client.sendall(sent)
    return client


@pytest.mark.parametrize("sent", [b"", b"GET /metrics", b"GET /metrics HTTP/1.1\r\nHost: "])
def test_clients_that_never_finish_keep_nobody_out(site: Site, sent: bytes) -> None:
    """However many connections ask half a question, probes are answered, and threads and connections stay few."""
    before = threading.active_count()
    clients = [stuck(site, sent) for _ in range(4 * LIMITS.clients)]
    for _ in range(3):
        assert site.get("/health")[0] == 200
    until(lambda: threading.active_count() <= before + LIMITS.clients + 2)
    assert clients[0].recv(1) == b"", "whoever was there longest had to go"
    for client in clients:
        client.close()
    until(lambda: site.server.connections == 0)


def test_a_client_that_trickles_is_dropped() -> None:
    """A byte now and then does not make a request last for ever."""
    site = Site(ClientLimits(ask_s=2.0))
    client = stuck(site, b"GET /metrics HTTP/1.1\r\n")
    client.settimeout(0.05)

    def is_dropped() -> bool:
        try:
            client.sendall(b"x")
            return client.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    until(is_dropped)
    client.close()
    assert site.get("/health")[0] == 200
    site.server.close()


def test_a_client_that_does_not_listen_is_dropped(site: Site) -> None:
    """Whoever asks for page after page and reads none is cut off, and others are answered meanwhile."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    client.connect(("127.0.0.1", site.server.port))
    client.settimeout(0.2)
    with pytest.raises(OSError, match=r"timed out|reset|[Bb]roken"):
        client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n" * 1_000_000)
    assert site.get("/health")[0] == 200
    client.close()


def test_an_error_of_ours_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A probe that fails ends its own connection with a line in the log, and no other."""

    def fail() -> str:
        raise RuntimeError("bug")

    health = Health({"broken": fail}, {"well": lambda: ""})
    server = ProbeServer("127.0.0.1", 0, health, CollectorRegistry())
    with capture_logs() as lines:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", "/health")
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
        connection.close()
        until(lambda: bool(lines))
    assert [line["event"] for line in lines] == ["http.failed"]
    assert caplog.records == []
    assert httpx2.get(f"http://127.0.0.1:{server.port}/ready").status_code == 200
    server.close()


def test_head_is_answered_as_get_is_without_the_body(site: Site) -> None:
    """A prober that wants no page gets its status, its type and its length, and may ask on."""
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=60)
    for path, status in (("/ready", 200), ("/metrics", 200), ("/nothing", 404)):
        length = len(site.get(path)[2])
        connection.request("HEAD", path)
        response = connection.getresponse()
        assert (response.status, response.read()) == (status, b"")
        assert abs(int(response.headers["Content-Length"]) - length) < 100
    connection.close()


@pytest.mark.parametrize("host", ["::", "127.0.0.1"])
def test_an_answer_is_sent_at_once(host: str) -> None:
    """Small writes wait for nobody's acknowledgement of those before."""

    async def delays() -> int:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(look, sock=listen(host, 0)) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
            found = await asyncio.wait_for(accepted, 60)
            writer.close()
            return found

    assert asyncio.run(delays()) != 0


@pytest.mark.parametrize("address", ["::1", "127.0.0.1"])
def test_ipv6_can_be_listened_on(address: str) -> None:
    """HTTP_HOST=:: means every address of this machine, IPv4's too."""
    server = ProbeServer("::", 0, Health({}, {}), CollectorRegistry())
    connection = http.client.HTTPConnection(address, server.port, timeout=60)
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    connection.close()
    server.close()


class Slow:
    """A server whose /ready does not come until it is released; `asked` counts how often it was looked for."""

    def __init__(self, limits: ClientLimits = LIMITS) -> None:
        self.asked, self.begun, self.released = 0, threading.Event(), threading.Event()
        health = Health({"poll_loop": lambda: ""}, {"store": self._store})
        self.server = ProbeServer("127.0.0.1", 0, health, CollectorRegistry(), limits=limits)

    def _store(self) -> str:
        self.asked += 1
        self.begun.set()
        assert self.released.wait(60)
        return ""

    def connect(self, path: str) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request("GET", path)
        return connection


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.released.set()
    slow.server.close()


def test_a_check_that_is_slow_holds_up_nothing_else(slow: Slow) -> None:
    """While /ready waits for the store /health is answered; all who ask for /ready meanwhile get one answer."""
    waiting = [slow.connect("/ready") for _ in range(LIMITS.clients // 2)]
    assert slow.begun.wait(60)
    for _ in range(3):
        health = slow.connect("/health")
        assert health.getresponse().status == 200
        health.close()
    until(lambda: slow.server.connections == len(waiting))
    slow.released.set()
    for connection in waiting:
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["checks"]) == (200, {"store": "ok"})
        connection.close()
    assert slow.asked == 1


def test_who_asks_after_an_answer_gets_a_new_one(slow: Slow) -> None:
    """What one client was told is not told to the next one as news."""
    slow.released.set()
    for asked in (1, 2):
        connection = slow.connect("/ready")
        assert connection.getresponse().status == 200
        connection.close()
        assert slow.asked == asked


def test_an_answer_that_does_not_come_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """A client waits so long and no longer; the check that hangs is not asked once more by each further client."""
    slow = Slow(ClientLimits(ask_s=3600.0, answer_s=0.1))
    for _ in range(3):
        connection = slow.connect("/ready")
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
        connection.close()
    assert slow.asked == 1
    until(lambda: slow.server.connections == 0)
    until(lambda: not slow.server._server.server_state.tasks)  # nobody waits for it on their behalf
    slow.released.set()
    slow.server.close()
    assert caplog.records == []


def test_as_many_as_may_be_there_are_served_at_once(site: Site) -> None:
    """So many kept connections are all answered, and stay."""
    until(lambda: site.server.connections == 0)
    connections = [http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=60) for _ in range(LIMITS.clients)]
    for _ in range(2):
        for connection in connections:
            connection.request("GET", "/ready")
        assert [connection.getresponse().read()[:1] for connection in connections] == [b"{"] * LIMITS.clients
    assert site.server.connections == LIMITS.clients
    for connection in connections:
        connection.close()


def test_who_goes_on_asking_is_not_the_one_that_has_to_go(site: Site) -> None:
    """Of those that are there, the one whose latest question or answer is longest ago goes first."""
    until(lambda: site.server.connections == 0)
    kept = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=60)
    kept.request("GET", "/ready")
    assert kept.getresponse().read()
    others = [stuck(site, b"GET") for _ in range(LIMITS.clients - 1)]
    until(lambda: site.server.connections == LIMITS.clients)
    kept.request("GET", "/ready")
    assert kept.getresponse().read()
    others.append(stuck(site, b"GET"))
    assert others[0].recv(1) == b""
    kept.request("GET", "/ready")
    assert kept.getresponse().read()
    kept.close()
    for other in others:
        other.close()


def test_a_connection_that_is_kept_for_nothing_is_dropped() -> None:
    """Who has been answered and asks nothing more is waited for as long as for a first question."""
    site = Site(ClientLimits(ask_s=2.0))
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=60)
    connection.request("GET", "/ready")
    assert connection.getresponse().read()
    assert connection.sock.recv(1) == b""
    connection.close()
    site.server.close()


def test_nonsense_is_refused_and_no_line_in_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """What is no HTTP gets 400; what strangers send does not fill the log."""
    client = stuck(site, b"\x16\x03\x01nonsense\r\n\r\n")
    assert client.recv(12) == b"HTTP/1.1 400"
    client.close()
    assert caplog.records == []


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def test_an_address_that_can_not_be_had_is_named() -> None:
    """A port that is taken ends in one line that names the variables."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Fatal, match=r"^HTTP_HOST, HTTP_PORT: can't listen on 127\.0\.0\.1"):
            ProbeServer("127.0.0.1", taken.getsockname()[1], Health({}, {}), Metrics().registry)

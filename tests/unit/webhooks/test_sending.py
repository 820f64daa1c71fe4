"""Attempts, made against real servers on this machine: what is sent, what an answer means, and what is not done."""

import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_network
from pathlib import Path

import pytest

from consumer.webhooks.addresses import AddressWall
from consumer.webhooks.endpoints import Endpoint
from consumer.webhooks.notices import Notice
from consumer.webhooks.sending import Attempt, Outcome, Sender, SendLimits, system_addresses
from devstack.certificates import Authority, make_authority
from devstack.service import free_port
from harness.webhooks import Answer, a_secret, receiver

LOOPBACK = AddressWall([ip_network("127.0.0.0/8")])
NOTICE = Notice(webhook_id="separation.results-3-17", tenant="acme", body=b'{"type":"separation.succeeded"}')
PATIENCE_S = 60


@contextmanager
def a_sender(
    wall: AddressWall = LOOPBACK,
    *,
    total_s: float = 20.0,
    resolve: Callable[[str, int], Sequence[str]] = system_addresses,
) -> Iterator[Sender]:
    sender = Sender(wall, SendLimits(connect_s=5.0, total_s=total_s), resolve=resolve)
    yield sender
    sender.close()


def to(url: str, *secrets: str) -> Endpoint:
    return Endpoint(id="main", tenant="acme", url=url, secrets=secrets or (a_secret(),))


def attempt(sender: Sender, endpoint: Endpoint) -> Attempt:
    return sender.send(endpoint, NOTICE).result(PATIENCE_S)


def test_a_receiver_can_verify_what_it_gets_with_any_of_the_secrets() -> None:
    """The second implementation accepts the call with the old and with the new secret, and with no other."""
    old, new = a_secret(), a_secret()
    with receiver() as there, a_sender() as sender:
        assert attempt(sender, to(there.url("/hook?token=1"), old, new)) == Attempt(outcome=Outcome.DELIVERED)
    [call] = there.calls
    assert call.path == "/hook?token=1"
    assert call.webhook_id == "separation.results-3-17"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["host"] == f"localhost:{there.port}"
    for secret in (old, new):
        assert call.verified(secret) == json.loads(NOTICE.body)
    with pytest.raises(Exception, match="No matching signature"):
        call.verified(a_secret())


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (200, Outcome.DELIVERED, ""),
        (204, Outcome.DELIVERED, ""),
        (299, Outcome.DELIVERED, ""),
        (301, Outcome.FAILED, "it answered 301"),
        (307, Outcome.FAILED, "it answered 307"),
        (400, Outcome.FAILED, "it answered 400"),
        (404, Outcome.FAILED, "it answered 404"),
        (410, Outcome.GONE, "it answered 410"),
        (500, Outcome.FAILED, "it answered 500"),
    ],
)
def test_an_answer_means_what_its_status_says(status: int, outcome: Outcome, reason: str) -> None:
    """2xx is taken, 410 ends the endpoint, all else is tried again; a redirect is not followed."""
    with receiver() as other, a_sender() as sender:
        location = {"Location": other.url("/elsewhere")}
        with receiver(lambda *_: Answer(status=status, headers=location)) as there:
            assert attempt(sender, to(there.url())) == Attempt(outcome=outcome, reason=reason)
            assert len(there.calls) == 1
        assert other.calls == []


@pytest.mark.parametrize(
    ("said", "seconds"), [("120", 120.0), ("-5", 0.0), ("soon", 0.0), ("9" * 400, 0.0), ("²", 0.0)]
)
def test_a_receiver_may_ask_for_a_wait(said: str, seconds: float) -> None:
    """`Retry-After` in seconds is heard; what is none is no reason to wait."""
    headers = {"Retry-After": said.encode().decode("latin-1")}
    with receiver(lambda *_: Answer(status=429, headers=headers)) as there, a_sender() as sender:
        assert attempt(sender, to(there.url())).retry_after_s == seconds


def test_an_endless_answer_costs_little() -> None:
    """Of a body without end no more is read than a little, and the status counts; it is not unpacked either."""
    endless = Answer(status=200, headers={"Content-Encoding": "gzip"}, pieces=itertools.repeat(b"x" * 4096))
    with receiver(lambda *_: endless) as there, a_sender() as sender:
        assert attempt(sender, to(there.url())).outcome is Outcome.DELIVERED


def test_a_slow_answer_is_not_waited_for() -> None:
    """A body that comes byte by byte is given up on, and the status counts."""
    with receiver(lambda *_: Answer(status=500, pieces=itertools.repeat(b"x"))) as there, a_sender() as sender:
        assert attempt(sender, to(there.url())) == Attempt(outcome=Outcome.FAILED, reason="it answered 500")


@contextmanager
def a_bare_server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """What accepts connections and does with them whatever is asked; yields its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def silence(connection: socket.socket) -> None:
    """It accepts, and says nothing, until the other side hangs up."""
    connection.settimeout(PATIENCE_S)
    with connection, suppress(OSError):
        while connection.recv(1 << 16):
            pass


def drip(connection: socket.socket) -> None:
    """Headers without end, slowly: each byte would begin a read's timeout anew."""
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-A: b\r\n")
            threading.Event().wait(0.05)
    except OSError:
        connection.close()


def early_hints(connection: socket.socket) -> None:
    """Provisional answers for ever."""
    try:
        while True:
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            threading.Event().wait(0.02)
    except OSError:
        connection.close()


@pytest.mark.parametrize(
    "serve",
    [silence, drip, early_hints],
    ids=["silent", "dripping", "hinting"],
)
def test_an_attempt_ends_in_its_time(serve: Callable[[socket.socket], None]) -> None:
    """Whatever a receiver does, its status comes within the time for an attempt or not at all."""
    with a_bare_server(serve) as port, a_sender(total_s=1.0) as sender:
        assert attempt(sender, to(f"http://localhost:{port}/")) == Attempt(outcome=Outcome.FAILED, reason="timed out")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000])
def test_what_does_not_speak_http_has_failed(answer: bytes) -> None:
    """One that hangs up, one that speaks something else, and headers without bounds."""

    def serve(connection: socket.socket) -> None:
        try:
            connection.recv(65536)
            connection.sendall(answer)
        except OSError:
            pass
        connection.close()

    with a_bare_server(serve) as port, a_sender() as sender:
        assert attempt(sender, to(f"http://localhost:{port}/")).outcome is Outcome.FAILED


def test_where_nothing_listens_it_has_failed() -> None:
    """With the system's words, without the address."""
    with a_sender() as sender:
        found = attempt(sender, to(f"http://localhost:{free_port()}/"))
    assert (found.outcome, found.reason) == (Outcome.FAILED, "Connection refused")


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "2130706433", "0x7f.1", "0", "[::ffff:127.0.0.1]", "[::127.0.0.1]"]
)
def test_nothing_is_sent_to_an_address_that_is_refused(host: str) -> None:
    """However this machine is named or numbered, and though a receiver is there."""
    with receiver() as there, a_sender(AddressWall()) as sender:
        assert attempt(sender, to(there.url(host=host))).outcome is Outcome.REFUSED
    assert there.calls == []


def test_a_name_with_one_refused_address_is_refused_whole() -> None:
    """Otherwise whoever fails to be reached at the first address leads to the second one."""
    with receiver() as there, a_sender(resolve=lambda *_: ("127.0.0.1", "10.0.0.1")) as sender:
        found = attempt(sender, to(there.url()))
    assert found.outcome is Outcome.REFUSED
    assert there.calls == []


def test_a_name_is_looked_up_once_and_kept_to() -> None:
    """A name that leads elsewhere at a second look is not looked up a second time."""
    looks: list[str] = []

    def resolve(host: str, _: int) -> Sequence[str]:
        looks.append(host)
        return ("127.0.0.1",) if len(looks) == 1 else ("10.0.0.1",)

    with receiver() as there, a_sender(resolve=resolve) as sender:
        assert attempt(sender, to(there.url(host="receiver.example"))).outcome is Outcome.DELIVERED
    assert looks == ["receiver.example"]
    assert there.calls[0].headers["host"] == f"receiver.example:{there.port}"


def test_the_next_address_is_tried_where_the_first_can_t_be_reached() -> None:
    """As browsers do, within the addresses of the one look."""
    with receiver() as there, a_sender(resolve=lambda *_: ("127.0.0.77", "127.0.0.1")) as sender:
        assert attempt(sender, to(there.url(host="receiver.example"))).outcome is Outcome.DELIVERED


def test_a_name_server_that_does_not_answer_holds_up_nobody_else() -> None:
    """A look that takes for ever fails in time, and others are sent meanwhile."""
    release = threading.Event()

    def resolve(host: str, _: int) -> Sequence[str]:
        if host == "slow.example":
            release.wait(PATIENCE_S)
        return ("127.0.0.1",)

    before = threading.active_count()
    with receiver() as there, a_sender(resolve=resolve, total_s=2.0) as sender:
        slow = [sender.send(to(there.url(host="slow.example")), NOTICE) for _ in range(50)]
        assert attempt(sender, to(there.url(host="quick.example"))).outcome is Outcome.DELIVERED
        assert not any(each.done() for each in slow)
        assert threading.active_count() < before + 20
        assert {each.result(PATIENCE_S).reason for each in slow} == {"timed out"}
        release.set()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 64 + ".example"])
def test_a_name_that_leads_nowhere_has_failed(host: str) -> None:
    """It may be a slip of the name servers, so it is tried again."""
    with a_sender() as sender:
        found = attempt(sender, to(f"http://{host}/"))
    assert found.outcome is Outcome.FAILED
    assert "resolved" in found.reason


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would look the name up itself, behind the wall."""
    with receiver() as proxy, receiver() as there:
        for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, proxy.url())
        with a_sender() as sender:
            assert attempt(sender, to(there.url())).outcome is Outcome.DELIVERED
    assert proxy.calls == []


def test_no_cookie_and_no_connection_is_kept() -> None:
    """What one endpoint's host says is not told to another's."""
    with receiver(lambda *_: Answer(headers={"Set-Cookie": "a=b"})) as there, a_sender() as sender:
        for _ in range(2):
            attempt(sender, to(there.url()))
    assert all("cookie" not in call.headers and "authorization" not in call.headers for call in there.calls)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), "an authority")


def test_tls_verifies_the_name_although_the_address_is_pinned(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver is asked for by its name and shows a certificate for it; with another name it has failed."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    with ExitStack() as stack:
        certificate = authority.issue("receiver.example", tmp_path)
        there = stack.enter_context(receiver(certificate=certificate))
        sender = stack.enter_context(a_sender(resolve=lambda *_: ("127.0.0.1",)))
        assert attempt(sender, to(there.url(host="receiver.example"))).outcome is Outcome.DELIVERED
        wrong = attempt(sender, to(there.url(host="other.example")))
    assert wrong.outcome is Outcome.FAILED
    assert "certificate verify failed" in wrong.reason
    assert there.names == ["receiver.example", "other.example"]
    assert len(there.calls) == 1


def test_an_authority_that_nobody_trusts_has_failed(authority: Authority, tmp_path: Path) -> None:
    """Nothing is sent, and the reason says what is trusted."""
    with receiver(certificate=authority.issue("localhost", tmp_path)) as there, a_sender() as sender:
        assert "SSL_CERT_FILE" in attempt(sender, to(there.url())).reason
    assert there.calls == []


def test_closing_ends_what_is_under_way() -> None:
    """A receiver that is silent does not keep the process from ending."""
    with a_bare_server(silence) as port:
        sender = Sender(LOOPBACK, SendLimits(connect_s=5.0, total_s=PATIENCE_S))
        under_way = sender.send(to(f"http://localhost:{port}/"), NOTICE)
        sender.close()
    assert under_way.cancelled()

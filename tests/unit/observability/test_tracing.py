import subprocess
import sys
from typing import Any

import pytest

from consumer.core.errors import Code
from consumer.core.model import Abandoned, DeadLettered, Done, Headers, Message, Retry, Stage
from consumer.core.tracing import OUR_TRACEPARENT, TraceContext, context_of
from consumer.delivery.retry_headers import headers as redelivery_headers
from consumer.delivery.retry_headers import senders_headers
from consumer.observability.tracing import NoTracer, handed_on
from harness.fakes import NOON, a_record, a_retry_state
from harness.otlp import PARENT, SPAN, TRACE

CONTEXT = TraceContext(trace_id=TRACE, span_id=SPAN, flags=1)
MESSAGE = Message(topic="there", key=b"k", value=b"v", headers=(("a", b"b"),))


def sent(*headers: tuple[str, bytes | None], is_redelivery: bool = False) -> TraceContext | None:
    return context_of(a_record(headers=headers), is_redelivery=is_redelivery)


def test_a_trace_context_is_read_and_written() -> None:
    """Both headers make a context, and the context makes the same headers."""
    context = sent(("other", b"x"), ("traceparent", PARENT), ("tracestate", b"congo=t61rcWkgMzE,rojo=00f0"))
    assert context == TraceContext(trace_id=TRACE, span_id=SPAN, flags=1, state="congo=t61rcWkgMzE,rojo=00f0")
    assert context is not None
    assert (context.parent, context.is_sampled) == (PARENT, True)
    assert sent(("traceparent", PARENT[:-2] + b"00")) == TraceContext(trace_id=TRACE, span_id=SPAN)


@pytest.mark.parametrize("rest", [b"", b"-", b"-more-of-it"])
def test_a_later_version_is_read_as_far_as_it_is_known(rest: bytes) -> None:
    """Of a version to come the first four fields count, and it is handed on in ours."""
    context = sent(("traceparent", b"cc" + PARENT[2:] + rest))
    assert context == CONTEXT


NO_CONTEXT: dict[str, Any] = {
    "nothing": None,
    "empty": b"",
    "words": b"hello",
    "upper case": PARENT.upper(),
    "no trace": b"00-" + b"0" * 32 + PARENT[35:],
    "no span": PARENT[:36] + b"0" * 16 + b"-01",
    "forbidden version": b"ff" + PARENT[2:],
    "more than version 00 has": PARENT + b"-x",
    "too short": PARENT[:-1],
    "a line behind it": PARENT + b"\n",
    "not text": b"\xff" * 55,
    "a megabyte": b"cc" + PARENT[2:] + b"-" + b"x" * 1_000_000,
}


@pytest.mark.parametrize("value", NO_CONTEXT.values(), ids=NO_CONTEXT)
def test_what_is_no_trace_context_is_ignored(value: bytes | None) -> None:
    """A stranger's header is no reason to refuse a record, and its state counts for nothing alone."""
    assert sent(("traceparent", value), ("tracestate", b"a=b")) is None


def test_of_two_parents_neither_counts() -> None:
    """Nobody knows which one is meant."""
    assert sent(("traceparent", PARENT), ("traceparent", PARENT)) is None


@pytest.mark.parametrize("state", [None, b"", b"a" * 513, b"a=\n", b"a=\xff"])
def test_a_strange_state_is_dropped(state: bytes | None) -> None:
    """What is too long or is no text is not handed on; the trace is."""
    assert sent(("traceparent", PARENT), ("tracestate", state)) == CONTEXT


def test_outcomes_hand_the_trace_on() -> None:
    """Results and dead letters, the small one too, get the W3C headers beside those they have."""
    context = TraceContext(trace_id=TRACE, span_id=SPAN, flags=1, state="a=b")
    wanted: Headers = (("a", b"b"), ("traceparent", PARENT), ("tracestate", b"a=b"))
    done = handed_on(Done(result=MESSAGE), context)
    assert isinstance(done, Done)
    assert done.result.headers == wanted
    letter = Message(topic="there", key=None, value=b"long", smaller=MESSAGE)
    dead = handed_on(DeadLettered(letter=letter, code=Code.AUDIO_EMPTY), context)
    assert isinstance(dead, DeadLettered)
    assert dead.letter.headers == wanted[1:]
    assert dead.letter.smaller is not None
    assert dead.letter.smaller.headers == wanted
    assert handed_on(Done(result=MESSAGE), None) == Done(result=MESSAGE)


@pytest.mark.parametrize("came", [(), (("traceparent", PARENT[:-2] + b"00"), ("tracestate", b"a=b"))])
def test_a_retry_follows_the_attempt_before_it(came: Headers) -> None:
    """Through the retry topics the sender's headers travel as they came, and the trace goes on with ours."""
    record = a_record(headers=(*came, ("x", b"y")))
    later = a_retry_state(record).failed("store: away", not_before=NOON)
    again = a_record(headers=redelivery_headers(record, later))
    for span in ("1" * 16, "2" * 16):
        context = TraceContext(trace_id=TRACE, span_id=span, flags=1)
        message = Message(topic="r", key=None, value=None, headers=redelivery_headers(again, later))
        retry = handed_on(Retry(message=message, stage=Stage.FETCH), context)
        assert isinstance(retry, Retry)
        again = a_record(headers=retry.message.headers)
        assert [name for name, _ in again.headers].count(OUR_TRACEPARENT) == 1
        assert senders_headers(again) == record.headers
        state = "a=b" if came else ""
        assert context_of(again, is_redelivery=True) == TraceContext(trace_id=TRACE, span_id=span, flags=1, state=state)
        # Outside the retry topics that header would be a stranger's.
        assert context_of(again, is_redelivery=False) == context_of(record, is_redelivery=False)


def test_without_a_tracer_the_trace_goes_through() -> None:
    """Nothing is recorded, and what came is handed on as it came."""
    job = NoTracer().job(a_record(headers=(("traceparent", PARENT),)), 1)
    assert job.context == CONTEXT
    with job.stage("fetch"):
        job.end(Abandoned())
    job.published()
    assert NoTracer().job(a_record(), 1).context is None


def test_what_is_not_asked_for_is_not_loaded() -> None:
    """A replica that records no traces is wired without OpenTelemetry."""
    script = (
        "import consumer.app.wiring, sys; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert ran.stdout == "[]\n"

import pytest

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import RegistryUnavailable
from consumer.core.events import EPOCH, SeparationProgress
from consumer.pipeline.progress import INTERVAL_S, ProgressReporter
from harness.fakes import FakeNotices, FakeRegistry


def test_progress_is_told_at_most_once_a_second() -> None:
    """The first report goes out at once, further ones a second apart at least."""
    notices, now = FakeNotices(), 50.0
    reporter = ProgressReporter(notices, AvroCodec(), topic="progress", instance_id="replica-0")
    report = reporter.reporter("r1", 2, clock=lambda: now)
    for done in range(30):
        report(done, 30)
        now += INTERVAL_S / 10
    events = [AvroCodec().decode(SeparationProgress, message.value) for message in notices.sent]
    assert [event.segments_done for event in events] == [0, 10, 20]
    assert {(message.topic, message.key) for message in notices.sent} == {("progress", b"r1")}
    assert events[0].at > EPOCH
    assert events[0] == SeparationProgress(
        request_id="r1", stage="separate", segments_done=0, segments_total=30, attempt=2,
        instance_id="replica-0", at=events[0].at,
    )  # fmt: skip


@pytest.mark.parametrize("now", [0.0, 0.5, 1e9])
def test_jobs_do_not_silence_each_other(now: float) -> None:
    """Each job's first report goes out, whatever the clock says and whoever reported just before."""
    notices = FakeNotices()
    reporter = ProgressReporter(notices, AvroCodec(), topic="progress", instance_id="i")
    for request_id in ("a", "b"):
        reporter.reporter(request_id, 1, clock=lambda: now)(1, None)
    assert [message.key for message in notices.sent] == [b"a", b"b"]


def test_a_registry_that_is_away_costs_only_the_notice() -> None:
    """Progress that can't be encoded is dropped; the job goes on."""
    notices, registry = FakeNotices(), FakeRegistry()
    registry.away = RegistryUnavailable("away")
    ProgressReporter(notices, AvroCodec(registry), topic="p", instance_id="i").reporter("r", 1)(1, 2)
    assert notices.sent == []

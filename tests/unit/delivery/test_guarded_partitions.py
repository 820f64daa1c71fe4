"""Which suspect is read when, what the client may read meanwhile, and what a replica that lives is never charged."""

import pytest
from structlog.testing import capture_logs

from consumer.core.model import Record, TopicPartition
from consumer.core.ports import Position
from consumer.delivery.guarded_partition import GuardedPartition
from tests.unit.delivery.test_guarded_source import ALL, FRESH, T0, T1, T2, Harness


def told(harness: Harness, place: TopicPartition) -> str:
    return harness.committed(place)[1]


def test_a_partition_that_nothing_is_known_of_is_no_suspect() -> None:
    """Nobody died of it as far as is known."""
    assert (GuardedPartition().deaths, GuardedPartition().is_suspect) == (0, False)


def test_deaths_over_reading_come_before_deaths_over_starts() -> None:
    """What is at work is charged if its replica dies of anything else."""
    harness = Harness(p0='{"starts": {"0": 1}}', p1='{"reading": 1}', p2="")
    for place in ALL:
        harness.send(place)
    harness.join()
    harness.turns(6)
    assert harness.source.read == [(T1, 0), (T0, 0)]


def test_of_suspects_the_one_that_waits_longest_is_read_next() -> None:
    """So one that can't be read is in nobody's way."""
    harness = Harness(p0='{"reading": 1}', p1='{"reading": 1}', p2='{"reading": 1}')
    for place in ALL:
        harness.send(place)
    harness.source.unreadable, harness.source.silent = {T0}, {T1}
    harness.join()
    harness.turns(8)
    assert list(dict.fromkeys(harness.source.read)) == [(T0, 0), (T1, 0)]
    harness.clock.advance(1.0)
    harness.turns(4)  # it waits again, behind the third
    harness.clock.advance(29.0)
    harness.source.read.clear()
    harness.turns(4)
    assert list(dict.fromkeys(harness.source.read)) == [(T1, 0), (T2, 0), (T0, 0)]


def test_a_stopping_replica_reads_no_suspect() -> None:
    """Its count is taken back; who died of it now would be counted by nobody."""
    harness = Harness(p0='{"reading": 1}', p1="", p2="")
    harness.send(T0)
    harness.join()
    harness.steps(2)
    assert harness.commit()
    harness.stop()
    harness.commit()
    harness.steps(3)
    assert harness.source.read == []
    assert told(harness, T0) == '{"reading": 1}'


def test_what_is_read_as_usual_is_waited_for_as_long_as_the_loop_likes() -> None:
    """Before that the guard looks again soon, since it has something to do."""
    harness = Harness()
    for place in ALL:
        harness.send(place)
    harness.join()
    harness.guard.poll(5.0)
    assert 0.0 < harness.source.timeouts_s[-1] < 1.0
    harness.turns(8)
    harness.guard.poll(5.0)
    assert 0.0 < harness.source.timeouts_s[-1] < 1.0, "what the client fetched at first may kill yet"
    harness.clock.advance(1.0)
    harness.turns(2)
    harness.guard.poll(5.0)
    assert harness.source.timeouts_s[-1] == 5.0


def test_what_was_taken_back_after_a_silence_is_counted_again_before_it_is_read() -> None:
    """A suspect may be unpacked for long, and kill then."""
    harness = Harness(p0='{"reading": 1}', p1="", p2="")
    harness.send(T0)
    harness.source.silent = {T0}
    harness.join()
    harness.turns(4)
    harness.clock.advance(120.0)
    harness.turns(1)
    assert told(harness, T0) == '{"reading": 1}'
    harness.source.silent.clear()
    harness.source.read.clear()
    counts = []
    for _ in range(8):
        before, count = len(harness.source.read), told(harness, T0)
        harness.steps(1)
        counts += [count] * (len(harness.source.read) - before)
        harness.commit()
    assert counts == ['{"reading": 2}']


def test_a_partition_without_a_leader_is_not_asked_for_at_every_poll() -> None:
    """Each question may take seconds, in which nothing is read."""
    harness = Harness(p0='{"reading": 1}', p1="", p2="")
    harness.source.leaderless = {T0}
    harness.join()
    harness.turns(10)
    assert harness.source.asked_for_ends == 1
    harness.clock.advance(1.0)
    harness.turns(10)
    assert harness.source.asked_for_ends == 2


def test_operators_are_told_of_suspects_alone() -> None:
    """Of how many deaths, and how far the partition is read carefully."""
    harness = Harness(p0='{"reading": 2}', p1="", p2="")
    harness.send(T0, 5)
    harness.join()
    lines = []
    for _ in range(12):
        with capture_logs() as logs:
            harness.loop.step(0.0)
        lines += [line for line in logs if line["event"] == "partition.read_carefully"]
        harness.commit()
    assert [(line["partition"], line["offset"], line["deaths"], line["careful_until"]) for line in lines] == [
        (T0, 0, 2, 5)
    ]


def test_the_loop_s_pauses_outlast_the_guard_s_and_end_none_of_them() -> None:
    """One that it resumes before it may be read is not read; one that it pauses is not read once it may be."""
    harness = Harness()
    for place in ALL:
        harness.send(place)
    harness.join()
    harness.steps(1)
    elsewhere = TopicPartition("requests", 9)
    harness.guard.pause([T0, elsewhere])
    harness.guard.resume([T1, elsewhere])
    assert elsewhere not in harness.source.paused
    assert harness.source.paused == set(ALL)
    harness.turns(8)
    assert harness.source.fetched == {T1, T2}
    harness.guard.resume([T0])
    harness.turns(2)
    assert harness.source.fetched == set(ALL)
    harness.guard.pause([T1])
    assert harness.source.paused == {T1}
    harness.guard.resume([T1])
    assert harness.source.paused == set()


def test_the_member_itself_never_reads_what_was_given_up() -> None:
    """Also where that is the only record: it goes on behind it."""
    harness = Harness(p0='{"reading": 3}', p1="", p2="")
    harness.send(T0)
    harness.join()
    harness.turns(4)
    assert harness.work().reader_deaths == 3
    harness.turns(8)
    assert T0 in harness.source.fetched
    harness.send(T0)
    harness.turns(2)
    assert harness.source.handed_out == [(T0, 1)]
    assert harness.source.read == []


def test_a_suspect_s_records_are_tried_out_while_they_are_counted() -> None:
    """Decoding kills as well as unpacking does: whoever dies of it has not come through."""
    harness = Harness(p0='{"reading": 1}', p1="", p2="")
    harness.send(T0, 2)
    counts = []

    def try_out(record: Record) -> None:
        counts.append((record.offset, *harness.committed(T0)))
        raise ValueError("not decodable")

    harness.guard._try_out = try_out  # type: ignore[attr-defined]
    harness.join()
    harness.turns(4)
    assert harness.work().offset == 0
    harness.turns(4)
    assert harness.work().offset == 1
    assert counts == [(0, 0, '{"reading": 2}'), (1, 1, '{"reading": 1}')]


def test_a_suspect_that_ends_earlier_than_it_did_is_read_as_usual_from_there() -> None:
    """Its end is told once, and what was counted of the suspect is not counted on."""
    harness = Harness(p0='{"reading": 2}', p1="", p2="")
    harness.send(T0)
    harness.source.ends[T0] = 5
    harness.join()
    harness.turns(4)
    harness.work()
    harness.turns(8)
    assert harness.source.read == [(T0, 0), (T0, 1)]
    assert harness.committed(T0) == (1, '{"reading": 1}')
    assert T0 in harness.source.fetched


def test_the_group_s_place_is_told_unless_it_was_only_committed_to_count() -> None:
    """Whoever asks takes an offset for what is done."""
    harness = Harness(p0='{"reading": 1}', p1=FRESH)
    harness.guard._listener = harness.loop  # type: ignore[attr-defined]
    assert harness.guard.committed(ALL) == {
        T0: Position(offset=0, offset_metadata='{"reading": 1}'),
        T1: None,
        T2: None,
    }


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_replica_that_lives_is_not_charged_with_its_own_announcement(deaths: int) -> None:
    """A refused commit makes it look again; those before it died nevertheless."""
    harness = Harness(p0=f'{{"reading": {deaths}}}', p1="", p2="")
    harness.send(T0)
    harness.source.silent = {T0}
    harness.join()
    for _ in range(3):
        harness.turns(3)
        assert told(harness, T0) == f'{{"reading": {deaths + 1}}}'
        harness.guard.rewind(T0, 0)
        harness.assignments.open([T0])


def test_what_is_read_next_of_a_suspect_is_not_charged_to_a_replica_that_lives() -> None:
    """The count of its second record is its own."""
    harness = Harness(p0='{"reading": 1}', p1="", p2="")
    harness.send(T0, 3)
    harness.join()
    harness.turns(4)
    harness.work()
    harness.source.silent = {T0}
    harness.turns(2)
    assert harness.source.read[-1] == (T0, 1)
    assert harness.committed(T0) == (1, '{"reading": 1}')
    harness.guard.rewind(T0, 1)  # a refused commit comes to this
    harness.assignments.open([T0])
    harness.turns(6)
    assert harness.committed(T0) == (1, '{"reading": 1}')


def test_what_is_rewound_before_it_was_read_is_read_from_where_the_group_stands() -> None:
    """Which may be further on by then; the member's own position is where it stood before."""
    harness = Harness(p0="", p1="", p2="")
    harness.send(T0, 3)
    harness.join()
    harness.steps(2)
    harness.broker.committed[T0] = Position(offset=2)
    harness.guard.rewind(T0, 2)
    harness.assignments.open([T0])
    harness.turns(6)
    assert harness.source.handed_out == [(T0, 2)]


@pytest.mark.parametrize("how", ["revoked", "lost"])
@pytest.mark.parametrize("turns", [0, 1, 4], ids=["new", "announced", "read"])
def test_what_is_taken_away_is_not_read_any_more(how: str, turns: int) -> None:
    """Neither by the guard nor by the member; the loop is told, and what remains goes on."""
    harness = Harness(p0='{"reading": 1}', p1="", p2="")
    harness.send(T0, 2)
    harness.send(T1)
    harness.source.silent = {T0}
    harness.join()
    harness.turns(turns)
    with capture_logs():
        getattr(harness.guard, how)([T0])
    harness.source.silent.clear()
    harness.source.read.clear()
    assert T0 not in harness.assignments.partitions()
    assert not harness.guard.rewind(T0, 0)
    harness.guard.resume([T0])
    harness.turns(8)
    assert harness.source.read == []
    assert harness.source.fetched == {T1, T2}
    assert harness.work().partition == 1

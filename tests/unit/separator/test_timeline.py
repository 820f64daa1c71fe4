"""What is made of frames' times: silence for lasting gaps, and nothing of anything else."""

from hypothesis import given
from hypothesis import strategies as st

from consumer.separator.audio.timeline import Frame, Timeline

RATE_HZ = 44100
COUNT = 1024


def heard(frames: list[Frame], *, begins: int | None = None, longest: int | None = None) -> list[tuple[int, int]]:
    """Silence and samples, in turn, without empty ones in between."""
    timeline = Timeline(rate_hz=RATE_HZ, begins=begins, longest=longest)
    runs = []
    for frame in frames:
        timeline.add([frame])
        while run := timeline.take():
            runs.append((run.silence, run.samples))
    timeline.end()
    while run := timeline.take():
        runs.append((run.silence, run.samples))
    joined = runs[:1]
    for silence, samples in runs[1:]:
        if silence:
            joined.append((silence, samples))
        else:
            joined[-1] = (joined[-1][0], joined[-1][1] + samples)
    return joined


def frames(*times: int, count: int = COUNT) -> list[Frame]:
    return [Frame(pts=pts, samples=count) for pts in times]


def steady(number: int, *, start: int = 0, count: int = COUNT) -> list[Frame]:
    return frames(*(start + count * each for each in range(number)), count=count)


def as_written_by_ffmpeg(frames: list[Frame]) -> list[Frame]:
    """Its muxers make each time greater than the last."""
    written = frames[:1]
    for frame in frames[1:]:
        written.append(Frame(pts=max(frame.pts, written[-1].pts + 1), samples=frame.samples))
    return written


@given(
    counts=st.lists(st.integers(1, 5000), min_size=1, max_size=60),
    start=st.integers(-(10**9), 10**9),
    rounding=st.lists(st.integers(-44, 44), min_size=60, max_size=60),
)
def test_sound_without_gaps_has_no_silence(counts: list[int], start: int, rounding: list[int]) -> None:
    """Whatever the frames' lengths, where time begins, and how it is rounded to milliseconds."""
    given_frames, pts = [], start
    for count, error in zip(counts, rounding, strict=False):
        given_frames.append(Frame(pts=pts + (error if min(counts) > 100 else 0), samples=count))
        pts += count
    assert heard(given_frames) == [(0, sum(counts))]


@given(
    before=st.integers(1, 40),
    behind=st.integers(1, 40),
    count=st.integers(128, 5000),
    gap=st.integers(441, 10**7),
    start=st.integers(0, 10**9),
)
def test_a_gap_is_as_long_as_it_is(before: int, behind: int, count: int, gap: int, start: int) -> None:
    """Any gap of 10 ms and more, wherever it lies; but for a rounding to whole frames."""
    first = steady(before, start=start, count=count)
    second = steady(behind, start=start + before * count + gap, count=count)
    runs = heard(first + second)
    assert [samples for _, samples in runs] == [before * count, behind * count]
    assert runs[0][0] == 0
    assert abs(runs[1][0] - gap) <= 66


@given(lost=st.sets(st.integers(1, 98)), rounding=st.lists(st.integers(-22, 22), min_size=100, max_size=100))
def test_lost_frames_are_counted_to_the_sample(lost: set[int], rounding: list[int]) -> None:
    """However many are lost, and wherever, the last one lies where it should, in a container of milliseconds too."""
    kept = [Frame(pts=each * COUNT + rounding[each], samples=COUNT) for each in range(100) if each not in lost]
    runs = heard(kept)
    assert sum(silence + samples for silence, samples in runs) == 100 * COUNT


def test_gaps_behind_each_other_are_all_seen() -> None:
    """Two lost frames with a single one between them are two gaps."""
    kept = [frame for number, frame in enumerate(steady(30)) if number not in (9, 11)]
    assert heard(kept) == [(0, 9 * COUNT), (COUNT, COUNT), (COUNT, 18 * COUNT)]


def test_a_late_frame_alone_is_no_gap() -> None:
    """Nor are several, if the clock comes back to where it was."""
    late = [
        Frame(pts=frame.pts + (700 if 9 <= number < 13 else 0), samples=COUNT)
        for number, frame in enumerate(steady(40))
    ]
    assert heard(late) == [(0, 40 * COUNT)]


def test_a_clock_that_is_slow_or_fast_is_let_be() -> None:
    """A frame is as long as its samples, whatever is said between them: 50 samples a frame more or less."""
    for step in (COUNT - 50, COUNT + 50):
        assert heard(frames(*(number * step for number in range(500)))) == [(0, 500 * COUNT)]


def test_a_frame_far_in_the_future_is_a_lie() -> None:
    """ffmpeg moves all that come behind it; none of them says anything then, and no hours of silence come of it."""
    lying = steady(60)
    lying[20] = Frame(pts=10**9, samples=COUNT)
    assert heard(as_written_by_ffmpeg(lying)) == [(0, 60 * COUNT)]
    assert heard(lying) == [(0, 60 * COUNT)]


def test_a_new_time_is_laid_behind_the_old_one() -> None:
    """Times that begin anew drop nothing, and gaps of the new time are seen once it passes the old one's end."""
    again = [*steady(100), *steady(150), *steady(50, start=150 * COUNT + 9000)]
    assert heard(as_written_by_ffmpeg(again)) == [(0, 250 * COUNT), (9000, 50 * COUNT)]
    assert heard(again) == [(0, 250 * COUNT), (9000, 50 * COUNT)]


def test_what_overlaps_a_little_takes_from_the_next_gap() -> None:
    """So that the clock is right again: 600 samples too early, then 2000 that are missing."""
    overlapping = [*steady(20), *steady(20, start=20 * COUNT - 600), *steady(20, start=40 * COUNT + 1400)]
    assert heard(overlapping) == [(0, 40 * COUNT), (1400, 20 * COUNT)]


def test_the_clock_may_begin_before_the_first_frame() -> None:
    """By less than 10 ms it is the first frame's; frames from before it are kept."""
    assert heard(steady(20, start=5000), begins=1000) == [(4000, 20 * COUNT)]
    assert heard(steady(20, start=5000), begins=4800) == [(0, 20 * COUNT)]
    assert heard(steady(20, start=5000), begins=7000) == [(0, 20 * COUNT)]


def test_a_jump_may_be_too_long_for_a_gap() -> None:
    """Then another time has begun, and its gaps are seen; so it is with what comes before the first frame."""
    jump = [*steady(20), *steady(20, start=10**8), *steady(20, start=10**8 + 20 * COUNT + 5000)]
    assert heard(jump, longest=441_000) == [(0, 40 * COUNT), (5000, 20 * COUNT)]
    assert heard(steady(20, start=10**8), begins=0, longest=441_000) == [(0, 20 * COUNT)]
    assert heard(steady(20, start=400_000), begins=0, longest=441_000) == [(400_000, 20 * COUNT)]


def test_nothing_is_certain_until_it_lasts() -> None:
    """What follows the frame at hand decides what it means, so that it has to be waited for."""
    timeline = Timeline(rate_hz=RATE_HZ)
    timeline.add(steady(7))
    assert timeline.take() is None
    timeline.add(steady(1, start=7 * COUNT))
    run = timeline.take()
    assert run is not None
    assert (run.silence, run.samples) == (0, COUNT)


def test_where_nothing_but_the_first_time_is_told_there_are_no_gaps() -> None:
    """Silence comes before the first frame alone, however long it is."""
    jumping = frames(44100, 50_000, 90_000, 10**9, 10**9 + COUNT, *(10**9 + COUNT * each for each in range(2, 20)))
    assert heard(jumping, begins=0, longest=0) == [(44100, COUNT * len(jumping))]
    assert heard(jumping, longest=0) == [(0, COUNT * len(jumping))]

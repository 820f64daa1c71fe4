"""`python -m bench.capacity`: what so many songs an hour need, as a table for docs/capacity.md.

A song waits in the queue of its partition's owner, since its key decides its partition and not who is idle. So each
replica is a queue of its own, and more replicas are needed than the sum of the work says. That is what is simulated:
random arrivals, songs of many lengths, each replica one after the other.
"""

import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Measured by `make bench` on two AVX-512 cores (2 stems, TensorFlow, mp3 in, wav out), but for the last group."""

    realtime_factor: float = 50.0  # seconds of audio a second of a replica
    fixed_s: float = 0.044  # of each job, beside that
    cores: int = 2  # of a replica
    memory_gb: float = 1.2
    stems: int = 2
    # What is asked for.
    p95_wait_s: float = 60.0
    peak: float = 2.0  # the busiest hour, as many times as the day's mean
    # What comes and goes.
    mean_song_s: float = 210.0
    sigma: float = 0.35  # of the logarithm of a song's length
    source_bytes_s: float = 32_000.0  # mp3 of 256 kbit/s
    stem_bytes_s: float = 176_400.0  # wav, 16 bits, stereo
    record_bytes: float = 1_500.0  # request, result and progress in Kafka, together
    # What is paid, in dollars: of a common cloud, on demand. Put in your own.
    core_hour: float = 0.045
    gb_month: float = 0.023
    kept_days: float = 7.0  # before stems are removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """For the busiest hour, and what the day's mean costs."""

    songs_an_hour: int
    replicas: int
    least_replicas: int  # if none ever idled
    partitions: int
    p95_wait_s: float
    read_mb_s: float
    written_mb_s: float
    kafka_kb_s: float
    stored_tb: float
    dollars_per_1000_songs: float
    storage_dollars_per_1000_songs: float


def need(songs_an_hour: int, assumed: Assumptions) -> Need:
    """songs_an_hour: of the day's mean."""
    songs = round(songs_an_hour * assumed.peak)
    arrivals, works_s = _hour(songs, assumed)
    least = max(1, math.ceil(sum(works_s) / 3600))
    replicas = _least_replicas(least, arrivals, works_s, assumed.p95_wait_s)
    audio_s = songs * assumed.mean_song_s / 3600  # a second
    work_s = assumed.mean_song_s / assumed.realtime_factor + assumed.fixed_s
    written = assumed.stem_bytes_s * assumed.stems
    stored_bytes = songs_an_hour * 24 * assumed.kept_days * assumed.mean_song_s * written
    return Need(
        songs_an_hour=songs_an_hour,
        replicas=replicas,
        least_replicas=least,
        partitions=partitions_for(replicas),
        p95_wait_s=p95_wait_s(replicas, arrivals, works_s),
        read_mb_s=audio_s * assumed.source_bytes_s / 1e6,
        written_mb_s=audio_s * written / 1e6,
        kafka_kb_s=songs * assumed.record_bytes / 3600 / 1e3,
        stored_tb=stored_bytes / 1e12,
        # Replicas follow the load, and idle as much at its mean as at its peak.
        dollars_per_1000_songs=1000 * work_s * assumed.cores * assumed.core_hour / 3600 * replicas / least,
        storage_dollars_per_1000_songs=1000
        * assumed.mean_song_s
        * written
        / 1e9
        * assumed.gb_month
        * assumed.kept_days
        / 30,
    )


def partitions_for(replicas: int) -> int:
    """Twice as many, in steps of six: partitions can't be taken away, and growth moves keys to other ones."""
    return max(6, math.ceil(2 * replicas / 6) * 6)


def p95_wait_s(replicas: int, arrivals: Sequence[tuple[float, float]], works_s: Sequence[float]) -> float:
    """Of the wait until a song is begun. arrivals: (time in seconds, place in 0..1 that its key comes to)."""
    partitions = partitions_for(replicas)
    free_at_s = [0.0] * replicas
    waits_s = []
    for (at_s, place), work_s in zip(arrivals, works_s, strict=True):
        owner = int(place * partitions) * replicas // partitions
        begun_s = max(at_s, free_at_s[owner])
        free_at_s[owner] = begun_s + work_s
        waits_s.append(begun_s - at_s)
    return sorted(waits_s)[int(0.95 * (len(waits_s) - 1))]


def _least_replicas(least: int, arrivals: Sequence[tuple[float, float]], works_s: Sequence[float], p95_s: float) -> int:
    low, high = least, least
    while p95_wait_s(high, arrivals, works_s) > p95_s:
        low, high = high + 1, high * 2
    while low < high:
        middle = (low + high) // 2
        if p95_wait_s(middle, arrivals, works_s) > p95_s:
            low = middle + 1
        else:
            high = middle
    return high


def _hour(songs: int, assumed: Assumptions) -> tuple[list[tuple[float, float]], list[float]]:
    """Arrivals at random times of an hour, and the work that each brings."""
    source = random.Random(_SEED)
    arrivals = sorted((source.uniform(0, 3600), source.random()) for _ in range(songs))
    mu = math.log(assumed.mean_song_s) - assumed.sigma**2 / 2
    lengths_s = [source.lognormvariate(mu, assumed.sigma) for _ in range(songs)]
    return arrivals, [length_s / assumed.realtime_factor + assumed.fixed_s for length_s in lengths_s]


def table(assumed: Assumptions) -> list[str]:
    needs = [need(songs, assumed) for songs in (1_000, 10_000, 100_000)]
    rows = {
        "songs an hour, mean of the day": [f"{n.songs_an_hour:,}" for n in needs],
        "replicas in the busiest hour": [f"{n.replicas}" for n in needs],
        "of which the work alone would need": [f"{n.least_replicas}" for n in needs],
        "cores, memory": [f"{n.replicas * assumed.cores}, {n.replicas * assumed.memory_gb:.0f} GB" for n in needs],
        "partitions of the request topic": [f"{n.partitions}" for n in needs],
        "wait of 95 % of the songs, at most": [f"{n.p95_wait_s:.0f} s" for n in needs],
        "read from MinIO": [f"{n.read_mb_s:.0f} MB/s" for n in needs],
        "written to MinIO": [f"{n.written_mb_s:.0f} MB/s" for n in needs],
        f"stored, for {assumed.kept_days:.0f} days": [f"{n.stored_tb:.1f} TB" for n in needs],
        "through Kafka": [f"{n.kafka_kb_s:.1f} kB/s" for n in needs],
        "processors, a thousand songs": [f"${n.dollars_per_1000_songs:.2f}" for n in needs],
        "storage, a thousand songs": [f"${n.storage_dollars_per_1000_songs:.2f}" for n in needs],
    }
    lines = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return [lines[0], "|---|---:|---:|---:|", *lines[1:]]


if __name__ == "__main__":
    sys.stdout.write("\n".join(table(Assumptions())) + "\n")

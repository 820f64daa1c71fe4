"""When a file begins by its container's own clock, and how long its sound is by it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerClock:
    """What a file's headers say of time.

    container_s: how long it is; None where they don't tell. is_guessed: whether ffmpeg reckoned that from a bitrate.
    start_s: the least time that a track begins at, None where it is not told. tracks: of sound and of moving pictures.
    programmes: of a broadcast, each with times of its own.
    """

    container_s: float | None = None
    is_guessed: bool = False
    start_s: float | None = None
    tracks: int = 1
    programmes: int = 0

    @property
    def is_shared(self) -> bool:
        """Whether there is a track beside the one that is decoded, by the same clock."""
        return self.tracks > 1 and self.programmes < 2

    @property
    def duration_s(self) -> float | None:
        """How long the sound is; None where the headers don't tell, or not of the sound alone."""
        return None if self.is_shared or self.is_guessed else self.container_s

    def begins_at(self, rate_hz: int) -> int | None:
        """Where a player's clock begins, in samples: at the first track's start. None: at the first sound, since
        nothing else is there to be heard or seen before it.
        """
        return None if self.start_s is None or not self.is_shared else round(self.start_s * rate_hz)

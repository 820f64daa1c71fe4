"""What vowels and consonants are made of: resonances of the vocal tract and bands of noise."""

from dataclasses import dataclass

VOWELS = ("a", "e", "i", "o", "u")

# Five resonances of each vowel for four kinds of voice: (Hz, dB, bandwidth in Hz), as singing synthesis has
# long used them (the table that comes with Csound's manual).
_FORMANTS = {
    "bass": {
        "a": ((600, 0, 60), (1040, -7, 70), (2250, -9, 110), (2450, -9, 120), (2750, -20, 130)),
        "e": ((400, 0, 40), (1620, -12, 80), (2400, -9, 100), (2800, -12, 120), (3100, -18, 120)),
        "i": ((250, 0, 60), (1750, -30, 90), (2600, -16, 100), (3050, -22, 120), (3340, -28, 120)),
        "o": ((400, 0, 40), (750, -11, 80), (2400, -21, 100), (2600, -20, 120), (2900, -40, 120)),
        "u": ((350, 0, 40), (600, -20, 80), (2400, -32, 100), (2675, -28, 120), (2950, -36, 120)),
    },
    "tenor": {
        "a": ((650, 0, 80), (1080, -6, 90), (2650, -7, 120), (2900, -8, 130), (3250, -22, 140)),
        "e": ((400, 0, 70), (1700, -14, 80), (2600, -12, 100), (3200, -14, 120), (3580, -20, 120)),
        "i": ((290, 0, 40), (1870, -15, 90), (2800, -18, 100), (3250, -20, 120), (3540, -30, 120)),
        "o": ((400, 0, 70), (800, -10, 80), (2600, -12, 100), (2800, -12, 130), (3000, -26, 135)),
        "u": ((350, 0, 40), (600, -20, 60), (2700, -17, 100), (2900, -14, 120), (3300, -26, 120)),
    },
    "alto": {
        "a": ((800, 0, 80), (1150, -4, 90), (2800, -20, 120), (3500, -36, 130), (4950, -60, 140)),
        "e": ((400, 0, 60), (1600, -24, 80), (2700, -30, 120), (3300, -35, 150), (4950, -60, 200)),
        "i": ((350, 0, 50), (1700, -20, 100), (2700, -30, 120), (3700, -36, 150), (4950, -60, 200)),
        "o": ((450, 0, 70), (800, -9, 80), (2830, -16, 100), (3500, -28, 130), (4950, -55, 135)),
        "u": ((325, 0, 50), (700, -12, 60), (2530, -30, 170), (3500, -40, 180), (4950, -64, 200)),
    },
    "soprano": {
        "a": ((800, 0, 80), (1150, -6, 90), (2900, -32, 120), (3900, -20, 130), (4950, -50, 140)),
        "e": ((350, 0, 60), (2000, -20, 100), (2800, -15, 120), (3600, -40, 150), (4950, -56, 200)),
        "i": ((270, 0, 60), (2140, -12, 90), (2950, -26, 100), (3900, -26, 120), (4950, -44, 120)),
        "o": ((450, 0, 40), (800, -11, 80), (2830, -22, 100), (3800, -22, 120), (4950, -50, 120)),
        "u": ((325, 0, 50), (700, -16, 60), (2700, -35, 170), (3800, -40, 180), (4950, -60, 200)),
    },
}


def formants(register: str, vowel: str) -> tuple[tuple[int, int, int], ...]:
    """Five (Hz, dB, bandwidth in Hz) of a vowel; register is bass, tenor, alto or soprano."""
    return _FORMANTS[register][vowel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consonant:
    """What comes before the vowel.

    For duration_s the voice sinks to `voicing` (1: as loud as the vowel) and its second resonance comes from
    `locus_hz`; noise around noise_hz sounds for the last burst_s of it, at `noise` of the voice's level.
    """

    duration_s: float
    voicing: float
    locus_hz: float
    noise: float = 0.0
    noise_hz: float = 4000.0
    width_hz: float = 2000.0
    burst_s: float = 0.0


CONSONANTS = {
    "": Consonant(duration_s=0.01, voicing=0.8, locus_hz=1500),
    "m": Consonant(duration_s=0.08, voicing=0.35, locus_hz=1000),
    "n": Consonant(duration_s=0.07, voicing=0.35, locus_hz=1700),
    "l": Consonant(duration_s=0.07, voicing=0.5, locus_hz=1300),
    "r": Consonant(duration_s=0.07, voicing=0.5, locus_hz=1150),
    "w": Consonant(duration_s=0.07, voicing=0.5, locus_hz=650),
    "y": Consonant(duration_s=0.06, voicing=0.5, locus_hz=2200),
    "h": Consonant(duration_s=0.07, voicing=0.0, locus_hz=1500, noise=0.12, noise_hz=1800, width_hz=2500, burst_s=0.07),
    "s": Consonant(duration_s=0.11, voicing=0.0, locus_hz=1800, noise=0.3, noise_hz=6500, width_hz=2200, burst_s=0.10),
    "sh": Consonant(duration_s=0.11, voicing=0.0, locus_hz=1900, noise=0.3, noise_hz=3300, width_hz=1400, burst_s=0.1),
    "f": Consonant(duration_s=0.09, voicing=0.0, locus_hz=1000, noise=0.1, noise_hz=5000, width_hz=4000, burst_s=0.08),
    "z": Consonant(duration_s=0.08, voicing=0.25, locus_hz=1800, noise=0.2, noise_hz=6000, width_hz=2200, burst_s=0.07),
    "t": Consonant(duration_s=0.07, voicing=0.0, locus_hz=1800, noise=0.4, noise_hz=4500, width_hz=2500, burst_s=0.02),
    "k": Consonant(duration_s=0.08, voicing=0.0, locus_hz=2000, noise=0.4, noise_hz=2000, width_hz=900, burst_s=0.03),
    "p": Consonant(duration_s=0.07, voicing=0.0, locus_hz=800, noise=0.3, noise_hz=900, width_hz=900, burst_s=0.015),
    "d": Consonant(duration_s=0.05, voicing=0.15, locus_hz=1800, noise=0.2, noise_hz=4000, width_hz=2500, burst_s=0.01),
    "b": Consonant(duration_s=0.05, voicing=0.15, locus_hz=800, noise=0.2, noise_hz=800, width_hz=800, burst_s=0.012),
    "g": Consonant(duration_s=0.05, voicing=0.15, locus_hz=2000, noise=0.2, noise_hz=2000, width_hz=900, burst_s=0.015),
}

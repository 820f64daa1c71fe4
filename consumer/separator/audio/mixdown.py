"""How the channels of a file become two: ffmpeg's filters, from what it calls their layout.

One channel is heard on both sides, two stay as they are, whatever they are called. More are mixed by their names, with
the weights that ffmpeg itself gives to those it knows. Of channels without names, even ones go left and odd ones right,
in equal parts. Ambisonic sound is taken up by two virtual microphones. Only the low-frequency effects channel of more
than two is left out, as ITU-R BS.775 and ATSC A/52 have it for stereo.
"""

import math
import re
from collections.abc import Sequence

# `ffmpeg -layouts`; a test holds it against the one that is bundled.
STANDARD = {
    name: tuple(channels.split("+"))
    for name, channels in (
        row.split()
        for row in """\
mono FC
stereo FL+FR
2.1 FL+FR+LFE
3.0 FL+FR+FC
3.0(back) FL+FR+BC
4.0 FL+FR+FC+BC
quad FL+FR+BL+BR
quad(side) FL+FR+SL+SR
3.1 FL+FR+FC+LFE
5.0 FL+FR+FC+BL+BR
5.0(side) FL+FR+FC+SL+SR
4.1 FL+FR+FC+LFE+BC
5.1 FL+FR+FC+LFE+BL+BR
5.1(side) FL+FR+FC+LFE+SL+SR
6.0 FL+FR+FC+BC+SL+SR
6.0(front) FL+FR+FLC+FRC+SL+SR
3.1.2 FL+FR+FC+LFE+TFL+TFR
hexagonal FL+FR+FC+BL+BR+BC
6.1 FL+FR+FC+LFE+BC+SL+SR
6.1(back) FL+FR+FC+LFE+BL+BR+BC
6.1(front) FL+FR+LFE+FLC+FRC+SL+SR
7.0 FL+FR+FC+BL+BR+SL+SR
7.0(front) FL+FR+FC+FLC+FRC+SL+SR
7.1 FL+FR+FC+LFE+BL+BR+SL+SR
7.1(wide) FL+FR+FC+LFE+BL+BR+FLC+FRC
7.1(wide-side) FL+FR+FC+LFE+FLC+FRC+SL+SR
5.1.2 FL+FR+FC+LFE+SL+SR+TFL+TFR
5.1.2(back) FL+FR+FC+LFE+BL+BR+TFL+TFR
octagonal FL+FR+FC+BL+BR+BC+SL+SR
cube FL+FR+BL+BR+TFL+TFR+TBL+TBR
5.1.4 FL+FR+FC+LFE+SL+SR+TFL+TFR+TBL+TBR
7.1.2 FL+FR+FC+LFE+BL+BR+SL+SR+TFL+TFR
7.1.4 FL+FR+FC+LFE+BL+BR+SL+SR+TFL+TFR+TBL+TBR
7.2.3 FL+FR+FC+LFE+BL+BR+SL+SR+TFL+TFR+TBC+LFE2
9.1.4 FL+FR+FC+LFE+BL+BR+FLC+FRC+SL+SR+TFL+TFR+TBL+TBR
9.1.6 FL+FR+FC+LFE+BL+BR+FLC+FRC+SL+SR+TFL+TFR+TBL+TBR+TSL+TSR
hexadecagonal FL+FR+FC+BL+BR+BC+SL+SR+TFL+TFC+TFR+TBL+TBC+TBR+WL+WR
binaural BIL+BIR
downmix DL+DR
22.2 FL+FR+FC+LFE+BL+BR+FLC+FRC+BC+SL+SR+TC+TFL+TFC+TFR+TBL+TBC+TBR+LFE2+TSL+TSR+BFC+BFL+BFR
""".splitlines()
    )
}
_SIDE, _BACK = math.sqrt(0.5), 0.5
Gains = list[tuple[float, float]]  # of each channel, to the left and to the right
_LEFT = {"FL": 1.0, "FLC": 1.0, "DL": 1.0, "BIL": 1.0} | dict.fromkeys(
    ("BL", "SL", "TFL", "TBL", "TSL", "BFL", "WL", "SDL", "SSL", "TTL"), _SIDE
)
_CENTRE = {"FC": _SIDE, "BC": _BACK, "TC": _BACK, "TFC": _BACK, "TBC": _BACK, "BFC": _BACK, "LFE": 0.0, "LFE2": 0.0}
_WEIGHTS = (
    {name: (gain, 0.0) for name, gain in _LEFT.items()}
    | {name.replace("L", "R"): (0.0, gain) for name, gain in _LEFT.items()}
    | {name: (gain, gain) for name, gain in _CENTRE.items()}
)
# Those that ffmpeg's own mix takes up, as long as there are no others.
_FFMPEG_MIXES = frozenset(("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TFL", "TFR"))
# Follows each change of channels within a file: ffmpeg's mix of more than two, then one channel as it is on both sides.
_FOLLOWING = "aformat=sample_fmts=fltp:channel_layouts=mono|stereo,pan=stereo|FL=FL+FC|FR=FR+FC"
_NOT_TOLD = ("", "0 channels")  # how ffmpeg says that a header has no layout; the sound may have one
# Where the virtual microphones look, from the front to either side and upwards: no component is zero there.
_AZIMUTH, _ELEVATION = math.radians(66.0), math.radians(11.0)


def channel_count(layout: str) -> int | None:
    """Number of channels of a layout such as stereo, 7.1.4, '3 channels (FL+FR+LFE)' or 'ambisonic 1+stereo'.

    None where the text does not tell.
    """
    if layout in STANDARD:
        return len(STANDARD[layout])
    if counted := re.match(r"(\d+) channels", layout):
        return int(counted[1]) or None
    if ambisonic := _ambisonic(layout):
        order, rest = ambisonic
        beside = channel_count(rest) if rest else 0
        return None if beside is None else (order + 1) ** 2 + beside
    if dotted := re.match(r"\d+(\.\d+)+", layout):  # of another ffmpeg than ours
        return sum(map(int, dotted[0].split(".")))
    return None


def stereo_filters(layout: str, channels: int) -> str:
    """ffmpeg's filters that make stereo of this layout of so many channels. What has no name here counts as unnamed."""
    if layout in ("mono", "stereo", *_NOT_TOLD) or (
        channels > 2 and _FFMPEG_MIXES.issuperset(STANDARD.get(layout, ("none",)))
    ):
        return _FOLLOWING
    gains = [(1.0, 1.0)] if channels == 1 else [(1.0, 0.0), (0.0, 1.0)] if channels == 2 else _gains(layout, channels)
    sides = [[(number, gain[side]) for number, gain in enumerate(gains) if gain[side]] for side in (0, 1)]
    if all(len(members) == 1 and members[0][1] == 1.0 for members in sides):
        # What is only given another name; pan refuses to do that where there is no front channel.
        return f"channelmap=map={sides[0][0][0]}|{sides[1][0][0]}:channel_layout=stereo"
    left, right = ("".join(f"{gain:+.6f}*c{number}" for number, gain in members or [(0, 0.0)]) for members in sides)
    # In floats: sums of integers wrap around beyond full scale.
    return f"aformat=sample_fmts=fltp,pan=stereo|c0={left}|c1={right}"


def _gains(layout: str, channels: int) -> Gains:
    """Of more than two channels."""
    if ambisonic := _ambisonic(layout):
        order, rest = ambisonic
        beside = channels - (order + 1) ** 2
        if beside >= 0:
            return _ambisonic_gains(order) + _gains_beside(rest, beside)
    names = _names(layout)
    if len(names) == channels:
        gains = [_WEIGHTS.get(name, (_BACK, _BACK)) for name in names]
        if any(map(any, gains)):
            return gains
    return _unnamed_gains(channels)


def _gains_beside(layout: str, channels: int) -> Gains:
    """Of what is not to turn with the listener's head: head-locked stereo, most often."""
    if channels <= 2:
        return [(1.0, 1.0)] if channels == 1 else [(1.0, 0.0), (0.0, 1.0)][:channels]
    return _gains(layout, channels)


def _unnamed_gains(channels: int) -> Gains:
    shares = (1 / len(range(0, channels, 2)), 1 / len(range(1, channels, 2)))
    return [(0.0, shares[1]) if number % 2 else (shares[0], 0.0) for number in range(channels)]


def _names(layout: str) -> Sequence[str]:
    """The channels' names, in the file's order; none where the layout has none."""
    if layout in STANDARD:
        return STANDARD[layout]
    listed = re.fullmatch(r"\d+ channels \((.*)\)", layout)
    return [name.partition("@")[0] for name in listed[1].split("+")] if listed else ()


def _ambisonic(layout: str) -> tuple[int, str] | None:
    """The order, and the layout of what is beside it, empty where there is nothing."""
    found = re.fullmatch(r"ambisonic (\d{1,2})(?:\+(.+))?", layout)
    return (int(found[1]), found[2] or "") if found else None


def _ambisonic_gains(order: int) -> Gains:
    """Of ambisonic sound in its usual form (ambiX: ACN order, SN3D norm), heard by a microphone to each side.

    Each hears what comes from where it looks as it is, the rest less, as ((1 + cos angle) / 2) ** order: a cardioid,
    which grows narrower with the order. Nothing is inverted.
    """
    shares = [
        (2 * degree + 1) / (math.factorial(order + degree + 1) * math.factorial(order - degree))
        for degree in range(order + 1)
    ]
    gains = []
    for degree in range(order + 1):
        share = shares[degree] / sum(shares)
        for index in range(-degree, degree + 1):
            right, left = (share * _harmonic(degree, index, side * _AZIMUTH) for side in (-1, 1))
            gains.append((left, right))
    return gains


def _harmonic(degree: int, index: int, azimuth: float) -> float:
    """The real spherical harmonic of SN3D norm in that direction, at _ELEVATION."""
    order, height = abs(index), math.sin(_ELEVATION)
    # Associated Legendre functions, without the Condon-Shortley phase, by their recurrence in the degree.
    before, value = 0.0, math.prod(range(1, 2 * order, 2)) * math.cos(_ELEVATION) ** order
    for step in range(order + 1, degree + 1):
        before, value = value, ((2 * step - 1) * height * value - (step + order - 1) * before) / (step - order)
    norm = math.sqrt((2 if index else 1) * math.factorial(degree - order) / math.factorial(degree + order))
    turn = math.sin(order * azimuth) if index < 0 else math.cos(order * azimuth)
    return norm * value * turn

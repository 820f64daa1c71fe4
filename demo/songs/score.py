"""How well a stem is separated, as one number."""

import numpy as np
from numpy.typing import ArrayLike


def si_sdr(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., 2019); higher is better.

    estimate, truth: samples of the same shape, (frames,) or (frames, channels); channels count as one long signal.
    Infinite for a perfect estimate; NaN where the truth is silent, since no ratio exists there.
    """
    guess = np.asarray(estimate, np.float64).ravel()
    wanted = np.asarray(truth, np.float64).ravel()
    if guess.shape != wanted.shape:
        raise ValueError(f"estimate and truth differ in length: {guess.size} and {wanted.size}")
    energy = float(wanted @ wanted)
    if energy == 0.0:
        return float("nan")
    target = (guess @ wanted / energy) * wanted
    error = guess - target
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(np.divide(target @ target, error @ error)))

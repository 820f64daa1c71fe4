"""Spleeter's own stems of a waveform, as numbers: `python reference_stems.py MODEL WAVEFORM.npy STEMS.npz`.

Imports nothing of this project, so that it also runs where another TensorFlow is installed.
"""

import sys

import numpy as np
from spleeter.separator import Separator

model, source, target = sys.argv[1:]
np.savez(target, **Separator(f"spleeter:{model}").separate(np.load(source)))

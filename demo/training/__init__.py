"""Trains the demo's small model on songs that `demo.songs` makes, and measures what it reaches."""

import os

# TensorFlow reads these when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

"""Settings of numpy's linear algebra for a process that separates; imports no numpy, which reads them once."""

import os

# Networks are loaded side by side, a core each: its own threads, one a core, would only wait for those by spinning.
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def use_one_thread() -> None:
    """Have each matrix product computed by the thread that asks for it. Call it before numpy is imported."""
    for variable in _ONE_THREAD:
        os.environ.setdefault(variable, "1")

"""What of this process's environment the separator may see."""

import os
import re

# Nothing that an operator writes a secret into, and nothing that names a place to send one to.
_SEEN = re.compile(
    "PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ|MODEL_PATH"
    # Where Python and libraries are, where that isn't where they usually are.
    "|PYTHON(PATH|HOME|UTF8|SAFEPATH|NOUSERSITE|UNBUFFERED|FAULTHANDLER|DONTWRITEBYTECODE|PYCACHEPREFIX|HASHSEED)"
    "|LD_LIBRARY_PATH|LD_PRELOAD|VIRTUAL_ENV|COVERAGE_PROCESS_(START|CONFIG)"
    # Threads, memory and instructions of what computes.
    "|(OMP|KMP|GOMP|MKL|OPENBLAS|TBB|ONEDNN|DNNL|MALLOC)_[A-Z0-9_]+|GLIBC_TUNABLES"
    "|TF_(CPP|NUM|ENABLE|XLA|DETERMINISTIC)_[A-Z0-9_]+|XLA_FLAGS|CUDA_VISIBLE_DEVICES"
)


def environment_without_secrets() -> dict[str, str]:
    """This process's environment for the one that touches untrusted bytes: what that needs, by name, and no more."""
    return {name: value for name, value in os.environ.items() if _SEEN.fullmatch(name)}

"""A kernel that lacks something: `python -m tests.separator.without WHAT ARGUMENTS...` runs Python on it.

WHAT: landlock, seccomp or namespaces.
That is the real kernel, in which the calls are answered as one would that has never heard of them; for namespaces, as
engines of containers have it.
"""

import errno
import os
import sys

from consumer.separator import seccomp

_ERROR = 0x00050000
_CALLS = {
    "landlock": ("landlock_create_ruleset", errno.ENOSYS),
    "seccomp": ("seccomp", errno.ENOSYS),
    "namespaces": ("unshare", errno.EPERM),
}

if __name__ == "__main__":
    lacking = seccomp.Filter(seccomp.machine())
    call, error = _CALLS[sys.argv[1]]
    lacking.answer((call,), _ERROR | error)
    seccomp.install(lacking.packed())
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])

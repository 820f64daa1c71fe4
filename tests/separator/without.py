"""A kernel that lacks something: `python -m tests.separator.without landlock|seccomp ARGUMENTS...` runs Python on it.

That is the real kernel, in which the calls are answered as one would that has never heard of them.
"""

import errno
import os
import sys

from consumer.separator import seccomp

_CALLS = {"landlock": "landlock_create_ruleset", "seccomp": "seccomp"}
_UNKNOWN = 0x00050000 | errno.ENOSYS

if __name__ == "__main__":
    lacking = seccomp.Filter(seccomp.machine())
    lacking.answer((_CALLS[sys.argv[1]],), _UNKNOWN)
    seccomp.install(lacking.packed())
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])

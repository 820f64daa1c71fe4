"""All walls around what reads strangers' bytes: files by Landlock, system calls by seccomp, no right of root's."""

from contextlib import suppress

from consumer.separator.capabilities import give_up_capabilities
from consumer.separator.sandbox import Reach, confine
from consumer.separator.seccomp import confine_calls


def confine_thread(reach: Reach) -> str:
    """Confine this thread, and all that it starts, for good; returns what holds, or why it does not, in a few words."""
    files = confine(reach)
    with suppress(OSError):
        give_up_capabilities()
    return f"{files}, {confine_calls()}"

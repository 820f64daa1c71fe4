"""A process that ends a separator, with all that this has started, when the consumer ends, however it ends.

A separator ends with its input; one that somebody has taken over need not, nor need what it started. None of that can
leave its process group. So somebody else is in that group too, and waits for the end of a pipe that the consumer alone
holds open: where the consumer is killed, the kernel closes it. What is in a group means no other group by it, whatever
numbers are given anew meanwhile.
"""

import subprocess
import sys
import threading

# Nothing is imported but what lies in the interpreter itself: it starts within 10 ms.
REAPER = (sys.executable, "-ISc", "import posix; posix.read(0, 1); posix.kill(0, 9)")


def start_reaper(process: "subprocess.Popen[bytes]") -> None:
    """Start one for a process that leads a group and was started just now. Raises OSError; then that is ended."""
    try:
        reaper = subprocess.Popen(
            REAPER,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=process.pid,
            env={},
        )
    except BaseException:
        process.kill()
        raise
    threading.Thread(target=_see_both_end, args=(reaper, process), daemon=True).start()


def _see_both_end(reaper: "subprocess.Popen[bytes]", process: "subprocess.Popen[bytes]") -> None:
    """The reaper ends with the group. Where somebody has ended it alone, nothing goes on without one."""
    reaper.wait()
    process.kill()
    assert reaper.stdin
    reaper.stdin.close()

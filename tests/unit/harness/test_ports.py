"""Ports for servers that several processes start at once."""

import subprocess
import sys

COUNT = 400  # of 12,768: of two processes that know nothing of each other some dozen would be the same
ASK = f"""
from devstack.service import free_port
print(*(free_port() for _ in range({COUNT})), flush=True)
input()
"""


def test_no_port_is_told_to_two_processes() -> None:
    """However long each of them leaves it unused; and once a process has ended, others may have its ports."""
    processes = [
        subprocess.Popen([sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told: list[str] = []
    for process in processes:
        assert process.stdout
        told += process.stdout.readline().split()
    for process in processes:
        process.communicate("\n", timeout=60)
        assert process.returncode == 0
    assert len(set(told)) == len(told) == 2 * COUNT

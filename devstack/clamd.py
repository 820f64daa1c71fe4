"""One ClamAV daemon that knows a single signature: that of EICAR's test file."""

import socket
from pathlib import Path

from devstack import system
from devstack.service import Service

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
SIGNATURE = "Eicar-Test-Signature.UNOFFICIAL"  # what it is called in answers

_CONFIGURATION = """\
Foreground yes
DatabaseDirectory {folder}/signatures
LogFile {folder}/clamd.log
TCPSocket {port}
TCPAddr 127.0.0.1
LocalSocket {folder}/socket
StreamMaxLength {max_bytes}
MaxFileSize {max_bytes}
MaxScanSize {max_bytes}
# Or what is larger than these would pass unseen.
AlertExceedsMax yes
"""


def clamd(folder: Path, port: int, *, max_bytes: int = 1 << 30) -> Service:
    """A daemon on port, and on folder/socket, that takes files up to max_bytes."""
    system.provide({"clamd": "clamav-daemon"})
    (folder / "signatures").mkdir(parents=True, exist_ok=True)
    # Of any kind of file, anywhere in it.
    (folder / "signatures" / "eicar.ndb").write_text(f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n")
    configuration = folder / "clamd.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, max_bytes=max_bytes))
    return Service(
        name="ClamAV",
        command=["clamd", "--config-file", str(configuration)],
        folder=folder,
        is_ready=lambda: _answers(port),
    )


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"zPING\0")
            return connection.recv(16) == b"PONG\0"
    except OSError:
        return False

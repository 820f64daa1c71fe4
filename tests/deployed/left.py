"""What is wrong in an image that parts were taken out of; written as JSON. Run in it, given names of programs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

LOADER = "/lib64/ld-linux-x86-64.so.2" if os.uname().machine == "x86_64" else "/lib/ld-linux-aarch64.so.1"


def files() -> list[Path]:
    """Of the image, but for what the kernel shows."""
    found = []
    for root in ("/usr", "/opt", "/etc", "/var"):
        for folder, _, names in os.walk(root):
            found += [path for name in names if not (path := Path(folder, name)).is_symlink() and path.is_file()]
    return found


def unfound(path: Path) -> list[str]:
    """The libraries that a program or library needs and does not find."""
    told = subprocess.run([LOADER, "--list", path], capture_output=True, text=True, check=False, timeout=60).stdout
    return [f"{path}: {line.strip()}" for line in told.splitlines() if "not found" in line]


def is_native(path: Path) -> bool:
    """Whether it is a program or a library for this machine, and not the loader itself."""
    if not (os.access(path, os.X_OK) or ".so" in path.name) or path.resolve() == Path(LOADER).resolve():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


everything = files()
native = [path for path in everything if is_native(path)]
packages = subprocess.run(
    ["dpkg-query", "-W", "-f", "${Package} ${Status}\n"], capture_output=True, text=True, check=True, timeout=60
).stdout.splitlines()
told = {
    "looked": len(native) > 100 and len(packages) > 30,
    "unfound": [line for path in native for line in unfound(path)],
    "half_removed": [line for line in packages if not line.endswith("install ok installed")],
    "there": [name for name in sys.argv[1:] if shutil.which(name)],
    "privileged": [str(path) for path in everything if path.stat().st_mode & 0o6000],
}
json.dump(told, sys.stdout)

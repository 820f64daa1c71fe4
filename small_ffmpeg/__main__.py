"""`python -m small_ffmpeg [--architecture NAME] [--into FOLDER]`: makes it, and puts it into a folder.

That is by default the one that the wheel is built from.
"""

import argparse
import platform
import sys
from pathlib import Path

from small_ffmpeg.compiling import ARCHITECTURES
from small_ffmpeg.making import PACKAGE, made, put_into


def main() -> None:
    """The command that the module's text describes."""
    parser = argparse.ArgumentParser(prog="python -m small_ffmpeg", description=__doc__)
    parser.add_argument("--architecture", choices=ARCHITECTURES, default=platform.machine())
    parser.add_argument("--into", type=Path, default=PACKAGE, metavar="FOLDER")
    arguments = parser.parse_args()
    found = made(arguments.architecture)
    put_into(arguments.into, found)
    sys.stdout.write(f"{found / 'ffmpeg'}\n")


if __name__ == "__main__":
    main()

"""`python -m small_ffmpeg [--architecture NAME]`: makes it, and puts it where the wheel is built from."""

import argparse
import platform
import sys

from small_ffmpeg.compiling import ARCHITECTURES
from small_ffmpeg.making import made, put_into_package


def main() -> None:
    """The command that the module's text describes."""
    parser = argparse.ArgumentParser(prog="python -m small_ffmpeg", description=__doc__)
    parser.add_argument("--architecture", choices=ARCHITECTURES, default=platform.machine())
    found = made(parser.parse_args().architecture)
    put_into_package(found)
    sys.stdout.write(f"{found / 'ffmpeg'}\n")


if __name__ == "__main__":
    main()

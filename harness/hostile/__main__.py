"""`python -m harness.hostile FOLDER` writes every hostile file there; what they point at is not watched."""

import argparse
import sys
from pathlib import Path

from harness.hostile.catalogue import catalogue
from harness.hostile.decoy import Decoy


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m harness.hostile", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.absolute()
    decoy = Decoy(song=folder / "decoy" / "song.wav", port=9)
    files = catalogue()
    for name, file in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.make(decoy))
    sys.stdout.write(f"{len(files)} files in {folder}\n")


if __name__ == "__main__":
    main()

"""The source tarballs that it is made of, as Debian has them, by their digests."""

import hashlib
import http.client
import shutil
import tarfile
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_S = 60
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source package. tarball: its file's name. sha256: of that file, in hexadecimal. places: where it is; the
    first that has it is taken.
    """

    package: str
    version: str
    tarball: str
    sha256: str
    places: tuple[str, ...]


def _of_debian(package: str, version: str, tarball: str, sha256: str, sha1: str) -> Source:
    """One that Debian has now, or had once: then its archive of old files finds it by its SHA-1."""
    folder = package[:4] if package.startswith("lib") else package[:1]
    places = (
        f"http://deb.debian.org/debian/pool/main/{folder}/{package}/{tarball}",
        f"https://snapshot.debian.org/file/{sha1}",
    )
    return Source(package=package, version=version, tarball=tarball, sha256=sha256, places=places)


FFMPEG = _of_debian(
    package="ffmpeg",
    version="9.0.2",
    tarball="ffmpeg_9.0.2.orig.tar.xz",
    sha256="8c3850283eb25fa026482078a04051e0be17347b09ef81a0849bec15a96e002e",
    sha1="ede5e2cfa3cbcd69a731adf688c0f1ec0aefc734",
)
# In the order of their needs.
LIBRARIES = (
    _of_debian(
        package="zlib",
        version="1.3.2",
        tarball="zlib_1.3.dfsg+really1.3.2.orig.tar.gz",
        sha256="7b6903eb019983987b7112eccf90f1703f1c6c0e0cede36564bf611d19ca579d",
        sha1="4db0dac92273fb295e6064d9be076e124f6c71bd",
    ),
    _of_debian(
        package="libogg",
        version="1.3.6",
        tarball="libogg_1.3.6.orig.tar.xz",
        sha256="5c8253428e181840cd20d41f3ca16557a9cc04bad4a3d04cce84808677fa1061",
        sha1="f457c2378886f782eab62ee01be33724932c042d",
    ),
    _of_debian(
        package="libvorbis",
        version="1.3.7",
        tarball="libvorbis_1.3.7.orig.tar.gz",
        sha256="0e982409a9c3fc82ee06e08205b1355e5c6aa4c36bca58146ef399621b0ce5ab",
        sha1="2b415495f89b103138a23da5017a2a00837c6c94",
    ),
    _of_debian(
        package="opus",
        version="1.6.1",
        tarball="opus_1.6.1.orig.tar.xz",
        sha256="001ac615b9f8f8994b229ad2b1a5969ed12ab48b0d154d0af1016a5899cd6ba1",
        sha1="5a6984ce44e568eaae11359f21e70d230d31bba9",
    ),
    _of_debian(
        package="lame",
        version="3.100",
        tarball="lame_3.100.orig.tar.gz",
        sha256="ddfe36cab873794038ae2c1210557ad34857a4b6bdc515785d1da9e175b1da1e",
        sha1="64c53b1a4d493237cef5e74944912cd9f98e618d",
    ),
)


def unpack(source: Source, kept: Path, into: Path) -> Path:
    """The folder `into`/<package> with the source in it. kept: where the tarball stays once it has been fetched.

    Raises SystemExit where it can't be had.
    """
    tarball = kept / source.tarball
    if not (tarball.exists() and _sha256(tarball) == source.sha256):
        _fetch(source.places, tarball, source.sha256)
    scratch = into / f"{source.package}.tarball"
    with tarfile.open(tarball) as archive:
        archive.extractall(scratch)  # noqa: S202  # its digest says that it is what somebody has looked at
    (top,) = scratch.iterdir()
    return top.rename(into / source.package)


def _fetch(places: Sequence[str], target: Path, sha256: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    failures = []
    for place in places:
        try:
            with urllib.request.urlopen(place, timeout=_TIMEOUT_S) as response, partial.open("wb") as file:  # noqa: S310
                shutil.copyfileobj(response, file, _CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:  # among them all of urllib's
            failures.append(f"{place}: {error}")
            continue
        if _sha256(partial) == sha256:
            partial.replace(target)
            return
        failures.append(f"{place}: not the file that it should be")
    partial.unlink(missing_ok=True)
    raise SystemExit("\n".join([f"{target.name} can't be had:", *failures]))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

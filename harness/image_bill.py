"""A CycloneDX bill of an image: Debian's packages, Python's and what its ffmpeg is made of, as the image tells of them.

`python -m harness.image_bill IMAGE ...` asks Docker for its files; `make sbom IMAGES="..."` does that too.
"""

import email
import json
import re
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

_BILLS = Path(__file__).parents[1] / "dist/sbom"
_DPKG, _RELEASE = "var/lib/dpkg/status", "etc/os-release"
_RELEASE_BEHIND_LINK = "usr/lib/os-release"
_FFMPEG = "opt/ffmpeg/made.json"  # written by small_ffmpeg.making
_OF_A_DISTRIBUTION = re.compile(r"\.dist-info/METADATA$|\.egg-info/PKG-INFO$")


@dataclass(slots=True, kw_only=True)
class Contents:
    """What an image tells of itself: dpkg's status, the metadata of Python's packages, which Debian it is, and of which
    sources its ffmpeg was made.
    """

    status: str = ""
    release: str = ""
    ffmpeg: str = ""
    distributions: list[str] = field(default_factory=list)

    def take(self, path: str, data: bytes) -> None:
        """A file of the image, by its path from the root."""
        text = data.decode(errors="replace")
        if path == _DPKG:
            self.status = text
        elif path == _FFMPEG:
            self.ffmpeg = text
        elif path in (_RELEASE, _RELEASE_BEHIND_LINK):
            self.release = self.release or text
        else:
            self.distributions.append(text)


def is_told(path: str) -> bool:
    """Whether a file is one of those that tell what is in an image."""
    return path in (_DPKG, _RELEASE, _RELEASE_BEHIND_LINK, _FFMPEG) or bool(_OF_A_DISTRIBUTION.search(path))


def contents_of_folder(root: Path) -> Contents:
    """Of an image's files that lie below a folder; links are not followed, which could lead out of it."""
    found = Contents()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if is_told(name) and path.is_file() and not path.is_symlink():
            found.take(name, path.read_bytes())
    return found


def contents_of_tar(stream: IO[bytes]) -> Contents:
    """Of an image's files in a tar, as `docker export` writes it; read once, from front to back."""
    found = Contents()
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            name = member.name.removeprefix("./").lstrip("/")
            if member.isfile() and is_told(name) and (file := archive.extractfile(member)):
                found.take(name, file.read())
    return found


def bill_of_image(name: str, contents: Contents) -> str:
    """The bill, as JSON of CycloneDX 1.6; the same for the same contents but for its time.

    Raises SystemExit where the image tells of no Debian packages: then it is none of ours.
    """
    parts = (*_of_debian(contents), *_of_python(contents.distributions), *_of_ffmpeg(contents.ffmpeg))
    components = {str(part.purl): part for part in parts}
    if not contents.status:
        raise SystemExit(f"{name}: there is no {_DPKG} in it")
    image = Component(name=name, type=ComponentType.CONTAINER, bom_ref=name)
    number = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join([name, *sorted(components)]))
    bom = Bom(components=components.values(), metadata=BomMetaData(component=image), serial_number=number)
    bom.register_dependency(image, components.values())
    return JsonV1Dot6(bom).output_as_string(indent=2)


def _of_debian(contents: Contents) -> Iterator[Component]:
    """Those that are installed; of others dpkg only keeps what was configured."""
    release = dict(line.partition("=")[::2] for line in contents.release.splitlines())
    distribution = release.get("ID", "debian").strip('"')
    which = f"{distribution}-{version}" if (version := release.get("VERSION_ID", "").strip('"')) else distribution
    for paragraph in contents.status.split("\n\n"):
        fields = email.message_from_string(f"{paragraph.strip()}\n")
        if not fields["Package"] or not str(fields["Status"]).endswith(" installed"):
            continue
        qualifiers: Mapping[str, str] = {"arch": str(fields["Architecture"]), "distro": which}
        yield _component("deb", distribution, str(fields["Package"]), str(fields["Version"]), qualifiers)


def _of_python(distributions: list[str]) -> Iterator[Component]:
    for text in distributions:
        fields = email.message_from_string(text)
        if fields["Name"] and fields["Version"]:
            normal = re.sub(r"[-_.]+", "-", str(fields["Name"])).lower()
            yield _component("pypi", None, normal, str(fields["Version"]), {})


def _of_ffmpeg(text: str) -> Iterator[Component]:
    """FFmpeg and the libraries within it, which no package of Debian's or Python's brings."""
    sources: Mapping[str, str] = json.loads(text)["sources"] if text else {}
    for name, version in sources.items():
        yield _component("generic", None, name, version, {})


def _component(kind: str, space: str | None, name: str, version: str, qualifiers: Mapping[str, str]) -> Component:
    purl = PackageURL(kind, space, name, version, dict(qualifiers))
    return Component(name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=str(purl))


def contents_of_image(image: str) -> Contents:
    """Of an image that Docker has here; nothing of it is run. Raises SystemExit with what Docker complains of."""
    container = _docker("create", "--network", "none", image, "-")
    try:
        with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as exported:
            assert exported.stdout is not None
            found = contents_of_tar(exported.stdout)
        if exported.returncode:
            raise SystemExit(f"docker export failed for {image}")
        return found
    finally:
        _docker("rm", "--volumes", container)


def _docker(*arguments: str) -> str:
    ran = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=600)
    if ran.returncode:
        raise SystemExit(f"docker {arguments[0]} failed: {ran.stderr.strip()[-1000:]}")
    return ran.stdout.strip()


def main(images: list[str]) -> None:
    """Write each one's bill into dist/sbom/."""
    _BILLS.mkdir(parents=True, exist_ok=True)
    for image in images:
        path = _BILLS / f"{re.sub(r'[^A-Za-z0-9._-]', '-', image)}.cdx.json"
        path.write_text(bill_of_image(image, contents_of_image(image)))
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a release is made of: `python -m harness.supply_chain` writes THIRD_PARTY_LICENSES.md and a bill of it."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LICENSES = ROOT / "THIRD_PARTY_LICENSES.md"
_BILLS = ROOT / "dist/sbom"
SPEC_VERSION = "1.6"  # of CycloneDX

_INTRODUCTION = """\
# Third-party licences

Written by `make sbom` from uv.lock; a test holds it to that. spleeter-consumer itself is under the MIT licence
([LICENSE](LICENSE)).

## In the wheel

| what | where | licence |
|---|---|---|
| Swagger UI | `consumer/gateway/api_docs/swagger_ui/` | Apache-2.0, its LICENSE and NOTICE beside it |
| React, DOMPurify, ieee754 and others | in its script | MIT, BSD-3-Clause, Apache-2.0: `*.LICENSE.txt` beside it |

## In the images besides

| what | licence |
|---|---|
| Debian's packages | each one's in `/usr/share/doc/<package>/copyright`, among them GPL-2.0, GPL-3.0 and LGPL-2.1 |
| CPython | PSF-2.0 |
| the consumers' FFmpeg | LGPL-2.1-or-later: `/opt/ffmpeg/licenses/`, with those of what is in it, which follow |
| LAME, in it | LGPL-2.0-or-later |
| Opus, Vorbis and Ogg, in it | BSD-3-Clause |
| zlib, in it | Zlib |
| MinIO (`deploy/docker/minio.Dockerfile`) | AGPL-3.0 |

## Python packages

What is installed with all extras, besides this project's own; it is fetched when the wheel is installed, and most of it
lies in the images, but not imageio-ffmpeg, which brings an ffmpeg under GPL-3.0-or-later. Licences are as the packages
state them.

| package | version | licence | home |
|---|---|---|---|
"""


def requirements() -> str:
    """Every package that a release may install, with its digests, as uv.lock has them."""
    command = ["uv", "export", "--quiet", "--locked", "--offline", "--no-dev", "--all-extras", "--no-emit-workspace"]
    return _run([*command, "--no-header", "--no-annotate", "--format", "requirements.txt"])


def licenses() -> str:
    """The page of third-party licences."""
    names = [line.partition("==")[0].partition("[")[0] for line in requirements().splitlines() if "==" in line]
    tool = ["pip-licenses", "--python", sys.executable, "--from=mixed", "--format=json", "--with-urls", "--with-system"]
    rows = json.loads(_run([_tool(tool[0]), *tool[1:], "--packages", *names]))
    lines = []
    for row in sorted(rows, key=lambda row: row["Name"].lower()):
        license_ = " ".join(row["License"].split()).replace("|", "/")
        short = license_ if len(license_) < 100 else f"{license_[:96]} ..."
        home = row["URL"] if row["URL"].startswith("https://") else "-"
        lines.append(f"| {row['Name']} | {row['Version']} | {short} | {home} |\n")
    return _INTRODUCTION + "".join(lines)


def bill_of_wheel() -> str:
    """A CycloneDX bill of the wheel and all that it may install, the same for the same uv.lock."""
    tool = [_tool("cyclonedx-py"), "requirements", "-", "--pyproject", str(ROOT / "pyproject.toml")]
    options = ["--mc-type", "library", "--sv", SPEC_VERSION, "--output-reproducible", "--of", "JSON", "-o", "-"]
    return _run([*tool, *options], text=requirements())


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _run(command: list[str], *, text: str | None = None) -> str:
    # What the tools warn of is not ours to mend: that the wheel's own dependencies are a list and no tree, for one.
    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=False, cwd=ROOT, timeout=600)
    if ran.returncode:
        raise SystemExit(f"{command[0]} failed: {ran.stderr.strip()[-1000:]}")
    return ran.stdout


def main() -> None:
    """The command that the module's text describes."""
    LICENSES.write_text(licenses())
    _BILLS.mkdir(parents=True, exist_ok=True)
    (_BILLS / "wheel.cdx.json").write_text(bill_of_wheel())


if __name__ == "__main__":
    main()

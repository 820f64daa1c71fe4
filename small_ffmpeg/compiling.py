"""Compiles FFmpeg and the libraries that it takes in, by zig: for any Linux whose glibc is not older than GLIBC."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from small_ffmpeg import components

GLIBC = "2.28"
ARCHITECTURES = ("x86_64", "aarch64")
_LONGEST_S = 7200  # that one step may take
_ZIG = Path(__file__).with_name("zig.txt")
# Nothing of a program's length for what is never called; and what makes a fault harder to use.
_CFLAGS = (
    "-O3 -fno-sanitize=undefined -ffunction-sections -fdata-sections -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2"
)
_LINKED = "-s -pie -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now"
# Options of each library's configure script.
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "zlib": ("--static",),
    "libogg": (),
    "libvorbis": ("--disable-oggtest",),
    "opus": ("--disable-doc", "--disable-extra-programs"),
    "lame": ("--disable-frontend", "--disable-decoder", "--disable-gtktest"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """zig as C compiler. folder: where it keeps what it knows, and what is installed for the next. architecture: of
    ARCHITECTURES.
    """

    folder: Path
    architecture: str

    @property
    def prefix(self) -> Path:
        """Where the libraries are."""
        return self.folder / "prefix"

    @property
    def environment(self) -> dict[str, str]:
        """For configure scripts and make."""
        commands = {name.upper(): str(self.folder / "bin" / name) for name in ("cc", "ar", "ranlib")}
        cache = str(self.folder / "zig-cache")
        return {
            **{name: value for name, value in os.environ.items() if name not in ("CPPFLAGS", "LDFLAGS", "MAKEFLAGS")},
            **commands,
            "CFLAGS": _CFLAGS,
            "PKG_CONFIG_LIBDIR": str(self.prefix / "lib/pkgconfig"),
            "ZIG_GLOBAL_CACHE_DIR": cache,
            "ZIG_LOCAL_CACHE_DIR": cache,
            "LC_ALL": "C.UTF-8",
        }

    def install(self) -> None:
        """Fetch zig, of one version and by its digest, and give it the names that configure scripts know."""
        place = self.folder / "zig"
        self.run([sys.executable, "-m", "venv", str(place)], self.folder, os.environ)
        pip = [str(place / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        self.run([*pip, "--require-hashes", "-r", str(_ZIG)], self.folder, os.environ)
        [zig] = place.glob("lib/python*/site-packages/ziglang/zig")
        target = f"cc -target {self.architecture}-linux-gnu.{GLIBC}"
        bin_ = self.folder / "bin"
        bin_.mkdir()
        # The second one is for what FFmpeg's build runs itself.
        for name, words in {"cc": target, "host-cc": "cc", "ar": "ar", "ranlib": "ranlib"}.items():
            (bin_ / name).write_text(f'#!/bin/sh\nexec "{zig}" {words} "$@"\n')
            (bin_ / name).chmod(0o755)

    def library(self, name: str, source: Path) -> None:
        """Compile a library, of the package's name, and install it for FFmpeg. source: the folder that it lies in."""
        options = [f"--prefix={self.prefix}", *_OPTIONS[name]]
        if name != "zlib":  # whose configure script is none of autoconf's
            options += [f"--host={self.architecture}-linux-gnu", "--disable-shared", "--enable-static", "--with-pic"]
        self.run(["./configure", *options], source, self.environment)
        self.run([*_make(), *(["libz.a"] if name == "zlib" else [])], source, self.environment)
        self.run(["make", "install"], source, self.environment)

    def ffmpeg(self, source: Path) -> Path:
        """Compile FFmpeg, whose source lies in that folder; returns the program."""
        # The older glibc has this call, but newer ones, whose headers zig takes, don't declare it any more.
        configure = source / "configure"
        configure.write_text(configure.read_text().replace("check_func  sysctl\n", "disable sysctl\n"))
        commands = [f"--{name}={self.folder / 'bin' / name}" for name in ("cc", "ar", "ranlib")]
        commands.append(f"--host-cc={self.folder / 'bin' / 'host-cc'}")
        target = ["--enable-cross-compile", "--target-os=linux", f"--arch={self.architecture}"]
        flags = [f"--extra-cflags=-I{self.prefix}/include {_CFLAGS} -fPIE", f"--extra-ldflags=-L{self.prefix}/lib"]
        flags += [f"--extra-ldexeflags={_LINKED}", "--extra-libs=-lm", "--enable-pic", "--disable-stripping"]
        packages = ["--pkg-config=pkg-config", "--pkg-config-flags=--static"]
        command = ["./configure", "--prefix=/usr", *commands, *target, *flags, *packages, *components.switches()]
        self.run(command, source, self.environment)
        self.run([*_make(), "ffmpeg"], source, self.environment)
        return source / "ffmpeg"

    def run(self, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Raises SystemExit with the last lines of what it said, all of which stands in build.log."""
        with (self.folder / "build.log").open("ab") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            ran = subprocess.run(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
                timeout=_LONGEST_S,
            )  # fmt: skip
        if ran.returncode:
            tail = (self.folder / "build.log").read_bytes()[-3000:].decode("utf-8", "replace")
            raise SystemExit(f"{command[0]} failed in {folder}:\n{tail}")


def _make() -> list[str]:
    return ["make", f"-j{os.cpu_count() or 1}"]

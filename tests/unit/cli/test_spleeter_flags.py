"""`separate` beside Spleeter's own command line, which is read from the Spleeter that is installed."""

import importlib
import inspect
import typing
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest
import typer

from consumer.cli import app
from consumer.core.catalog import FORMATS, why_not_format
from harness.pages import DOCS, table

# Spleeter's default -> ours, where they differ on purpose; docs/separate.md tells why.
OTHER_DEFAULTS = {"duration": (600.0, None)}


@pytest.fixture
def spleeter(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Spleeter's command line; it takes two of typing's names from a place where typer had them once."""
    for name in ("List", "Optional"):
        monkeypatch.setattr(typer.models, name, getattr(typing, name), raising=False)
    return importlib.import_module("spleeter.__main__")


def spleeters_options(spleeter: ModuleType) -> dict[str, typer.models.OptionInfo]:
    """Its parameter's name -> what it is declared as."""
    parameters = inspect.signature(spleeter.separate).parameters
    found = {name: parameter.default for name, parameter in parameters.items()}
    return {name: option for name, option in found.items() if isinstance(option, typer.models.OptionInfo)}


def our_options() -> dict[str, typing.Any]:
    """Flag -> the parameter it belongs to, as the command line has it."""
    command = typer.main.get_command(app).commands["separate"]  # type: ignore[attr-defined]
    return {flag: parameter for parameter in command.params for flag in parameter.opts}


def test_every_flag_of_spleeters_is_known(spleeter: ModuleType) -> None:
    """Each name of each flag, both of one flag meaning one thing, with Spleeter's default."""
    ours, theirs = our_options(), spleeters_options(spleeter)
    assert len(theirs) == 11
    for name, option in theirs.items():
        [parameter] = {id(ours[flag]): ours[flag] for flag in option.param_decls or ()}.values()
        if name == "output_path":
            assert str(parameter.default()) == option.default
            continue
        assert (option.default, parameter.default) == OTHER_DEFAULTS.get(name, (option.default, option.default))


def test_every_codec_of_spleeters_is_known(spleeter: ModuleType) -> None:
    """And its files have its name as their ending, as {codec} in a template has it; or it is said in a line why not."""
    codecs = [str(codec) for codec in spleeter.Codec]
    assert len(codecs) == 6
    offered = [codec for codec in codecs if not why_not_format(codec)]
    assert {*codecs} - {*offered} == {"wma"}
    assert [FORMATS[codec].extension for codec in offered] == offered
    reason = why_not_format("wma")
    assert reason
    assert "not wma: its files can't hold where a stem begins and ends, to the sample" in reason


def test_the_page_has_a_row_for_each_flag(spleeter: ModuleType) -> None:
    """Of Spleeter's and of ours, with all its names."""
    rows = [set(cell.replace("`", "").split(", ")) for cell, *_ in table(DOCS / "separate.md", "flags")]
    declared = [set(option.param_decls or ()) for option in spleeters_options(spleeter).values()]
    assert [flags for flags in declared if flags not in rows] == []
    assert set().union(*rows) == {flag for flag in our_options() if flag.startswith("-")} - {"--help"}


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("-i", "song.wav"), "give the files without it"),
        (("--inputs", "song.wav"), "give the files without it"),
        (("-a", "my.Adapter", __file__), "ffmpeg"),
        (("--adapter", "my.Adapter", __file__), "ffmpeg"),
        (("-B", "librosa", __file__), "SEPARATOR_RUNTIME"),
        (("--stft-backend", "auto", __file__), "SEPARATOR_RUNTIME"),
        (("--mwf", __file__), "memory"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_flag_that_does_not_work_says_why(
    flags: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line that names it, before anything else is asked for."""
    command = typer.main.get_command(app)
    with pytest.raises(SystemExit) as ended:
        command(["separate", *flags])
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("spleeter-consumer: -")
    assert reason in line


@pytest.mark.parametrize(
    "template",
    [
        "{filename}/{instrument}.{codec}",
        "{foldername}/{filename}/{instrument}.{codec}",
        "{instrument}/{foldername} - {filename}.{codec}",
        "{filename:.4}_{instrument!s:_>14}.wav",
        "fixed/{instrument}",
        "../beside/{filename}{{}}/{instrument}.wav",
    ],
)
@pytest.mark.parametrize("name", ["song.wav", "a.b.c.mp3", ".hidden.wav", "...wav", "..wav", ".wav", "été", "x y.wav "])
def test_stems_lie_where_spleeter_puts_them(template: str, name: str, tmp_path: Path) -> None:
    """Spleeter's own code, given an adapter that writes nothing, tells the paths."""
    from spleeter.audio import Codec
    from spleeter.audio.adapter import AudioAdapter
    from spleeter.separator import Separator

    from consumer.cli.stem_paths import check_template, plan

    told: list[str] = []

    class Adapter(AudioAdapter):
        def load(self, *_: object, **__: object) -> NoReturn:
            raise AssertionError("nothing is read")

        def save(self, path: Path | str, *_: object, **__: object) -> None:
            told.append(str(path))

    kept = Separator.__new__(Separator)
    kept._pool, kept._sample_rate = None, 44100
    source, out = tmp_path / "my album" / name, tmp_path / "out"
    sources = {"vocals": None, "accompaniment": None}
    kept.save_to_file(sources, str(source), str(out), template, Codec.WAV, Adapter())
    check_template(template, "wav")
    [track] = plan([source], out, template, "wav", tuple(sources))
    assert [str(path) for path in track.targets.values()] == told

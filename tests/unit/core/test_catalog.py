import json
import re
from collections.abc import Collection
from importlib import resources
from pathlib import Path

import pytest

import consumer
from consumer.core.architectures import ARCHITECTURES, Architecture
from consumer.core.catalog import FORMATS, MODELS, STEM_MODELS, Bitrates
from consumer.core.errors import Code, Rejected
from consumer.core.events import OutputOptions
from consumer.separator.models.spec import load_spec

SHIPPED = [name for name in MODELS if (resources.files("spleeter.resources") / f"{name}.json").is_file()]


def test_models_and_formats_are_the_documented_ones() -> None:
    """What the public contract promises can be asked for."""
    assert set(MODELS) == {f"{stems}stems{band}" for stems in (2, 4, 5) for band in ("", "-16kHz")}
    assert {"wav", "flac", "mp3", "ogg", "m4a", "opus"} <= set(FORMATS)


@pytest.mark.parametrize("model", MODELS)
def test_both_bands_of_a_model_share_its_weights(model: str) -> None:
    """A 16kHz variant uses the checkpoint of its plain model."""
    assert MODELS[model] == model.removesuffix("-16kHz")


@pytest.mark.parametrize("model", MODELS)
def test_a_model_knows_how_many_stems_it_makes(model: str) -> None:
    """The number that its name begins with."""
    assert len(STEM_MODELS[model].stems) == int(model[0])


@pytest.mark.parametrize("model", SHIPPED)
def test_a_model_is_made_of_what_spleeters_own_configuration_says(model: str) -> None:
    """Each of its numbers and words; Spleeter's code has those that a configuration leaves out."""
    shipped = json.loads((resources.files("spleeter.resources") / f"{model}.json").read_text())
    network = shipped["model"]
    options = network["params"]
    assert ARCHITECTURES[model] == Architecture(
        sample_rate_hz=shipped["sample_rate"],
        frame_length=shipped["frame_length"],
        frame_step=shipped["frame_step"],
        segment_frames=shipped["T"],
        frequency_bins=shipped["F"],
        separation_exponent=shipped["separation_exponent"],
        mask_extension=shipped["mask_extension"],
        filters=tuple(options.get("conv_n_filters", (16, 32, 64, 128, 256, 512))),
        encoder_activation=options.get("conv_activation", "LeakyReLU"),
        decoder_activation=options.get("deconv_activation", "ReLU"),
        has_softmax={"unet.unet": False, "unet.softmax_unet": True}[network["type"]],
    )
    assert STEM_MODELS[model].stems == tuple(shipped["instrument_list"])
    assert MODELS[model] == shipped["model_dir"]
    assert shipped["n_channels"] == 2


def test_spleeter_ships_no_other_of_our_models_and_we_have_all_that_are_published() -> None:
    """Of its configurations only the one for training on MUSDB has no published weights."""
    files = {path.name for path in resources.files("spleeter.resources").iterdir() if path.name.endswith(".json")}
    assert {name.removesuffix(".json") for name in files} - {"musdb"} == set(SHIPPED) == set(ARCHITECTURES)


@pytest.mark.parametrize("model", SHIPPED)
def test_spleeters_own_configuration_is_parsed_to_the_same(model: str, tmp_path: Path) -> None:
    """Copied beside weights, as people do who change a number of it."""
    (tmp_path / MODELS[model]).mkdir()
    bare = load_spec(model, tmp_path)
    own = tmp_path / MODELS[model] / f"{model}.json"
    own.write_text((resources.files("spleeter.resources") / f"{model}.json").read_text())
    assert load_spec(model, tmp_path) == bare


@pytest.mark.parametrize("model", SHIPPED)
def test_a_model_names_its_stems_as_its_configuration_does(model: str) -> None:
    """The same names in the same order as in the configuration that Spleeter ships."""
    assert load_spec(model, Path("nowhere")).stems == STEM_MODELS[model].stems


def test_a_model_without_a_configuration_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that Spleeter does not ship needs its own beside its weights; without it, its requests are told so."""
    monkeypatch.setitem(MODELS, "9stems", "9stems")
    with pytest.raises(Rejected, match=r"there is no 9stems\.json beside its weights") as caught:
        load_spec("9stems", tmp_path)
    assert caught.value.code is Code.MODEL_UNAVAILABLE


@pytest.mark.parametrize("rows", [FORMATS, MODELS, dict.fromkeys(MODELS.values())], ids=str)
def test_a_list_stands_nowhere_else(rows: Collection[str]) -> None:
    """A new format or model is one row here: no other module names half of what there is in one statement."""
    names = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in rows))
    wrong = [
        f"{path.name}: {line}"
        for path in Path(consumer.__file__).parent.rglob("*.py")
        if path.name != "catalog.py"
        for line in path.read_text().splitlines()
        if len({*names.findall(line)}) > len(rows) / 3
    ]
    assert not wrong


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_can_be_stored_and_played(name: str) -> None:
    """Each format has an extension of its family, a media type, and an encoder and container for ffmpeg."""
    output = FORMATS[name]
    assert output.extension == name.partition("-")[0]
    assert re.fullmatch(r"audio/[a-z0-9.-]+", output.media_type)
    arguments = output.encoder_args(None)
    assert arguments[:2] == ["-c:a", output.codec]
    assert arguments[-2:] == ["-f", output.muxer]


@pytest.mark.parametrize("name", FORMATS)
def test_bitrates_are_for_lossy_formats(name: str) -> None:
    """A lossy format gets the asked bitrate, Spleeter's 128k by default; a lossless one ignores it."""
    output = FORMATS[name]
    rates = [output.encoder_args(rate) for rate in (None, "192k")]
    assert ["128k" in rates[0], "192k" in rates[1]] == [output.is_lossy] * 2
    assert (rates[0] == rates[1]) is not output.is_lossy


LOSSY = {name: output.bitrates for name, output in FORMATS.items() if output.bitrates}


@pytest.mark.parametrize(("name", "bitrates"), LOSSY.items(), ids=LOSSY)
def test_bitrates(name: str, bitrates: Bitrates) -> None:
    """Bits per second, or thousands of them, from the format's lowest to its highest; Spleeter's default is one."""
    lowest, highest = bitrates.lowest_bps, bitrates.highest_bps
    for text in (f"{lowest // 1000}k", f"{highest // 1000}k", str(lowest), str(highest), "128k", "128000"):
        assert FORMATS[name].why_not_bitrate(text) is None
    for text in (f"{lowest // 1000 - 1}k", f"{highest // 1000 + 1}k", str(lowest - 1), str(highest + 1)):
        assert str(bitrates) in (FORMATS[name].why_not_bitrate(text) or "")


@pytest.mark.parametrize("text", ["33k", "100k", "200k", "300k", "192001", "128001"])
def test_mp3_has_no_bitrates_between_its_steps(text: str) -> None:
    """The table of MPEG-1 layer III ends what can be asked for; the reason names its steps."""
    assert "32k, 40k, 48k, 56k, 64k, 80k, 96k, 112k, 128k, 160k, 192k, 224k, 256k, 320k" in (
        FORMATS["mp3"].why_not_bitrate(text) or ""
    )


@pytest.mark.parametrize(("name", "bitrates"), LOSSY.items(), ids=LOSSY)
def test_senders_are_told_of_each_range(name: str, bitrates: Bitrates) -> None:
    """The field's description has the range of each format."""
    told = Path(consumer.__file__).parent.joinpath("schemas", "separation_request.avsc").read_text()
    assert f"{name}: {bitrates.lowest_bps // 1000}k to {bitrates.highest_bps // 1000}k" in told
    assert OutputOptions().bitrate is None


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "text",
    ["", "0", "k", "192", "192K", "-192k", "1.5k", " 192k", "192k\n", "0192k", "1９2k", "1000k", "1234567"],
)
def test_other_words_are_no_bitrates(name: str, text: str) -> None:
    """Anything else is none, least of all something that ffmpeg could take for an option."""
    assert FORMATS[name].why_not_bitrate(text)

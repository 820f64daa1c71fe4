"""Configurations of models: every number is checked before anything is computed from it."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from consumer.core.errors import Code, Rejected
from consumer.separator.models.spec import load_spec, read_spec

SHIPPED: dict[str, Any] = json.loads((resources.files("spleeter.resources") / "2stems.json").read_text())


def written(tmp_path: Path, configuration: Any) -> Path:
    path = tmp_path / "2stems.json"
    path.write_text(configuration if isinstance(configuration, str) else json.dumps(configuration))
    return path


def model(**params: Any) -> dict[str, Any]:
    return {"model": {"type": "unet.unet", "params": params}}


@pytest.mark.parametrize("name", ["2stems", "4stems", "5stems", "2stems-16kHz", "4stems-16kHz", "5stems-16kHz"])
def test_spleeters_own_are_read(tmp_path: Path, name: str) -> None:
    """With its numbers as they are in its files."""
    spec = load_spec(name, tmp_path)
    shipped = json.loads((resources.files("spleeter.resources") / f"{name}.json").read_text())
    assert (spec.frequency_bins, spec.segment_frames) == (shipped["F"], shipped["T"])
    assert spec.stems == tuple(shipped["instrument_list"])


@pytest.mark.parametrize("bins", [1, 1024, 2048, 2049])
def test_as_many_bins_as_a_spectrum_has(tmp_path: Path, bins: int) -> None:
    """A frame of 4096 samples has 2049."""
    assert read_spec(written(tmp_path, SHIPPED | {"F": bins})).frequency_bins == bins


WRONG: dict[str, tuple[Any, str]] = {
    "more_bins_than_a_spectrum_has": (SHIPPED | {"F": 2176}, "F must be a whole number from 1 to 2049, not 2176"),
    "one_bin_more": (SHIPPED | {"F": 2050}, "F must be"),
    "no_bins": (SHIPPED | {"F": 0}, "F must be"),
    "negative_bins": (SHIPPED | {"F": -1024}, "F must be"),
    "bins_in_words": (SHIPPED | {"F": "1024"}, "F must be"),
    "bins_of_a_fraction": (SHIPPED | {"F": 1024.5}, "F must be"),
    "bins_of_truth": (SHIPPED | {"F": True}, "F must be"),
    "bins_of_nothing": (SHIPPED | {"F": None}, "F must be"),
    "bins_without_end": (json.dumps(SHIPPED | {"F": 0}).replace('"F": 0', '"F": 1e999'), "F must be"),
    "bins_of_5000_digits": (json.dumps(SHIPPED | {"F": 0}).replace('"F": 0', '"F": ' + "9" * 5000), "2stems.json"),
    "no_frames": (SHIPPED | {"T": 0}, "T must be"),
    "frames_of_a_terabyte": (SHIPPED | {"T": 1 << 30}, "T must be"),
    "no_step": (SHIPPED | {"frame_step": 0}, "frame_step must be"),
    "step_beyond_a_frame": (SHIPPED | {"frame_step": 4097}, "frame_step must be"),
    "no_frame": (SHIPPED | {"frame_length": 0}, "frame_length must be"),
    "frame_of_a_terabyte": (SHIPPED | {"frame_length": 1 << 40}, "frame_length must be"),
    "no_rate": (SHIPPED | {"sample_rate": 0}, "sample_rate must be"),
    "no_exponent": (SHIPPED | {"separation_exponent": 0}, "separation_exponent must be"),
    "huge_exponent": (SHIPPED | {"separation_exponent": 1 << 31}, "separation_exponent must be"),
    "unknown_extension": (SHIPPED | {"mask_extension": "ones"}, "mask_extension must be"),
    "extension_of_a_list": (SHIPPED | {"mask_extension": ["zeros"]}, "mask_extension must be"),
    "no_stems": (SHIPPED | {"instrument_list": []}, "instrument_list"),
    "stems_in_a_word": (SHIPPED | {"instrument_list": "vocals"}, "instrument_list"),
    "thousand_stems": (SHIPPED | {"instrument_list": [f"s{n}" for n in range(1000)]}, "instrument_list"),
    "stem_twice": (SHIPPED | {"instrument_list": ["a", "a"]}, "instrument_list"),
    "stem_that_leads_out": (SHIPPED | {"instrument_list": ["../../etc/cron.d/x", "a"]}, "no name of a stem"),
    "stem_that_is_hidden": (SHIPPED | {"instrument_list": [".a", "b"]}, "no name of a stem"),
    "stem_of_a_number": (SHIPPED | {"instrument_list": [1, 2]}, "no name of a stem"),
    "no_filters": (SHIPPED | model(conv_n_filters=[]), "conv_n_filters"),
    "filters_of_nothing": (SHIPPED | model(conv_n_filters=[16, 0]), "conv_n_filters"),
    "filters_of_a_million": (SHIPPED | model(conv_n_filters=[16, 1_000_000]), "conv_n_filters"),
    "thousand_layers": (SHIPPED | model(conv_n_filters=[16] * 1000), "conv_n_filters"),
    "filters_of_a_number": (SHIPPED | model(conv_n_filters=16), "conv_n_filters"),
    "model_of_a_list": (SHIPPED | {"model": []}, "model must be an object"),
    "params_of_a_list": (SHIPPED | {"model": {"params": []}}, "params must be an object"),
    "type_of_a_list": (SHIPPED | {"model": {"type": []}}, "is not supported"),
    "of_a_list": ([], "2stems.json"),
    "of_a_word": ('"2stems"', "2stems.json"),
    "a_thousand_deep": ("[" * 60_000, "2stems.json"),
    "of_a_megabyte": (json.dumps(SHIPPED | {"comment": "x" * (1 << 20)}), "2stems.json"),
    "cut_short": (json.dumps(SHIPPED)[:-10], "2stems.json"),
    "empty": ("", "2stems.json"),
}


@pytest.mark.attack
@pytest.mark.parametrize(("configuration", "told"), WRONG.values(), ids=WRONG)
def test_a_number_that_no_model_has_is_refused_by_its_name(tmp_path: Path, configuration: Any, told: str) -> None:
    """As MODEL_UNAVAILABLE, in one line, whatever JSON can say."""
    with pytest.raises(Rejected, match=told) as refusal:
        read_spec(written(tmp_path, configuration), folder=tmp_path)
    assert refusal.value.code == Code.MODEL_UNAVAILABLE
    assert refusal.value.message.startswith("model 2stems: ")
    assert "\n" not in refusal.value.message
    assert len(refusal.value.message) < 400


@pytest.mark.parametrize("key", ["F", "T", "instrument_list", "frame_length", "sample_rate", "mask_extension"])
def test_a_number_that_is_missing_is_named(tmp_path: Path, key: str) -> None:
    """Nothing is made up in its place."""
    with pytest.raises(Rejected, match=f"{key}' is missing"):
        read_spec(written(tmp_path, {name: value for name, value in SHIPPED.items() if name != key}), folder=tmp_path)

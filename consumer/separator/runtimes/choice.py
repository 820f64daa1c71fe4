"""Which runtime computes the networks here, and why: decided once, beforehand, without loading any of them."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from consumer.core.catalog import MODELS
from consumer.core.errors import Fatal, Rejected
from consumer.core.extras import EXTRAS, not_installed
from consumer.core.runtimes import ChosenRuntime, RuntimeChoice, SeparatorRuntime
from consumer.separator.models.spec import ModelSpec, load_spec
from consumer.separator.runtimes.kernels_library import why_not_loadable, why_slow

PACKAGES: Mapping[SeparatorRuntime, str] = {
    SeparatorRuntime.NATIVE: "spleeter_kernels",
    SeparatorRuntime.OPENVINO: "openvino",
    SeparatorRuntime.TENSORFLOW: "tensorflow",
}  # what each is imported by; the one to be preferred first
_BEST = "its kernels are installed, run on this processor and fit the models"


def choose_runtime(wanted: RuntimeChoice, specs: Iterable[ModelSpec]) -> ChosenRuntime:
    """The runtime that SEPARATOR_RUNTIME names, or for `auto` the first of PACKAGES that can compute these models.

    Raises Fatal, in one line, where it is not installed or can't be loaded, or none will do.
    """
    if wanted is not RuntimeChoice.AUTO:
        runtime = SeparatorRuntime(wanted)
        _require(runtime)
        return ChosenRuntime(name=runtime, reason="SEPARATOR_RUNTIME names it")
    specs, passed_over = list(specs), dict[SeparatorRuntime, str]()
    for runtime in PACKAGES:
        if why := _why_not(runtime, specs):
            passed_over[runtime] = why
            continue
        return ChosenRuntime(name=runtime, reason=_told(passed_over) or _BEST)
    raise Fatal(_none(passed_over))


def choose_for_replica(wanted: RuntimeChoice, model_path: Path) -> ChosenRuntime:
    """`choose_runtime` for whoever may be asked for any model of the catalog. Raises Fatal.

    A model whose configuration can't be read is left to whoever loads it, to report.
    """
    specs = []
    for name in MODELS:
        with suppress(Rejected, OSError, ModuleNotFoundError):
            specs.append(load_spec(name, model_path))
    return choose_runtime(wanted, specs)


def _told(passed_over: Mapping[SeparatorRuntime, str]) -> str:
    return "; ".join(f"not {runtime}: {why}" for runtime, why in passed_over.items())


def _none(passed_over: Mapping[SeparatorRuntime, str]) -> str:
    extras = list(dict.fromkeys(EXTRAS[package] for package in PACKAGES.values()))
    offered = " or ".join(f"spleeter-consumer[{extra}]" for extra in extras)
    return f"nothing here can compute the networks ({_told(passed_over)}): install {offered}"


def _require(runtime: SeparatorRuntime) -> None:
    """Raise Fatal where the runtime is not installed or can't be loaded."""
    if not _is_installed(runtime):
        raise not_installed(PACKAGES[runtime])
    if runtime is SeparatorRuntime.NATIVE and (why := why_not_loadable(_kernels_folder())):
        raise Fatal(f"the runtime {runtime} can't be used: {why}")


def _why_not(runtime: SeparatorRuntime, specs: Iterable[ModelSpec]) -> str:
    """Why it will not do for these models, "" where it will."""
    if not _is_installed(runtime):
        return f"{PACKAGES[runtime]} is not installed"
    if runtime is not SeparatorRuntime.NATIVE:
        return ""
    folder = _kernels_folder()
    return why_not_loadable(folder) or why_slow(folder) or _why_unfit(specs)


def _is_installed(runtime: SeparatorRuntime) -> bool:
    found = find_spec(PACKAGES[runtime])
    return bool(found and found.origin)  # a bare folder of that name has none


def _kernels_folder() -> Path:
    found = find_spec(PACKAGES[SeparatorRuntime.NATIVE])
    return Path(found.origin).parent if found and found.origin else Path()


def _why_unfit(specs: Iterable[ModelSpec]) -> str:
    """Why the kernels can't compute one of these models, "" where they can compute all."""
    from spleeter_kernels import why_unfit  # which may not be installed

    for spec in specs:
        why = why_unfit(
            frames=spec.segment_frames,
            bins=spec.frequency_bins,
            filters=spec.filters,
            frame_length=spec.frame_length,
        )
        if why:
            return f"its kernels can't compute the model {spec.name}: {why}"
    return ""

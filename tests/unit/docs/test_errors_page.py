"""The page of error texts and the code: each text has a row that says what to do, and no row is left over."""

from pathlib import Path

import pytest

import harness.error_texts as collected
from harness.error_texts import covers, rows, texts


def test_each_text_says_what_to_do() -> None:
    """Whoever adds an error adds its row; `python -m harness.error_texts` prints it."""
    listed = rows()
    missing = {f"{each.place}: {each.text}" for each in texts() if not any(covers(row, each.text) for row in listed)}
    assert missing == set()
    assert [row for row, advice in listed.items() if not advice.strip()] == []


def test_no_row_is_left_over() -> None:
    """A text that the code has no more is none that anybody will look up."""
    told = {each.text for each in texts()}
    assert [row for row in rows() if not any(covers(row, text) for text in told)] == []


FOUND: dict[str, tuple[str, set[str]]] = {
    "plain": ('raise Fatal("it broke")', {"it broke"}),
    "filled in": ('raise StoreUnavailable(f"answered {status} for {key!r}")', {"answered … for …"}),
    "with a code": ('raise Rejected(Code.AUDIO_EMPTY, f"{n} samples")', {"… samples"}),
    "put together": ('raise Fatal("it broke" + (" twice" if again else ""))', {"it broke twice", "it broke"}),
    "by a name": ('why = "it broke"\nraise Fatal(f"{x}: {why}")', {"…: it broke"}),
    "by a constant": ('_WHY = "it broke"\ndef f():\n    raise Fatal(_WHY)', {"it broke"}),
    "by a function": ('def why(x):\n    return f"{x} broke"\ndef f():\n    raise Fatal(why(1))', {"… broke"}),
    "as a reason": ('status.reason = "waiting"', {"waiting"}),
    "handed on": ("raise Fatal(str(error)) from error", set()),
    "seen by us alone": ('raise WorkerCrashed("signal 9")', set()),
    "no error": ('log.warning("it broke")', set()),
}


@pytest.mark.parametrize("kind", FOUND)
def test_texts_are_found_in_code(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However an error is given its text."""
    code, wanted = FOUND[kind]
    (tmp_path / "module.py").write_text(code)
    monkeypatch.setattr(collected, "_ROOT", tmp_path)
    assert {each.text for each in texts()} == wanted


@pytest.mark.parametrize(
    ("row", "text", "is_about"),
    [
        ("can't be reached (…)", "can't be reached (…)", True),
        ("…can't be reached (…)", "object storage can't be reached (…)", True),
        ("can't be reached (…)", "the scanner can't be reached (…)", False),
        ("topic …: …", "topic …: is missing", False),  # else it would stand for whatever is said of topics
        ("topic …: …", "topic …: …", True),
    ],
)
def test_a_row_stands_for_its_text(row: str, text: str, is_about: bool) -> None:
    assert covers(row, text) is is_about

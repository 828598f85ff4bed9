"""The parameter support matrix in the page."""

from __future__ import annotations

import pytest

from ..fields import DocumentError, Fields
from ..parameters import SIGNS, parameters_of


def footer(*rows: object) -> Fields:
    """A footer with these rows."""
    return Fields({"parameters": list(rows)}, "run.jsonl, line 9")


def row(support: str) -> dict[str, object]:
    """One row."""
    return {"option": "top_k", "support": support, "failed": ["options/top-k"]}


@pytest.mark.parametrize("support", SIGNS)
def test_every_word_has_a_sign(support: str) -> None:
    """Colour is never the only one."""
    (found,) = parameters_of(footer(row(support)))
    assert (found.option, found.support, found.failed) == ("top_k", support, ("options/top-k",))
    assert found.sign
    assert found.outcome


def test_run_without_a_matrix_has_none() -> None:
    """Older runs, and those that judged no option."""
    assert parameters_of(Fields({}, "run.jsonl, line 9")) == ()


def test_unknown_word_is_refused() -> None:
    """With its place."""
    with pytest.raises(DocumentError, match=r"line 9.*no support 'maybe'"):
        parameters_of(footer(row("maybe")))

"""What is said of a page that was not made."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from ..report import no_collection, why_none


def ended(program: str) -> str | None:
    """What is said of a page whose program did this."""
    with subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, text=True
    ) as process:
        return why_none(process)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("pass", None),
        ("import sys; sys.exit('no\\nsuch file')", "report.html was not made: such file"),
        ("import sys; sys.exit(3)", "report.html was not made: status 3"),
        (
            "raise SystemExit('No module named jinja2')",
            "report.html was not made: pip install 'parallama[reports]' (No module named jinja2)",
        ),
    ],
)
def test_page_that_was_not_made_is_explained(program: str, said: str | None) -> None:
    """By the last thing that its program said, and by what to install where it lacks something."""
    assert ended(program) == said


def test_collector_is_back_after_a_conclusion() -> None:
    """Also where the conclusion failed."""

    def fail() -> None:
        with no_collection():
            assert not gc.isenabled()
            raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        fail()
    assert gc.isenabled()

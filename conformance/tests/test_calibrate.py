"""What is learnt of a server before it is judged."""

from __future__ import annotations

from ..address import parse_address
from ..check import CHECKS
from ..run import dismiss, judge, load_checks, prepare
from .honest import serving
from .liars.reported import NULL_WHERE_EMPTY

load_checks()


def test_empty_store_is_listed() -> None:
    """A server that says null while it has no model fails, though there are models later."""
    with serving(NULL_WHERE_EMPTY) as url:
        setup = prepare(parse_address(url), None, silence_s=5.0)
        line = judge(CHECKS["tags/shape"], setup)
        dismiss(setup)
    assert line["verdict"] == "failed"

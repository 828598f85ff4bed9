"""What a check is told of the asks that it makes a few at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from .. import target
from ..evidence import Exchange, Request
from ..run import UNKNOWING
from ..setup import Setup
from ..target import FEW, Target

URL = "http://127.0.0.1:1"


def test_several_are_told_in_the_order_of_the_asks() -> None:
    """Answers and evidence are, though of each few that are asked the last comes first."""
    one = Target(Setup(URL, "token", None, None, True, UNKNOWING))
    count = 2 * FEW + 1
    came = [threading.Event() for _ in range(count + 1)]

    def ask(place: int) -> Exchange:
        if (place + 1) % FEW:
            came[min(place + 1, count)].wait()
        got = Exchange(URL, Request("GET", f"/{place}", (), None), status=200)
        one.exchanges.append(got)
        came[place].set()
        return got

    came[count].set()
    answers = one.several(partial(ask, place) for place in range(count))
    assert [got.request.path for got in answers] == [f"/{place}" for place in range(count)]
    assert one.exchanges == answers


def test_what_is_refused_in_company_is_asked_again_alone() -> None:
    """So a server that answers one at a time is told nothing about but that, elsewhere."""
    one = Target(Setup(URL, "token", None, None, True, UNKNOWING))
    asked = list[int]()

    def ask(place: int) -> Exchange:
        alone = place in asked
        asked.append(place)
        status = 200 if alone or place == 0 else 503
        got = Exchange(URL, Request("GET", f"/{place}", (), None), status=status)
        one.exchanges.append(got)
        return got

    answers = one.several(partial(ask, place) for place in range(FEW))
    assert [one.status for one in answers] == [200] * FEW
    assert asked[FEW:] == [*range(1, FEW)]
    assert one.exchanges == answers


def test_an_ordinary_model_is_asked_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take long, and eight at a time eight times as long."""
    sizes = list[int]()

    def at_once(asks: Sequence[Callable[[], Exchange]]) -> list[Exchange]:
        sizes.append(len(asks))
        return [ask() for ask in asks]

    monkeypatch.setattr(target, "at_once", at_once)
    ordinary = Target(Setup(URL, "token", "their-own", None, False, UNKNOWING))
    got = Exchange(URL, Request("GET", "/", (), None), status=200)
    ordinary.several([lambda: got] * FEW)
    assert sizes == [1] * FEW

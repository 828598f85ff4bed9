"""Several asks start together, and none waits for one that does not come to the line."""

from __future__ import annotations

import threading

import pytest

from ..together import at_once, line_up

MANY = 12


def test_nobody_goes_on_before_all_have_come() -> None:
    """The line is where all wait for the last."""
    come: list[int] = []

    def ask(number: int) -> int:
        come.append(number)
        line_up()
        return len(come)

    assert at_once([lambda n=n: ask(n) for n in range(MANY)]) == [MANY] * MANY  # type: ignore[misc]


def test_answers_are_in_the_order_of_the_asks() -> None:
    """Whoever is first."""
    assert at_once([lambda n=n: n for n in range(MANY)]) == list(range(MANY))  # type: ignore[misc]


def test_one_that_does_not_come_is_not_waited_for() -> None:
    """It may have failed on its way; the others go on when it is over."""
    went = threading.Event()

    def lost() -> str:
        return "lost"

    def ask() -> str:
        line_up()
        went.set()
        return "asked"

    assert at_once([ask, lost, ask]) == ["asked", "lost", "asked"]
    assert went.is_set()


def test_an_ask_may_ask_several_itself() -> None:
    """There are threads enough for all."""
    within = [lambda: at_once([lambda: 1, lambda: 2])] * MANY
    assert at_once(within) == [[1, 2]] * MANY


def test_what_one_raises_is_raised_when_all_are_over() -> None:
    """Nothing goes on behind the back of who asked."""
    over = threading.Event()
    raised = threading.Event()

    def lost() -> None:
        raised.set()
        raise LookupError

    def ask() -> None:
        raised.wait()
        over.set()

    with pytest.raises(LookupError):
        at_once([lost, ask])
    assert over.is_set()


def test_a_second_request_of_one_thread_waits_for_nobody() -> None:
    """Only the first of each is at the same time."""

    def ask(times: int) -> int:
        for _ in range(times):
            line_up()
        return times

    assert at_once([lambda: ask(3), lambda: ask(1)]) == [3, 1]


def test_line_up_outside_is_nothing() -> None:
    """Who is alone waits for nobody."""
    line_up()

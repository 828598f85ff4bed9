"""Clock arithmetic and the spool's lines."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ..clock import Offset, on_monotonic
from ..exchange import Exchange, Read, stamps
from .exchanges import BLANK, SENT_NS, heard

WALL = 1_795_000_000_000_000_000
SECOND = 1_000_000_000


@given(
    st.integers(1, 600 * SECOND),
    st.floats(-499e-6, 499e-6),
    st.lists(st.floats(0, 1), max_size=20),
)
def test_kernel_stamps_survive_a_slewed_clock(
    elapsed_ns: int, slope: float, places: list[float]
) -> None:
    """Stamps of a clock that NTP turns at a constant pace come out within a microsecond."""
    before = Offset(SENT_NS, WALL)
    after = Offset(SENT_NS + elapsed_ns, WALL + round(elapsed_ns * slope))
    true = [SENT_NS + round(elapsed_ns * place) for place in places]
    stamped = [at_ns + WALL + round((at_ns - SENT_NS) * slope) for at_ns in true]
    turned = on_monotonic(stamped, before, after)
    assert turned is not None
    # The slope is applied to wall time, which is itself off by the slope: an error of its square.
    assert all(
        abs(got - want) <= elapsed_ns * slope**2 + 1000
        for got, want in zip(turned, true, strict=True)
    )


def test_stepped_clock_gives_no_stamps() -> None:
    """When the wall clock jumped during a request its kernel stamps are not used."""
    before, after = Offset(0, WALL), Offset(SECOND, WALL + SECOND)
    assert on_monotonic([WALL + 5], before, after) is None


def stamped(*pairs: tuple[int, int | None]) -> Exchange:
    """An exchange with reads at these times, seen and stamped by the kernel, after sending."""
    reads = tuple(
        Read(SENT_NS + seen, None if kernel is None else WALL + SENT_NS + kernel, b".")
        for seen, kernel in pairs
    )
    offset = Offset(SENT_NS, WALL)
    return replace(BLANK, reads=reads, before=offset, after=replace(offset, at_ns=2 * SENT_NS))


def test_kernel_stamps_are_taken_where_all_reads_have_one() -> None:
    """Arrival is when the kernel had the bytes, not when the client came to read them."""
    assert stamps(stamped((900, 500), (1900, 1500))) == ([SENT_NS + 500, SENT_NS + 1500], True)


def test_one_missing_stamp_means_the_clients_own_for_all() -> None:
    """Two sources are never mixed within a request."""
    assert stamps(stamped((900, 500), (1900, None))) == ([SENT_NS + 900, SENT_NS + 1900], False)


def test_stamps_that_cannot_be_are_not_taken() -> None:
    """A stamp later than its read, or earlier than the one before, discredits all."""
    assert not stamps(stamped((900, 900 + SECOND)))[1]
    assert not stamps(stamped((900, 800), (200_000, -60_000)))[1]


def test_spooled_exchange_is_read_as_it_was() -> None:
    """Every byte and time goes through the spool unchanged."""
    exchange = replace(heard("steady"), before=Offset(1, 2), after=Offset(3, 4), failure="connect")
    assert Exchange.parse(json.loads(exchange.line())) == exchange


@given(st.integers(-(10**15), 10**15))
def test_times_of_another_clock_are_all_shifted(by_ns: int) -> None:
    """By another clock every time is as much later, and the kernel's stamps turn out so too."""
    exchange = stamped((900, 500), (1900, 1500))
    moved = exchange.shifted(by_ns)
    assert (moved.planned_ns, moved.sent_ns) == (SENT_NS + by_ns, SENT_NS + by_ns)
    assert stamps(moved) == ([at_ns + by_ns for at_ns in stamps(exchange)[0]], True)
    assert moved.shifted(-by_ns) == exchange


@given(st.binary())
def test_any_bytes_go_through_the_spool(received: bytes) -> None:
    """Bytes that are no text go through the spool unchanged."""
    exchange = replace(BLANK, reads=(Read(1, 2, received),))
    line = exchange.line()
    assert line.count("\n") == 1
    assert Exchange.parse(json.loads(line)) == exchange

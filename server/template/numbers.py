"""Floating-point numbers as Go writes them, in text and in JSON."""

import math
from decimal import Decimal


def general(number: float) -> str:
    """`number` as `%v` shows it: the fewest digits that give it back, `1e+06` from there on."""
    if not math.isfinite(number):
        return _not_finite(number)
    return _written(number, smallest=-4, largest=6, exponent_digits=2)


def json_number(number: float) -> str:
    """`number` as Go's JSON encoder writes it; it must be finite."""
    return _written(number, smallest=-6, largest=21, exponent_digits=1)


def rounded(number: float, verb: str, precision: int) -> str:
    """`number` with a fixed `precision`, as the verbs `e`, `f` and `g` in either case write it."""
    if not math.isfinite(number):
        return _not_finite(number)
    if verb in "gG":
        precision = max(precision, 1)
    return format(number, f".{precision}{verb}")


def _not_finite(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "+Inf" if number > 0 else "-Inf"


def _written(number: float, smallest: int, largest: int, exponent_digits: int) -> str:
    sign, digits, last = Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(last, int), "the number is finite"
    text = "".join(map(str, digits))
    exponent = 0 if number == 0 else last + len(text) - 1
    prefix = "-" if sign else ""
    if smallest <= exponent < largest:
        return prefix + format(Decimal(repr(abs(number))).normalize(), "f")
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    direction = "-" if exponent < 0 else "+"
    return f"{prefix}{text[0]}{fraction}e{direction}{abs(exponent):0{exponent_digits}d}"

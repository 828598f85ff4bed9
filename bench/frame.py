"""The requests of a point as columns, and what each of them came to. Numbers in, numbers out.

A run may have millions of tokens: no object a token, and no table of objects.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .sample import Sample

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

REQUIRED = ("user", "planned_ns", "sent_ns", "finished_ns", "error")
OPTIONAL = (
    *("warmup", "turn", "worker", "connect_ns", "prompt_tokens", "output_tokens"),
    "server_ns",
)
WRITTEN = itemgetter(*REQUIRED, *OPTIONAL)
DURATIONS = LOAD, PREFILL, DECODE = "load_duration", "prompt_eval_duration", "eval_duration"
ALONE = struct.pack("q", 1)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A row for each request, in the order of issue. Times in ns since the run's start and counts
    are floats (exact below 2**53, 104 days), so that NaN can say what is not known.

    `at_ns` has the arrivals of all rows in a row, `records` how many records came in the same
    read; those of row i are at `starts[i]` to `starts[i] + counts[i]`.
    """

    user: Ints
    turn: Ints
    worker: Ints
    warmup: Bools
    errors: tuple[str | None, ...]
    whole: Bools
    """Which rows have no error."""
    planned_ns: Floats
    sent_ns: Floats
    finished_ns: Floats
    connect_ns: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    load_ns: Floats
    prefill_ns: Floats
    decode_ns: Floats
    """What the server declared of its own time."""
    counts: Ints
    starts: Ints
    at_ns: Floats
    records: Ints

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Frame:
        """The frame of samples that are at hand."""
        builder = Builder()
        for sample in samples:
            builder.add(sample.record())
        return builder.frame()

    @property
    def measured(self) -> Bools:
        """Which rows are not warm-up."""
        return ~self.warmup

    @property
    def succeeded(self) -> Bools:
        """Which rows are measured and did not fail."""
        return self.measured & self.whole

    @property
    def good(self) -> Bools:
        """Which of those have text; an answer without any has no latency."""
        return self.succeeded & (self.counts > 0)

    @property
    def first_ns(self) -> Floats:
        """The first record with text of each row; NaN without one."""
        return self._arrival(self.starts)

    @property
    def last_text_ns(self) -> Floats:
        """The last record with text of each row; NaN without one."""
        return self._arrival(self.starts + self.counts - 1)

    @property
    def last_ns(self) -> Floats:
        """The last thing that is known of each row."""
        known = np.where(np.isnan(self.finished_ns), self.last_text_ns, self.finished_ns)
        return np.where(np.isnan(known), self.sent_ns, known)

    def _arrival(self, places: Ints) -> Floats:
        there = self.counts > 0
        found = np.full(len(self), np.nan)
        found[there] = self.at_ns[places[there]]
        return found

    def gaps_ns(self, rows: Bools) -> tuple[Floats, Ints]:
        """Gaps between successive records with text of these rows, and each gap's row."""
        owners = np.repeat(np.arange(len(self)), self.counts)
        gaps = np.diff(self.at_ns)
        within = (owners[1:] == owners[:-1]) & rows[owners[1:]]
        return gaps[within], owners[1:][within]

    def reads(self, rows: Bools) -> tuple[int, int]:
        """How many reads with text these rows have, and how many of them held several records.

        A read's records share its arrival time and its number of records.
        """
        owners = np.repeat(np.arange(len(self)), self.counts)
        begins = np.ones(len(owners), dtype=np.bool_)
        begins[1:] = (
            (owners[1:] != owners[:-1])
            | (self.at_ns[1:] != self.at_ns[:-1])
            | (self.records[1:] != self.records[:-1])
        )
        begins &= rows[owners]
        return int(begins.sum()), int((begins & (self.records > 1)).sum())

    def error_counts(self) -> dict[str, int]:
        """Failures of measured rows by class."""
        failed = [
            error
            for error, warmup in zip(self.errors, self.warmup, strict=True)
            if error is not None and not warmup
        ]
        return dict(sorted(Counter(failed).items()))


class Builder:
    """Takes the samples of a point as they are read, and makes a frame of them."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._at: list[bytes] = []
        self._held: list[bytes] = []
        self._counts: list[int] = []

    def add(self, record: dict[str, Any]) -> None:
        """Add a sample's record; raises KeyError, TypeError or ValueError where it is none.

        Nothing else in a conclusion runs so often.
        """
        arrivals = record["arrivals"]
        count = len(arrivals)
        at: tuple[int, ...]
        records: tuple[int, ...]
        at, _, records = zip(*arrivals, strict=True) if count else ((), (), ())
        try:
            self._at.append(struct.pack(f"{count}q", *at))
            alone = records.count(1) == count
            self._held.append(ALONE * count if alone else struct.pack(f"{count}q", *records))
        except struct.error as error:
            raise ValueError(f"arrivals: {error}") from None
        self._counts.append(count)
        try:
            row = WRITTEN(record)
        except KeyError:
            row = tuple(record[name] for name in REQUIRED) + tuple(map(record.get, OPTIONAL))
        get = (row[-1] or {}).get
        self._rows.append((*row[:-1], get(LOAD), get(PREFILL), get(DECODE)))

    def frame(self) -> Frame:
        """All rows so far, in the order of issue: planned, then request, then turn."""
        names = (*REQUIRED, *OPTIONAL[:-1], *DURATIONS)
        listed = dict(zip(names, zip(*self._rows, strict=True), strict=True)) if self._rows else {}
        column = {name: listed.get(name, ()) for name in names}
        order = np.argsort(floats(column["planned_ns"]), kind="stable")
        counts = np.array(self._counts, dtype=np.int64)[order]
        return Frame(
            user=integers(column["user"])[order],
            turn=integers(column["turn"])[order],
            worker=integers(column["worker"])[order],
            warmup=integers(column["warmup"])[order].astype(np.bool_),
            errors=tuple(column["error"][row] for row in order),
            whole=np.array([column["error"][row] is None for row in order], dtype=np.bool_),
            planned_ns=floats(column["planned_ns"])[order],
            sent_ns=floats(column["sent_ns"])[order],
            finished_ns=floats(column["finished_ns"])[order],
            connect_ns=floats(column["connect_ns"])[order],
            prompt_tokens=floats(column["prompt_tokens"])[order],
            output_tokens=floats(column["output_tokens"])[order],
            load_ns=floats(column[LOAD])[order],
            prefill_ns=floats(column[PREFILL])[order],
            decode_ns=floats(column[DECODE])[order],
            counts=counts,
            starts=np.cumsum(counts) - counts,
            at_ns=joined(self._at, order).astype(np.float64),
            records=joined(self._held, order),
        )


def floats(values: Sequence[Any]) -> Floats:
    """A column of numbers; None becomes NaN."""
    return np.array(values, dtype=np.float64)


def integers(values: Sequence[Any]) -> Ints:
    """A column of whole numbers; what is absent is 0."""
    return np.array([value or 0 for value in values], dtype=np.int64)


def joined(packed: Sequence[bytes], order: Ints) -> Ints:
    """The packed integers of all rows, in this order."""
    return np.frombuffer(b"".join([packed[row] for row in order]), dtype=np.int64)

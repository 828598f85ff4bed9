"""Traces of other servers' requests."""

from __future__ import annotations

import json

import pytest

from ..load import Open
from ..trace import Arrival, TraceError, cut, parse, point
from ..workload import LENGTHS

OURS = {"at_s": 1.5, "prompt_tokens": 10, "output_tokens": 3}


@pytest.mark.parametrize(
    "line",
    [
        OURS,
        {"timestamp": 1500, "input_length": 10, "output_length": 3, "hash_ids": [1, 2]},
        {"TIMESTAMP": "2023-11-16 18:17:03.9799600", "ContextTokens": 10, "GeneratedTokens": 3},
        {"Timestamp": 1.5, "Request tokens": 10, "Response tokens": 3, "Model": "GPT-4"},
        {"arrived_at": 1.5, "num_prefill_tokens": 10, "num_decode_tokens": 3},
        {"timestamp": "2023-11-16T18:17:03Z", "input_tokens": 10, "output_tokens": 3},
    ],
)
def test_common_names_are_understood(line: dict[str, object]) -> None:
    """Mooncake's, Azure's, BurstGPT's and Vidur's fields say what ours say."""
    assert parse([json.dumps(line)]) == (Arrival(0.0, 10, 3),)


def test_mooncake_counts_milliseconds() -> None:
    """`timestamp` is in milliseconds, `Timestamp` in seconds."""
    mooncake = [{"timestamp": ms, "input_length": 1, "output_length": 1} for ms in (500, 3500)]
    assert [one.at_s for one in parse(map(json.dumps, mooncake))] == [0.0, 3.0]


def test_azure_dates_are_counted_from_the_first() -> None:
    """Dates with seven digits behind the point are times."""
    lines = [
        json.dumps({"TIMESTAMP": date, "ContextTokens": 1, "GeneratedTokens": 1})
        for date in ("2023-11-16 18:17:04.2000000", "2023-11-16 18:17:03.9500000")
    ]
    assert [one.at_s for one in parse(lines)] == [0.0, 0.25]


def test_answer_without_tokens_still_has_one() -> None:
    """A request of a trace that got nothing asks for a token, since 0 would be without end."""
    assert parse([json.dumps(OURS | {"output_tokens": 0})])[0].output_tokens == 1


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("{", "line 2 is not JSON"),
        ("[]", "line 2 is not an object"),
        (json.dumps({"prompt_tokens": 1}), "line 2 has no time: at_s, arrival_s"),
        (json.dumps(OURS | {"at_s": "x"}), "line 2: at_s is no time: 'x'"),
        ('{"at_s": NaN}', "line 2: at_s is no time: nan"),
        (json.dumps({"TIMESTAMP": "noon"}), "line 2: TIMESTAMP is no date: 'noon'"),
        (json.dumps(OURS | {"prompt_tokens": 0}), "line 2: prompt_tokens is no number of tokens"),
        (json.dumps(OURS | {"prompt_tokens": True}), "line 2: prompt_tokens is no number"),
        (json.dumps({"at_s": 1, "prompt_tokens": 1}), "line 2 has none of output_tokens"),
    ],
)
def test_line_that_cannot_be_used_is_named(line: str, mistake: str) -> None:
    """What is wrong is said with its line."""
    with pytest.raises(TraceError) as caught:
        parse([json.dumps(OURS), line])
    assert mistake in str(caught.value)


def test_empty_trace_is_refused() -> None:
    """Nothing to replay is no trace."""
    with pytest.raises(TraceError, match="no requests"):
        parse(["", "\n"])


def test_trace_can_be_cut() -> None:
    """The first requests, or the first minutes."""
    arrivals = tuple(Arrival(at_s, 1, 1) for at_s in (0.0, 20.0, 40.0, 60.0, 80.0))
    assert len(cut(arrivals, 2, None)) == 2
    assert len(cut(arrivals, None, 1.0)) == 4
    assert len(cut(arrivals, None, None)) == 5


def test_trace_becomes_an_open_load_with_lengths() -> None:
    """Times go to the load, lengths beside it; the ask has the longest of each."""
    made = point((Arrival(0.0, 10, 3), Arrival(4.0, 5, 9)), "trace.jsonl")
    assert made.load == Open(0.5, 2, arrivals="replay", times_s=(0.0, 4.0))
    assert (made.ask.prompt_tokens, made.ask.output_tokens) == (10, 9)
    assert made.ask.fields[LENGTHS] == [[10, 3], [5, 9]]

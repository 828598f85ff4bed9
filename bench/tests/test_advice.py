"""Sentences follow from figures, and there is none without them."""

from __future__ import annotations

from typing import Any

from ..advice import advice, number, verdict
from ..load import BASELINE
from .points import figures, latency, summary


def users(count: int, speed: float, kept: float = 1.0, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A rung of a ladder."""
    load = {"kind": "closed", "users": count}
    return figures(f"{count} users", value=count, speed=speed, kept=kept, load=load, **more)


def compared(verdict: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A comparison of throughput."""
    plain = {
        "metric": "output_tokens_per_s",
        "group": "a/b",
        "label": "B, 1 user",
        "baseline": "A, 1 user",
        "better": "higher",
        "pairs": 10,
        "ratio": 1.12,
        "low": 1.08,
        "high": 1.16,
        "p": 0.002,
        "p_adjusted": 0.006,
        "detectable": 0.031,
        "verdict": verdict,
    }
    return plain | more


def test_best_concurrency_is_the_fastest_that_keeps_the_slo() -> None:
    """64 users are faster than 16, but make most wait too long."""
    made = summary(users(1, 20.0), users(16, 150.0, 0.95), users(64, 180.0, 0.4))
    (said,) = advice(made)
    assert "16, with 150 tokens by second and 95% of requests" in said
    assert "OLLAMA_NUM_PARALLEL=16" in said


def test_slo_that_nobody_keeps_is_said() -> None:
    """Where no load kept the SLO, none is advised."""
    (said,) = advice(summary(users(1, 20.0, 0.1), users(4, 50.0, 0.0)))
    assert said.startswith("No number of users that was tried keeps the SLO")


def test_one_load_is_no_choice() -> None:
    """A single number of users advises nothing."""
    assert advice(summary(users(1, 20.0))) == []


def test_without_slo_there_is_no_advice_on_load() -> None:
    """What is good enough is not known."""
    points = [point | {"goodput": None} for point in (users(1, 20.0), users(4, 50.0))]
    assert advice(summary(*points, profile={"name": "x"})) == []


def test_highest_rate_that_keeps_the_slo_is_said() -> None:
    """2/s keeps it in 92 %, 3/s in 50 %."""
    points = [
        figures(f"{rate} requests/s", group="rate", value=rate, kept=kept, load={"kind": "open"})
        for rate, kept in ((1.0, 1.0), (2.0, 0.92), (3.0, 0.5))
    ]
    (said,) = advice(summary(*points))
    assert said.startswith("2.0 requests/s is the most")
    assert "92% do" in said


def shared(*levels: tuple[int, float]) -> dict[str, Any]:
    """Points that share a part of their prompts."""
    return summary(
        *(
            figures(f"{part} % shared", group="shared", value=part, ttft_ms=ms)
            for part, ms in levels
        )
    )


def test_prompt_cache_that_works_is_said() -> None:
    """A first token in a quarter of the time."""
    (said,) = advice(shared((0, 80.0), (90, 20.0)))
    assert said.startswith("The prompt cache works: the first token takes 20.0 ms with 90 % shared")


def test_prompt_cache_that_brings_nothing_is_said() -> None:
    """The same first token with nine tenths shared."""
    (said,) = advice(shared((0, 80.0), (90, 79.0)))
    assert said.startswith("The prompt cache brings nothing")


def test_prompt_cache_is_not_judged_by_one_lucky_block() -> None:
    """Where blocks overlap it brings little at most."""
    (said,) = advice(shared((0, 80.0), (0, 30.0), (90, 28.0), (90, 40.0)))
    assert said.startswith("The prompt cache brings little")


def test_price_of_prompt_tokens_is_said() -> None:
    """900 ms for 3,000 tokens more, and 30 MiB."""
    points = [
        figures(
            f"{tokens} prompt tokens",
            group="prompt",
            value=tokens,
            ttft_ms=ms,
            memory={"pss_bytes": size * 2**20, "rss_bytes": None},
        )
        for tokens, ms, size in ((1000, 100.0, 500), (4000, 2500.0, 530))
    ]
    price, context = advice(summary(*points))
    assert "cost 800 ms of time to first token and 10.0 MiB of memory" in price
    assert context.startswith("1000 prompt tokens are the most tried")


def test_cold_start_is_said() -> None:
    """Three seconds from cold, of which the load is most."""
    made = summary(
        figures("warm", group="start", value=None, ttft_ms=30.0),
        figures(
            "cold",
            group="start",
            value=None,
            ttft_ms=3000.0,
            load_ms=latency(2900.0),
            ask={"cold": True},
        ),
    )
    (said,) = advice(made)
    assert "3.00 s (2.90 s of it loading, as declared), 30.0 ms from warm" in said


def test_best_batch_of_embeddings_is_said() -> None:
    """64 texts at 5 requests a second are more than one text at 40."""
    points = [
        figures(label, group="inputs", value=inputs, requests_per_s=pace, ask={"inputs": inputs})
        for label, inputs, pace in (("1 text", 1, 40.0), ("64 texts", 64, 5.0))
    ]
    (said,) = advice(summary(*points))
    assert said.startswith("64 texts a request embed the most, 320 texts by second")


def test_options_that_cost_are_apart_from_those_that_do_not() -> None:
    """What was found, what would have been found, and what could not be."""
    made = summary(
        comparisons=[
            compared("worse", label="format json", baseline=BASELINE, ratio=0.6),
            compared("no difference found", label="top_k 1", baseline=BASELINE),
            compared("no difference found", label="top_k 0", baseline=BASELINE, detectable=1.5),
            compared("not enough pairs", label="top_p 1", baseline=BASELINE, pairs=3, low=None),
        ]
    )
    costs, free, shaky, few = advice(made)
    assert costs == "format json costs: tokens by second 0.600 times (1.08 to 1.16) the baseline's."
    assert free == "No cost found of top_k 1; 3.1% would have been."
    assert shaky.startswith("No cost found of top_k 0, but blocks scatter so that none below 150%")
    assert few == "Not enough pairs to judge top_p 1: 3 of at least 6."


def test_difference_between_arms_is_the_verdict() -> None:
    """Which, by how much, how sure, over how many pairs."""
    (said,) = verdict(summary(comparisons=[compared("better")]))
    assert said == (
        "B, 1 user: tokens by second better, 1.12 times (1.08 to 1.16) those of A, 1 user "
        "over 10 pairs."
    )


def test_no_difference_says_what_would_have_been_found() -> None:
    """Silence is no proof: the smallest difference that would have been seen stands beside."""
    (said,) = verdict(summary(comparisons=[compared("no difference found")]))
    assert "no difference" in said
    assert "3.1% would have been" in said


def test_most_tokens_are_the_verdict_of_a_ladder() -> None:
    """The load with most tokens by second, blocks averaged."""
    made = summary(users(1, 20.0), users(4, 50.0, block=0), users(4, 54.0, block=1))
    assert verdict(made) == [
        "4 users: 52.0 tokens by second, the first token after 50.0 ms (median)."
    ]


def test_mean_of_three_blocks_has_its_interval() -> None:
    """By Student's t: 50 give or take 4.3 times the error of three."""
    made = summary(
        *(users(4, speed, block=block) for block, speed in enumerate((49.0, 50.0, 51.0)))
    )
    assert verdict(made)[0].startswith("4 users: 50.0 tokens by second (47.5 to 52.5 by 3 blocks)")


def test_knee_is_the_verdict_with_its_interval() -> None:
    """Value, range and reason."""
    knee = {"arm": 0, "group": "users", "value": 8.0, "low": 4.0, "high": 16.0, "because": "so"}
    assert verdict(summary(knees=[knee])) == ["The knee is at 8 users (4 to 16): so."]


def test_capacity_is_the_verdict_of_a_ladder_of_rates() -> None:
    """A rate is kept up with; it is no number of users."""
    point = figures("2 requests/s", group="rate", value=2.0, speed=None, load={"kind": "open"})
    knee = {"arm": 0, "group": "rate", "value": 2.0, "low": None, "high": None, "because": "so"}
    assert verdict(summary(point, knees=[knee])) == ["It keeps up with 2 requests/s: so."]
    none = verdict(summary(point, knees=[knee | {"value": None}]))
    assert none == ["It keeps up with no rate that was tried: so."]


def test_throughput_of_other_asks_is_not_the_verdict() -> None:
    """Of options the baseline's is given, however fast another is."""
    made = summary(
        figures(BASELINE, group="options", speed=50.0), figures("top_k 1", group="options")
    )
    assert verdict(made)[0].startswith("baseline: 50.0 tokens by second")


def test_drift_of_a_soak_is_the_verdict() -> None:
    """Memory that grows minute by minute is said, a pace that holds as well."""
    points = [
        figures(
            f"from minute {minute}",
            group="soak",
            value=minute,
            speed=100.0 + minute % 2,
            ttft_ms=None,
            memory={"rss_bytes": 1000 + 20 * minute},
        )
        for minute in range(12)
    ]
    said = verdict(summary(*points))
    assert "Over 11 minutes throughput held." in said
    assert any(one.startswith("Over 11 minutes memory rose by 20%") for one in said)


def test_failures_and_reasons_are_in_the_verdict() -> None:
    """What went wrong is said before anybody quotes a figure."""
    failed = figures(speed=None, failures=3, errors={"busy-503": 2, "truncated": 1})
    said = verdict(summary(failed, invalid_because=["the run was interrupted"]))
    assert said[0] == "Not valid: the run was interrupted."
    assert "3 of 40 requests failed: busy-503 2, truncated 1." in said


def test_unsteady_point_is_in_the_verdict() -> None:
    """With the reason why."""
    shaky = {"from_s": 0.0, "to_s": 1.0, "verdict": "not steady", "because": "it drifted"}
    assert "Not steady at 1 user: it drifted." in verdict(summary(figures(steady=shaky)))


def test_conformance_stands_beside_the_figures() -> None:
    """A fast server that is wrong is said to be."""
    arms = [{"name": "A", "conformance": {"headline": "3 of 596 checks failed"}}]
    assert verdict(summary(arms=arms)) == ["Conformance of A: 3 of 596 checks failed."]


def test_run_without_samples_says_nothing() -> None:
    """Points without a single answer make no sentence with a number."""
    nothing = figures(
        speed=None, ttft_ms=None, requests=0, goodput=None, requests_per_s=None, value=1
    )
    assert verdict(summary(nothing)) == []
    assert advice(summary(nothing)) == []


def test_numbers_have_three_digits_that_count() -> None:
    """More before the point, none after it where there are three already."""
    assert [number(one) for one in (0.01234, 1.5, 152.4, 7537.2, 0)] == [
        "0.0123",
        "1.50",
        "152",
        "7,537",
        "0",
    ]

"""The parameter support matrix of a server: pure, from the verdicts of a run.

For each option two checks decide: `options/accepts/NAME` (a valid value is answered with 200) and
`options/heeds/NAME` (two values of it give two answers, as they must). The other checks about an
option say how well it is done; the ones that failed stand beside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

FINDINGS = ("failed", "not_testable")


class Support(StrEnum):
    """What a server does with an option."""

    EFFECTIVE = "effective"
    IGNORED = "accepted but ignored"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option, its contract row, and what is said of it beside accepted and heeded."""

    name: str
    row: str
    must: bool
    checks: tuple[str, ...] = ()  # ids of other checks about it

    @property
    def word(self) -> str:
        """Its name as ids have it."""
        return self.name.replace("_", "-")

    @property
    def accepts(self) -> str:
        """The check that it is accepted."""
        return f"options/accepts/{self.word}"

    @property
    def heeds(self) -> str:
        """The check that it has an effect."""
        return f"options/heeds/{self.word}"

    @property
    def of_the_model(self) -> str:
        """The check that a model's own value of it is in force, where there is one."""
        return f"options/of-the-model/{self.word}"


PENALTIES = "options/penalties-come-first"
WAYS = "options/one-token-in-every-way"
ORDER = ("options/filters-in-order", "options/temperature-comes-last")

PARAMETERS = (
    Parameter(
        "temperature",
        "OPT-008",
        True,
        (
            "options/temperature-zero",
            "options/draws-fit",
            "options/temperature-sharpens",
            "options/temperature-levels",
            "options/temperature-comes-last",
            WAYS,
            "options/defaults",
        ),
    ),
    Parameter("top_k", "OPT-003", True, ("options/top-k-one", "options/top-k", ORDER[0], WAYS,
                                        "options/top-k-large")),
    Parameter("top_p", "OPT-004", True, ("options/top-p", "options/top-p-edges", *ORDER, WAYS)),
    Parameter("min_p", "OPT-005", False, ("options/min-p", "options/min-p-edges", ORDER[1],
                                          "options/min-p-in-every-way")),
    Parameter("typical_p", "OPT-006", False, ("options/typical-p",)),
    Parameter(
        "seed", "OPT-001", True, ("options/seed-repeats", "options/seed-of-a-draw",
                                  "options/concurrent-seeds", "options/seed-in-every-way",
                                  "options/seeds-of-any-size"),
    ),
    Parameter(
        "num_predict", "OPT-002", True, ("options/num-predict", "options/cut-is-a-prefix",
                                         "options/num-predict-negative",
                                         "options/num-predict-large"),
    ),
    Parameter("num_ctx", "OPT-014", True, ("context/drops-oldest-turns",
                                           "lifecycle/window-is-told")),
    Parameter("num_keep", "OPT-013", False, ("context/num-keep-counts",
                                               "options/of-the-model/num-ctx")),
    Parameter(
        "stop", "OPT-012", True, ("options/stop", "options/stop-first-match",
                                  "options/stop-withheld", "options/stop-as-given",
                                  "options/stop-replaces"),
    ),
    Parameter(
        "repeat_penalty", "OPT-009", False, ("options/repeat-penalty", "options/repeat-threshold",
                                             "options/repeat-of-positive", PENALTIES),
    ),
    Parameter("repeat_last_n", "OPT-007", False, ("options/repeat-window",
                                                    "options/repeat-window-is-wide",
                                                    "options/repeat-window-without-end")),
    Parameter(
        "presence_penalty", "OPT-010", False, ("options/presence-penalty",
                                               "options/presence-threshold", PENALTIES),
    ),
    Parameter(
        "frequency_penalty", "OPT-011", False, ("options/frequency-penalty",
                                                "options/frequency-threshold", PENALTIES),
    ),
)  # fmt: skip


def support(verdicts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The matrix as the footer of run.jsonl has it: a row for each option."""
    of = {line["id"]: line["verdict"] for line in verdicts}
    return [
        {
            "option": one.name,
            "support": _support(of.get(one.accepts), of.get(one.heeds)).value,
            "failed": [id for id in (*one.checks, one.of_the_model) if of.get(id) in FINDINGS],
        }
        for one in PARAMETERS
    ]


def _support(accepted: str | None, heeded: str | None) -> Support:
    if accepted == "failed":
        return Support.REFUSED
    if heeded == "passed":
        return Support.EFFECTIVE
    if accepted == "passed" and heeded == "failed":
        return Support.IGNORED
    return Support.UNKNOWN


def judged(matrix: Iterable[dict[str, Any]]) -> bool:
    """Whether there is anything in it to show."""
    return any(row["support"] != Support.UNKNOWN for row in matrix)

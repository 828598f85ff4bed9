"""A law of ends: `length` is only said of an answer that reached a bound."""

from __future__ import annotations

from ..check import MUST, Verdict, expect_that
from ..clients import CHATTERS, LANGCHAIN, LITELLM
from ..evidence import Json
from ..reply import COUNTS
from ..said import TALK, Said
from ..witness import law
from .always import ask_talk

LEAST_WINDOW, MOST_WINDOW = 256, 2048  # tokens, of any model that is asked here


@law(
    "always/length-is-a-bound",
    MUST,
    group="core",
    source="docs/api.md#generate-a-chat-completion",
    routes=TALK,
    asks=ask_talk,
    covers=("OPT-042", "CTX-005", "CTX-010", "GEN-045", "CHAT-048"),
    breaks=(*CHATTERS, LANGCHAIN, LITELLM),
)
def length_is_a_bound(said: Said) -> Verdict | None:
    """An answer whose done_reason is length has as many tokens as num_predict, or fills a window.

    Nothing else ends an answer so: not that a prompt was cut, nor that others are answered.
    """
    final = said.final
    if final is None or final.get("done_reason") != "length" or not _judged(said):
        return None
    counts = [final.get(name, 0) for name in COUNTS]
    if not all(type(one) is int for one in counts):
        return None
    bound, window = (_positive(said.options.get(name)) for name in ("num_predict", "num_ctx"))
    filled = min(window or LEAST_WINDOW, MOST_WINDOW) - 1
    holds = counts[1] == bound or sum(counts) >= filled
    told = f"num_predict {bound} reached, or a window of {window} filled"
    return expect_that(holds, told, dict(zip(COUNTS, counts, strict=True)), said.got)


def _judged(said: Said) -> bool:
    """Whether nothing else may bound it: parameters of the model, or a second beginning."""
    return said.setup.scripted and said.lasting and not said.asked.get("format")


def _positive(value: Json) -> int:
    """A number of tokens as it is read: cut to a whole one, and 0 where there is none."""
    return int(value) if type(value) in (int, float) and value >= 1 else 0

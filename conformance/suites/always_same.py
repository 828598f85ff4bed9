"""Laws of what is said: the words of the script, and the same answer to the same question.

They hold across all checks of a run: whenever it was asked, beside whatever, streamed or not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..check import MUST, Verdict, expect
from ..clients import CHATTERS, LANGCHAIN, LITELLM, SDKS
from ..evidence import Json
from ..reply import COUNTS
from ..said import TALK, Said
from ..witness import APART, Fact, law
from .always import ask_talk

DOCS = "docs/api.md#generate-a-chat-completion"
USAGE = "docs/api/usage.mdx"
BUSY = 503
CROSSED = ("model is required", "' not found")  # where Ollama lists models while one is deleted
REFUSABLE = ("keep_alive", "top_logprobs", "logprobs")  # they may be what is refused
CUTS = ("num_predict", "stop")


@law(
    "always/words-of-the-script",
    MUST,
    group="core",
    source=DOCS,
    routes=TALK,
    asks=ask_talk,
    covers=("CHAT-056", "GEN-055", "MET-005", "MET-006"),
    breaks=CHATTERS,
)
def words_of_the_script(said: Said) -> Verdict | None:
    """What the script has for a question is what is answered, however it was asked."""
    known = said.recital if said.got.status == 200 else None
    if known is None or not said.over:
        return None
    final: dict[str, Json] = said.final or {}
    whole = final.get("done_reason") == "stop" and not said.options.get("stop")
    if whole and known.ends:
        calls = [call.get("function") or {} for call in said.calls]
        told = [{"name": one.get("name"), "arguments": one.get("arguments")} for one in calls]
        found: Json = [said.text, said.thinking, told, *(final.get(name) for name in COUNTS)]
        wanted: Json = [known.content, known.thinking, list(known.tool_calls)]
        return expect(found, [*wanted, known.prompt_tokens, known.output_tokens], said.got)
    if known.tool_calls:
        return None  # what a call is cut to is not known
    for found, wanted in ((said.text, known.content), (said.thinking, known.thinking)):
        if not (wanted.startswith(found) or (not known.ends and found.startswith(wanted))):
            return expect(found, wanted[: len(found)], said.got)
    return expect(final.get(COUNTS[0]), known.prompt_tokens, said.got)


@law(
    "always/same-question-same-answer",
    MUST,
    group="core",
    source=DOCS,
    routes=TALK,
    asks=ask_talk,
    covers=("OPT-001", "GEN-055", "CHAT-056"),
    breaks=(*CHATTERS, *SDKS),
    facts=True,
)
def same_question_same_answer(said: Said) -> Iterator[Fact]:
    """Without chance, or with a seed, the same request is answered the same, streamed or not."""
    if not _settled(said):
        return
    key, final = _key(said, {**said.options, "format": said.asked.get("format")}), said.final
    refused = said.got.status or 0
    apart = said.asked.get("stream", True) not in (True, False) or any(
        x in said.asked for x in REFUSABLE
    )
    crossed = any(text in said.got.loose_text for text in CROSSED)  # of a model that is there
    if refused >= 400 and refused != BUSY and not (apart or crossed):
        yield Fact(key, f"status {refused}: {said.got.loose_text[:200]}")
    if final is None:
        return
    calls = [call.get("function") for call in said.calls]
    told = [said.text, said.thinking, calls, final.get("done_reason"), final.get("context")]
    yield Fact(key, [*told, *(final.get(name) for name in COUNTS)])
    if said.logprobs:
        tokens = [entry.get("token") for entry in said.logprobs]
        yield Fact(f"{key} {said.asked.get('top_logprobs')}", tokens)


def _key(said: Said, options: Json) -> str:
    return f"{said.question} {json.dumps(options, sort_keys=True)}"


def _settled(said: Said) -> bool:
    """Whether nothing is left to chance, and the model stays what it is."""
    seed = said.options.get("seed")
    seeded = type(seed) is int and 0 < seed < 2**31
    return said.setup.scripted and said.lasting and (said.greedy or seeded)


def _beginning(known: Json, new: Json) -> Json:
    """The longer of two texts, where one begins with the other."""
    if any(not (a.startswith(b) or b.startswith(a)) for a, b in zip(known, new, strict=True)):
        return APART
    return known if sum(map(len, known)) >= sum(map(len, new)) else new


@law(
    "always/cut-answers-are-beginnings",
    MUST,
    group="options",
    source=DOCS,
    routes=TALK,
    asks=ask_talk,
    covers=("OPT-002", "OPT-012"),
    breaks=CHATTERS,
    facts=True,
    agree=_beginning,
)
def cut_answers_are_beginnings(said: Said) -> Iterator[Fact]:
    """What num_predict and stop strings end is the beginning of what is said without them."""
    asked = said.asked
    if said.final is None or not _settled(said) or asked.get("tools") or "format" in asked:
        return
    options = {name: one for name, one in said.options.items() if name not in CUTS}
    yield Fact(_key(said, options), [said.text, said.thinking])


def _begun_twice(said: Said) -> bool:
    """Whether Ollama may have begun anew after a thought, with the thought in the prompt."""
    thinks = said.asked.get("think") is not False and said.asked.get("model") != said.setup.plain
    return bool(said.asked.get("format")) and said.route == "chat" and thinks


@law(
    "always/same-prompt-same-count",
    MUST,
    group="core",
    source=USAGE,
    routes=(*TALK, "embed"),
    asks=ask_talk,
    covers=("MET-005", "EMBED-017"),
    breaks=(LANGCHAIN, LITELLM),
    facts=True,
)
def same_prompt_same_count(said: Said) -> Iterator[Fact]:
    """The same prompt has the same tokens, whatever is asked for beside it, cached or not."""
    final: dict[str, Json] = said.final or {}
    if said.route == "embed" and said.records:
        final = said.records[0]
    if "prompt_eval_count" not in final or not said.lasting or _begun_twice(said):
        return
    window = [said.options.get(name) for name in ("num_ctx", "num_keep")]
    yield Fact(_key(said, window), final["prompt_eval_count"])

"""Structured output: which tokens may come next, so that the text follows a JSON Schema.

The parsing is done by llguidance; what is ours is its vocabulary, its limits, and the grammar of
an answer that may begin with a thought. Matchers are built in a thread of their own, and used on
the engine thread.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .json_schema import GrammarError, prepared
from .sequence import Grammar, Thought

if TYPE_CHECKING:  # importing these takes long, and most requests need none of it
    import numpy as np
    from llguidance import LLMatcher, LLTokenizer
    from numpy.typing import NDArray

    from .tokenizer import Tokenizer

MAX_SCHEMA_CHARACTERS: Final = 1 << 18

# How the compiler reads a schema. Blanks are those of the original's grammars, which are bounded:
# a small model would go on indenting for ever (`common/json-schema-to-grammar.cpp:SPACE_RULE`).
_READING: Final = {
    "whitespace_pattern": r"[ ]|\n{1,2}[ \t]{0,20}",
    "lenient": True,
    "coerce_one_of": True,
}

# Bounds of llguidance, below its defaults: what a hostile schema may cost a step is some
# milliseconds, but for a bomb of nested repeats, which costs a third of a second once.
_LIMITS: Final[dict[str, Any]] = {
    "initial_lexer_fuel": 500_000,
    "step_lexer_fuel": 100_000,
    "step_max_items": 20_000,
    "max_lexer_states": 50_000,
    "max_grammar_size": 100_000,
    "verbose_errors": False,
}

_BLANKS: Final = r"[ \t\r\n]{1,16}"


class Matcher:
    """One answer's way through its grammar. `fault` says why it cannot go on, if it cannot.

    `instead` is taken where the model begins its answer with anything but a thought.
    """

    def __init__(
        self, matcher: LLMatcher, vocabulary: LLTokenizer, instead: LLMatcher | None = None
    ) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._instead = instead
        self._mask = self._mask_instead = b""
        self.fault: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing but the end may follow."""
        return self.fault is None and self._matcher.is_stopped()

    def fill(self) -> None:
        """Find the tokens that may come next; other threads run meanwhile."""
        self._mask = self._filled(self._matcher)
        if self._instead is not None:
            self._mask_instead = self._filled(self._instead)

    def masked(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits `(V,)`, with minus infinity for what `fill` found to be impossible."""
        import numpy as np

        if self.fault is not None:
            return logits
        allowed = _allowed(self._mask, len(logits))
        if self._instead is not None and not allowed[logits.argmax()]:
            self._matcher, self._instead = self._instead, None
            allowed = _allowed(self._mask_instead, len(logits))
        return np.where(allowed, logits, np.float32(-np.inf))

    def advance(self, token_id: int) -> None:
        """Take the token that was drawn."""
        if self.fault is None and not self._matcher.consume_token(token_id):
            self._fail(self._matcher.get_error())
        if self._instead is not None and self._vocabulary.decode_bytes([token_id]).strip():
            self._instead = None  # more than blanks: a thought has begun

    def _filled(self, matcher: LLMatcher) -> bytes:
        mask = matcher.compute_bitmask()
        if matcher.is_error():
            self._fail(matcher.get_error())
        elif not any(mask):
            self._fail("no token fits")
        return mask

    def _fail(self, why: str) -> None:
        self.fault = f"the answer cannot follow the format: {why.strip().splitlines()[0]}"


def _allowed(mask: bytes, num_tokens: int) -> NDArray[np.bool_]:
    """Which of the tokens a mask of one bit each allows."""
    import numpy as np

    bits = np.frombuffer(mask, np.uint8)
    return np.unpackbits(bits, count=num_tokens, bitorder="little").view(np.bool_)


class Grammars:
    """Builds the matchers of one model, one at a time, off the event loop."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._vocabulary: LLTokenizer | None = None
        self._builder = ThreadPoolExecutor(1, "grammar")

    async def matcher(self, grammar: Grammar) -> Matcher:
        """A new matcher at its start; raises GrammarError."""
        return await asyncio.get_running_loop().run_in_executor(self._builder, self.build, grammar)

    def build(self, grammar: Grammar) -> Matcher:
        """The same, in the calling thread; the model's first takes some tenths of a second."""
        if self._vocabulary is None:
            self._vocabulary = _vocabulary(self._tokenizer)
        content = replace(grammar, thought=None)
        made = self._compiled(content, self._vocabulary)
        instead = None
        if grammar.thought is not None:
            instead = None if grammar.thought.inside else made
            made = self._compiled(grammar, self._vocabulary)
        return Matcher(made, self._vocabulary, instead)

    def _compiled(self, grammar: Grammar, vocabulary: LLTokenizer) -> LLMatcher:
        """A matcher of llguidance at its start, its first tokens known; raises GrammarError."""
        from llguidance import LLMatcher, LLParserLimits

        text = grammar_text(grammar, self._tokenizer.control_ids)
        made = LLMatcher(vocabulary, text, log_level=0, limits=LLParserLimits(**_LIMITS))
        if not made.is_error():
            made.compute_bitmask()  # what is impossible from the start is the request's fault
        why = " ".join(made.get_error().partition("<non-verbose/>")[0].split())
        if made.is_stopped():
            impossible = not why or why.startswith("NoExtension")
            raise GrammarError("nothing can satisfy the schema" if impossible else why)
        return made


def grammar_text(grammar: Grammar, control_ids: Mapping[str, int] | None = None) -> str:
    """The grammar of an answer as llguidance reads it; raises GrammarError.

    Tags that are control tokens are none of the text: they go by their ids.
    """
    if len(json.dumps(grammar.schema)) > MAX_SCHEMA_CHARACTERS:
        raise GrammarError("the schema is too large")
    schema = {**prepared(grammar.schema), "x-guidance": _READING}
    content: dict[str, Any] = {"name": "content", "json_schema": schema}
    parts = [content]
    if grammar.thought is not None:
        rules = _thought_first(grammar.thought, grammar.calls, control_ids or {})
        parts.insert(0, {"lark_grammar": "\n".join(rules)})
    return json.dumps({"grammars": parts})


def _thought_first(
    thought: Thought, calls: str | None, control_ids: Mapping[str, int]
) -> list[str]:
    """A thought, blanks, and the content; or calls of tools instead of either.

    A token may begin the tags of thoughts and of calls alike, so both are in one grammar.
    """
    begun = "" if thought.inside else "BLANKS? opening "
    answer = "@content" if calls is None else "(@content | calls)"
    otherwise = "" if calls is None or thought.inside else " | BLANKS? calls"
    return [
        f"start: {begun}(unended | ended BLANKS? {answer}){otherwise}",
        *_thought_up_to(thought.closing, control_ids),
        *([] if thought.inside else _tag("opening", thought.opening, control_ids)),
        *([] if calls is None else _calls(calls, control_ids)),
        f"BLANKS: /{_BLANKS}/",
        "TEXT: /(?s:.+)/",
    ]


def _thought_up_to(closing: str, control_ids: Mapping[str, int]) -> list[str]:
    """A thought with its closing tag, or one within which the model ends.

    The tags are told apart as `parser.ThinkingSplitter` does.
    """
    if closing in control_ids:
        return [f"ended: TEXT? <[{control_ids[closing]}]>", "unended: TEXT?"]
    tag = json.dumps(closing, ensure_ascii=False)
    return [
        f"ended[suffix={tag}]: /(?s:.*)/",
        "unended: UNENDED",
        f"UNENDED: /(?s:.*)/ & ~(/(?s:.*)/ {tag} /(?s:.*)/)",
    ]


def _calls(opening: str, control_ids: Mapping[str, int]) -> list[str]:
    """The tag of calls and anything behind it, control tokens included."""
    anything = "calls_rest: (<[*]> TEXT?)*"
    if opening in control_ids:
        return [f"calls: <[{control_ids[opening]}]> TEXT? calls_rest", anything]
    tag = json.dumps(opening, ensure_ascii=False)
    return ["calls: CALLS calls_rest", f"CALLS: {tag} /(?s:.*)/", anything]


def _tag(name: str, text: str, control_ids: Mapping[str, int]) -> list[str]:
    """A rule for a tag, be it text or a token."""
    if text in control_ids:
        return [f"{name}: <[{control_ids[text]}]>"]
    return [f"{name}: {name.upper()}", f"{name.upper()}: {json.dumps(text, ensure_ascii=False)}"]


class _Vocabulary:
    """A model's tokens as llguidance asks for them.

    Tokens that show nothing are marked as special, so that no grammar matches their text.
    """

    def __init__(self, tokenizer: Tokenizer, end_id: int) -> None:
        self._tokenizer = tokenizer
        shown: Sequence[bytes] = tokenizer.token_bytes
        self.eos_token_id = end_id
        self.bos_token_id = tokenizer.bos_id
        self.tokens = [one or b"\xff<|%d|>" % place for place, one in enumerate(shown)]
        if end_id == len(shown):
            self.tokens.append(b"\xff<|end|>")
        self.special_token_ids = [place for place, one in enumerate(shown) if not one]

    def __call__(self, text: str) -> list[int]:
        """The tokens of a text."""
        return self._tokenizer.encode(text, special=False)


def _vocabulary(tokenizer: Tokenizer) -> LLTokenizer:
    """The tokens of a model; one that names no end gets one that it can never say."""
    from llguidance import LLTokenizer, TokenizerWrapper

    ends = sorted(one for one in tokenizer.eos_ids if one < len(tokenizer.token_bytes))
    ends = ends or [len(tokenizer.token_bytes)]
    wrapper = TokenizerWrapper(_Vocabulary(tokenizer, ends[0]))
    return LLTokenizer(wrapper, eos_token=ends)

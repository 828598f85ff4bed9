"""Families of made-up bytes: what is no JSON, and JSON that is hard to read.

Strategies of Hypothesis, which is imported where it is used.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .evidence import Json
from .laws import Case, Law
from .spoiling import encoded
from .target import NOBODY

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MANGLED = (  # in the place of a value: no JSON, whatever the key
    b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"undefined", b"'x'", b"+1", b"01", b".5", b"1.",
    b"0x10", b"True", b"None", b"nul", b"tru", b'"a\nb"', b'"a\x00b"', b'"a\tb"', b'"\\x41"',
    b'"\\u12"', b'"\\', b"/* c */ 1", b"1 2", b"[1,]", b"{a: 1}", b'{"a" 1}', b"[1 2]", b"", b",",
)  # fmt: skip
ROUTES = ("chat", "generate", "show", "copy", "create")
SEEKING = ("chat", "generate", "show")  # those that look for a model
DEEP = (50, 200, 1500, 9000)


ORDER = encoded({"model": NOBODY, "prompt": "a", "options": {"stop": ["b"]}, "stream": False})
KEYS = (b"prompt", b"keep_alive", b"foo")
OTHERS = (b"", b"  \n", b"[]", b"1", b'"x"', b"true", b"[{}]", b"-", b"]", b"}", b'"x', b"{")


def no_json(turn: int = 0) -> list[Case]:
    """Bodies that are no JSON object: with what no JSON has, of another kind, cut short.

    Whoever reads them all the same finds no model of that name, or none, and says 404.
    """
    cases = []
    for place, value in enumerate(MANGLED, turn):
        body = b'{"model": "%b", "%b": %b}' % (NOBODY.encode(), KEYS[place % len(KEYS)], value)
        cases.append((SEEKING[place % len(SEEKING)], body))
    cases += [("generate", body) for body in OTHERS]
    cuts = range(1 + turn % 9, len(ORDER), 9)
    cases += [(ROUTES[place % len(ROUTES)], ORDER[:end]) for place, end in enumerate(cuts, turn)]
    return [Case("POST", f"/api/{name}", body, Law.REFUSED) for name, body in cases]


def noise() -> SearchStrategy[Case]:
    """Bytes of any kind that are no JSON object, and an object that is cut anywhere."""
    from hypothesis import strategies as st

    cut = st.integers(1, len(ORDER) - 1).map(lambda end: ORDER[:end])
    bytes_ = st.binary(min_size=1, max_size=20).filter(lambda one: one.strip()[:1] not in b"{n")
    return st.builds(
        lambda name, body: Case("POST", f"/api/{name}", body, Law.REFUSED),
        st.sampled_from(ROUTES),
        cut | bytes_,
    )


def deeply_nested(model: str) -> list[Case]:
    """An unknown field of many levels, which may be refused, but must be survived."""
    return [_odd(model, _nested(depth, arrays)) for depth in DEEP for arrays in (True, False)]


def _odd(
    model: str, odd: bytes, prompt: bytes = b'"a"', again: bytes = b"", gap: bytes = b""
) -> Case:
    """A request to generate with an odd value in a field that nobody knows."""
    name = json.dumps(model).encode()
    fields = b'"stream": false, "options": {"num_predict": 2}, "\xc3\xa9": %b' % odd
    body = b'%b{"model": %b, %b"prompt": %b, %b}%b' % (gap, name, again, prompt, fields, gap)
    return Case("POST", "/api/generate", body, Law.SURVIVED, "generate", wild=True)


def hard_to_read(model: str) -> SearchStrategy[Case]:
    """JSON as few write it: it may be refused, but it must be survived."""
    from hypothesis import strategies as st

    letters = st.characters(codec="utf-8") | st.sampled_from("\0\x1f\x7f\ufeff\u2028\ud800\udfff")
    odd = st.text(letters, max_size=12)
    surrogates = st.lists(st.sampled_from(("\\ud800", "\\udc00", "\\ud83d\\ude00", "\\u0000", "a")),
                          min_size=1, max_size=4).map("".join)  # fmt: skip
    texts = odd.map(lambda one: json.dumps(one).encode()) | surrogates.map(
        lambda one: f'"{one}"'.encode()
    )
    bytes_ = st.binary(max_size=8).map(_quoted)
    deep = st.builds(_nested, st.sampled_from(DEEP), st.booleans())
    huge = st.sampled_from((b"1e400", b"-1e400", b"1" + b"0" * 400, b"0." + b"0" * 400 + b"1"))
    long = st.integers(1, 60_000).map(lambda size: b'"' + b"y" * size + b'"')
    prompts = st.one_of(texts, bytes_)
    unknown = st.one_of(texts, bytes_, deep, huge, long)

    def case(prompt: bytes, odd: bytes, twice: bool, spaced: bool) -> Case:
        again = b'"prompt": "b", ' if twice else b""
        return _odd(model, odd, prompt, again, b" \r\n\t" if spaced else b"")

    return st.builds(case, prompts, unknown, st.booleans(), st.booleans())


def _quoted(content: bytes) -> bytes:
    """Bytes as the inside of a JSON string; they need not be UTF-8."""
    kept = bytes(one for one in content if one >= 0x20 and one not in b'"\\')
    return b'"' + kept + b'"'


def _nested(depth: int, objects: bool) -> bytes:
    if objects:
        return b'{"a":' * depth + b"1" + b"}" * depth
    return b"[" * depth + b"]" * depth


def any_case(name: str, model: str) -> SearchStrategy[Case]:
    """Keys in another case than the schema has them, as Go reads them."""
    from hypothesis import strategies as st

    options: dict[str, Json] = {"num_predict": 2}
    ask: dict[str, Json] = {"model": model, "stream": False, "options": options}
    if name == "chat":
        ask["messages"] = [{"role": "user", "content": "a"}]
    else:
        ask["prompt"] = "a"

    def case(upper: list[bool]) -> Case:
        keys = {key: key.upper() if up else key.title() for key, up in zip(ask, upper, strict=True)}
        body = encoded({keys[key]: value for key, value in ask.items()})
        return Case("POST", f"/api/{name}", body, Law.ANSWERED, shape=name)

    return st.lists(st.booleans(), min_size=len(ask), max_size=len(ask)).map(case)

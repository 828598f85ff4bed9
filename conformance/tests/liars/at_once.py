"""Liars who lose a field of a request where some other field stands beside it."""

from __future__ import annotations

from collections.abc import Callable

from ..honest import Lie
from ..lies import TALK, Fields, hears
from .liar import Liar

When = Callable[[Fields], bool]


def _given(name: str, *values: object) -> When:
    """Where a field, or an option, is given; with one of these values, if any are named."""

    def told(fields: Fields) -> bool:
        found = fields.get(name, (fields.get("options") or {}).get(name))
        return found in values if values else bool(found)

    return told


def _loses(what: str, when: When) -> Lie:
    """A field, an option, or all of a conversation but its last turn is not read."""

    def changed(fields: Fields) -> None:
        if not when(fields):
            return
        if what in ("system message", "history") and fields.get("messages"):
            kept = [one for one in fields["messages"][:-1] if one["role"] == "system"]
            fields["messages"] = [*(kept if what == "history" else ()), fields["messages"][-1]]
        if what == "pictures":
            fields.pop("images", None)
            for one in fields.get("messages", ()):
                one.pop("images", None)
        fields.pop(what, None)
        if isinstance(given := fields.get("options"), dict):
            given.pop(what, None)

    return hears(changed, *TALK)


LOST: tuple[tuple[str, str, tuple[tuple[str, When], ...]], ...] = (
    ("options/all-fields-at-once", "stop", (("top_logprobs", _given("top_logprobs")),
                                            ("truncate false", _given("truncate", False)),
                                            ("a window", _given("num_ctx")))),
    ("options/all-fields-at-once", "num_predict", (("top_logprobs", _given("top_logprobs")),)),
    ("options/all-fields-at-once", "logprobs", (("top_k", _given("top_k")),
                                                ("a seed", _given("seed")))),
    ("options/all-fields-at-once", "top_logprobs", (("stop strings", _given("stop")),
                                                    ("think high", _given("think", "high")))),
    ("options/all-fields-at-once", "system", (("top_k", _given("top_k")),)),
    ("options/all-fields-at-once", "raw", (("truncate false", _given("truncate", False)),)),
    ("options/all-fields-at-once", "think", (("a seed", _given("seed")),)),
    ("format/all-fields-at-once", "format", (("top_k", _given("top_k")),
                                             ("top_logprobs", _given("top_logprobs")),
                                             ("truncate false", _given("truncate", False)))),
    ("tools/all-fields-at-once", "tools", (("stop strings", _given("stop")),
                                           ("top_logprobs", _given("top_logprobs")))),
    ("vision/all-fields-at-once", "pictures", (("log probabilities", _given("logprobs")),
                                               ("a seed", _given("seed")))),
    ("vision/all-fields-at-once", "format", (("a picture", _given("images")),)),
    ("context/windows-beside-everything", "truncate", (("a format", _given("format")),
                                                       ("raw", _given("raw")),
                                                       ("a stop string", _given("stop")))),
    ("context/windows-beside-everything", "shift", (("think low", _given("think", "low")),
                                                    ("tools", _given("tools")))),
    ("context/windows-beside-everything", "num_ctx", (("a seed", _given("seed")),
                                                      ("a template", _given("template")))),
    ("context/all-is-read-by-generate", "system", (("think", _given("think")),
                                                   ("truncate false", _given("truncate", False)),
                                                   ("a context", _given("context")))),
    ("context/all-is-read-by-generate", "template", (("a format", _given("format")),
                                                     ("a context", _given("context")))),
    ("context/all-is-read-by-generate", "context", (("a template", _given("template")),
                                                    ("log probabilities", _given("logprobs")),
                                                    ("stop strings", _given("stop")))),
    ("context/all-is-read-by-chat", "system message", (("think", _given("think")),
                                                       ("a format", _given("format")))),
    ("context/all-is-read-by-chat", "history", (("tools", _given("tools")),
                                                ("truncate false", _given("truncate", False)))),
    ("context/all-is-read-by-chat", "tools", (("think false", _given("think", False)),
                                              ("a stream", _given("stream")))),
)  # fmt: skip
AT_ONCE = [
    Liar(f"no {what} where there is {company}", check, _loses(what, when))
    for check, what, ways in LOST
    for company, when in ways
]

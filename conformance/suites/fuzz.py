"""Made-up requests, family by family: what is valid is answered, what is not is refused.

How many of each says --fuzz (25 without), which ones --fuzz-seed. A failure is shrunk to the
smallest request that shows it.
"""

from __future__ import annotations

from ..check import MAY, MUST, SHOULD, Verdict, check, every
from ..clients import SDKS
from ..evidence import Json
from ..fuzzing import keep_law, keeps_law
from ..mangling import any_case, deeply_nested, hard_to_read, no_json, noise
from ..spoiling import (
    asked_plainly,
    extreme_options,
    lacking,
    plainly,
    raw,
    shown,
    valid,
    wrong_options,
    wrongly_typed,
)
from ..target import NOBODY, Target

HELLO = [{"role": "user", "content": "Hello"}]
THOROUGH = 100  # from so many made-up requests on every wrong value is tried at every place


def cannot(target: Target) -> list[str]:
    """The fields that this model, or this server, has no use for."""
    setup = target.setup
    fields = {"thinking": "think", "tools": "tools", "format": "format"}
    return [
        name for group, name in fields.items()
        if group in setup.absent or (not setup.scripted and group != "format")
    ]  # fmt: skip


def misplaced(target: Target, names: dict[str, dict[str, Json]]) -> Verdict:
    """Passed if a wrong type is refused at each place of these requests."""
    setup = target.setup
    cases = wrongly_typed(names, every=setup.fuzz >= THOROUGH, turn=setup.fuzz_seed)
    return keep_law(target, cases)


@check(
    "fuzz/chat",
    MUST,
    group="core",
    source="docs/api.md#generate-a-chat-completion",
    covers=("REQ-003", "REQ-005", "OPT-031", "OPT-033", "OPT-034"),
    breaks=SDKS,
)
def fuzz_chat(target: Target) -> Verdict:
    """Any chat request that is valid by schema gets an answer that is valid by schema."""
    return _valid(target, "chat")


@check(
    "fuzz/generate",
    MUST,
    group="core",
    source="docs/api.md#generate-a-completion",
    covers=("REQ-003", "REQ-005", "OPT-031", "OPT-033", "OPT-034"),
    breaks=SDKS,
)
def fuzz_generate(target: Target) -> Verdict:
    """Any generate request that is valid by schema gets an answer that is valid by schema."""
    return _valid(target, "generate")


def _valid(target: Target, name: str) -> Verdict:
    found = keep_law(target, plainly(name, target.model))
    return every((found, keeps_law(target, name, valid(name, target.model, cannot(target)))))


@check(
    "fuzz/raw",
    MUST,
    group="core",
    source="docs/api.md#request-raw-mode",
    covers=("GEN-009",),
)
def fuzz_raw(target: Target) -> Verdict:
    """Any text is a prompt, also one with control characters and beyond the first plane."""
    return keeps_law(target, "raw", raw(target.model))


@check(
    "fuzz/show",
    MUST,
    group="manage",
    source="docs/api.md#show-model-information",
    covers=("SHOW-01",),
)
def fuzz_show(target: Target) -> Verdict:
    """Any show request that is valid by schema gets an answer that is valid by schema."""
    return keeps_law(target, "show", shown(target.model))


@check(
    "fuzz/plain-routes",
    MUST,
    group="manage",
    source="docs/api.md#list-local-models",
    covers=("HTTP-021",),
)
def fuzz_plain_routes(target: Target) -> Verdict:
    """tags, ps and version read neither query nor body."""
    return keeps_law(target, "plain-routes", asked_plainly())


@check(
    "fuzz/wrong-types",
    MUST,
    group="core",
    source="api/types.go",
    covers=("REQ-004", "REQ-008", "REQ-009", "REQ-011"),
    breaks=SDKS,
)
def fuzz_wrong_types(target: Target) -> Verdict:
    """A value of the wrong type, at any place, is 400 before the model is looked for."""
    names: dict[str, dict[str, Json]] = {
        "chat": {"model": NOBODY, "messages": HELLO},
        "generate": {"model": NOBODY, "prompt": "a"},
    }
    return misplaced(target, names)


@check(
    "fuzz/wrong-types-of-models",
    MUST,
    group="manage",
    source="api/types.go",
    covers=("HTTP-012",),
)
def fuzz_wrong_types_of_models(target: Target) -> Verdict:
    """A value of the wrong type is 400 for show, copy and delete, too."""
    elsewhere = target.temporary("spoilt-elsewhere")
    names: dict[str, dict[str, Json]] = {
        "show": {"model": NOBODY},
        "copy": {"source": NOBODY, "destination": elsewhere},
        "delete": {"model": NOBODY},
    }
    return misplaced(target, names)


@check(
    "fuzz/wrong-types-of-create",
    MUST,
    group="create",
    source="api/types.go:CreateRequest",
    covers=("HTTP-012",),
)
def fuzz_wrong_types_of_create(target: Target) -> Verdict:
    """A value of the wrong type in a request to create is 400, and nothing is created."""
    names: dict[str, dict[str, Json]] = {
        "create": {"model": target.temporary("spoilt"), "from": target.model}
    }
    return misplaced(target, names)


@check(
    "fuzz/no-json",
    MUST,
    group="core",
    source="docs/api/errors.mdx",
    covers=("REQ-001", "REQ-002"),
    breaks=SDKS,
)
def fuzz_no_json(target: Target) -> Verdict:
    """A body that is no JSON object is 400: cut short, NaN, comments, raw control characters."""
    found = keep_law(target, no_json(target.setup.fuzz_seed))
    return every((found, keeps_law(target, "no-json", noise())))


@check(
    "fuzz/hard-to-read",
    MUST,
    group="core",
    source="encoding/json",
    covers=("REQ-003", "REQ-007", "REQ-012"),
)
def fuzz_hard_to_read(target: Target) -> Verdict:
    """Surrogates, NUL, bad UTF-8, duplicate keys, depth, length: answered or 4xx, never 5xx."""
    found = keep_law(target, deeply_nested(target.model))
    return every((found, keeps_law(target, "hard-to-read", hard_to_read(target.model))))


@check(
    "fuzz/lacking",
    MUST,
    group="core",
    source="server/routes.go",
    covers=("NAME-006", "REQ-006"),
)
def fuzz_lacking(target: Target) -> Verdict:
    """A request without the name of a model is 400 or 404, whatever else it says."""
    return keeps_law(target, "lacking", lacking(target.model))


@check(
    "fuzz/wrong-options",
    MUST,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-032", "ERR-020"),
)
def fuzz_wrong_options(target: Target) -> Verdict:
    """An option of the wrong type is an error, and nothing is generated."""
    return keeps_law(target, "wrong-options", wrong_options(target.model))


@check(
    "fuzz/extreme-options",
    SHOULD,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-035",),
)
def fuzz_extreme_options(target: Target) -> Verdict:
    """Options beyond every range are clamped or refused with 4xx; the server survives them."""
    return keeps_law(target, "extreme-options", extreme_options(target.model))


@check(
    "fuzz/keys-any-case",
    MAY,
    group="core",
    source="encoding/json",
    covers=("REQ-007",),
)
def fuzz_keys_any_case(target: Target) -> Verdict:
    """Keys are read in any case, as Go reads them."""
    return keeps_law(target, "keys-any-case", any_case("generate", target.model), share=0.4)

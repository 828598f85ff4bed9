"""Class create, part six: what a server makes of weights alone, their template and numbers."""

from __future__ import annotations

import struct

from ..check import (
    MAY,
    MUST,
    PASSED,
    SHOULD,
    Verdict,
    check,
    every,
    expect,
    expect_that,
    not_judged,
)
from ..clients import CONTINUE, LANGCHAIN, OPEN_WEBUI, SDKS
from ..evidence import Wrong
from ..forged import STRING, entry, text
from ..provision import create, upload
from ..script import weights
from ..target import Target
from ..vectors import embedding_forms
from ._rendered import answers
from .create import failure

BLOCK = 32  # bytes: tensors stay aligned where a header grows by so many, or by several of these
HEAD = 24  # magic, version, number of tensors, number of keys
NAMED = "named.gguf"
PHI_3 = (  # as `microsoft/Phi-3-mini-4k-instruct:tokenizer_config.json` has it
    "{{ bos_token }}{% for message in messages %}{{'<|' + message['role'] + '|>' + '\n' + "
    "message['content'] + '<|end|>\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
STOPS = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
NO_NUMBER = b"\xff\x7f"  # in 16 bits; twice, in 32
SPOILT = 2048  # bytes at the end of the weights


def with_chat_template(content: bytes, template: str) -> bytes:
    """A GGUF with a chat template, nothing else changed."""
    told = entry(b"tokenizer.chat_template", STRING, text(template.encode()))
    filler = len(entry(b"parallama.filler", STRING, text(b"")))
    told += entry(b"parallama.filler", STRING, text(b"." * (-(len(told) + filler) % BLOCK)))
    (count,) = struct.unpack("<Q", content[HEAD - 8 : HEAD])
    return content[: HEAD - 8] + struct.pack("<Q", count + 2) + told + content[HEAD:]


@check(
    "create/template-of-the-weights",
    MUST,
    group="create",
    source="server/images.go:GetModel",
    covers=("CREATE-04", "SHOW-06"),
    breaks=(*SDKS, LANGCHAIN, CONTINUE),
    alone=True,
)
def template_of_the_weights(target: Target) -> Verdict:
    """Weights that bring a chat template, and are given none, are talked to by their own."""
    name = target.temporary("own-template")
    files = upload(target, {NAMED: with_chat_template(weights(), PHI_3)})
    create(target, name, files=files)
    recitals = [target.recital(id) for id in ("history", "greeting-system")]
    return every(answers(target, name, one.messages, one.content) for one in recitals)


@check(
    "create/template-by-its-name",
    MAY,
    group="create",
    source="server/model.go:detectChatTemplate",
    covers=("CREATE-04", "TMPL-20", "TMPL-22"),
    alone=True,
)
def template_by_its_name(target: Target) -> Verdict:
    """A chat template that is well known is found out: `using autodetected template`, its stops."""
    name = target.temporary("known-template")
    files = upload(target, {NAMED: with_chat_template(weights(), PHI_3)})
    got = create(target, name, files=files)
    said = [one["status"] for one in got.records if "autodetected" in str(one.get("status"))]
    shown = target.post("/api/show", model=name).ok.object
    stops = [one for one in STOPS if f'"{one}"' in str(shown.get("parameters", ""))]
    return every(
        (
            expect(said, ["using autodetected template phi-3"], got),
            expect(stops, list(STOPS)),
        )
    )


@check(
    "embeddings/no-numbers",
    SHOULD,
    group="embeddings",
    source="server/routes.go:normalize",
    covers=("EMBED-024", "ERR-026"),
    breaks=(LANGCHAIN, OPEN_WEBUI),
    alone=True,
)
def no_numbers(target: Target) -> Verdict:
    """Weights that are no numbers are refused, or an error when they embed: never a vector."""
    form = embedding_forms()[0]
    if len(form) != 1:
        not_judged("the embedding model of this suite is of several files")
    ((path, content),) = form.items()
    spoilt = content[:-SPOILT] + NO_NUMBER * (SPOILT // len(NO_NUMBER))
    name = target.temporary("no-numbers")
    made = target.post("/api/create", model=name, files=upload(target, {path: spoilt}))
    try:
        failure(made)
        return PASSED
    except Wrong:
        pass
    asked = [target.post("/api/embed", model=name, input=one) for one in ("Hello", ["a", "b"])]
    odd = [one for one in asked if one.code < 400]
    return expect_that(
        not odd, "an error", odd and odd[0].loose_text[:200], odd[0] if odd else None
    )

"""Which tokens end a generation: what a model declares, and what is known by its text.

Pure. The rules are those of `ggml-org/llama.cpp:src/llama-vocab.cpp` (`special_eog_ids`), and
those of Hugging Face's configs, which list ids.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

END_TEXTS: Final = frozenset(
    {
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<|return|>",  # gpt-oss
        "<|call|>",
        "<|flush|>",  # solar-open
        "<|calls|>",
        "<end_of_turn>",
        "<|endoftext|>",
        "</s>",
        "<|eom_id|>",
        "<EOT>",
        "_<EOT>",
        "[EOT]",
        "[EOS]",
        "<|end_of_text|>",
        "<end_of_utterance>",
        "<eos>",
        "<turn|>",  # gemma 4
        "<|tool_response>",
        "<｜end▁of▁sentence｜>",
        "[e~[",  # minimax
    }
)
"""Tokens that end a turn in every vocabulary that has them."""

_CODE_ENDS: Final = {
    "fim_pad": ("<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"),
    "fim_rep": ("<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"),
    "fim_sep": ("<|file_sep|>",),
}
"""Tokens behind filled-in code, by the GGUF's name for them; the first of each kind ends."""

_CODE_PARTS: Final = {
    "fim_pre": (
        "<|fim_prefix|>",
        "<fim-prefix>",
        "<fim_prefix>",
        "<｜fim▁begin｜>",
        "<PRE>",
        "▁<PRE>",
        "<|code_prefix|>",
        "<|prefix|>",
    ),
    "fim_suf": (
        "<|fim_suffix|>",
        "<fim-suffix>",
        "<fim_suffix>",
        "<｜fim▁hole｜>",
        "<SUF>",
        "▁<SUF>",
        "<|code_suffix|>",
        "<|suffix|>",
    ),
    "fim_mid": (
        "<|fim_middle|>",
        "<fim-middle>",
        "<fim_middle>",
        "<｜fim▁end｜>",
        "<MID>",
        "▁<MID>",
        "<|code_middle|>",
        "<|middle|>",
    ),
}
"""Tokens around code to fill in, which end nothing."""

DECLARED_ENDS: Final = ("eos", "eot", "eom", *_CODE_ENDS)
"""The roles of tokens that end, as `tokenizer.ggml.ROLE_token_id` names them."""

_CHANNELS: Final = frozenset({"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"})


def ends_of(
    vocabulary: Mapping[str, int], declared: Mapping[str, int | None] | None = None
) -> frozenset[int]:
    """The tokens that end, from a vocabulary and the ids that a GGUF declares by role."""
    declared = declared or {}
    ends = {one for one in declared.values() if one is not None}
    for role, texts in _CODE_ENDS.items():
        if declared.get(role) is None:
            ends.update([vocabulary[text] for text in texts if text in vocabulary][:1])
    ends |= {vocabulary[text] for text in END_TEXTS if text in vocabulary}
    return frozenset(ends - {vocabulary[text] for text in _going_on(vocabulary)})


def hidden_anyway(vocabulary: Collection[str], roles: Collection[str] = ()) -> frozenset[str]:
    """Tokens that show nothing whatever a GGUF says of them, given the roles that it names."""
    firsts = (
        next((text for text in texts if text in vocabulary), None)
        for role, texts in (_CODE_PARTS | _CODE_ENDS).items()
        if role not in roles
    )
    return END_TEXTS | {text for text in firsts if text is not None}


def seen_anyway(vocabulary: Collection[str]) -> frozenset[str]:
    """Tokens that are text whatever a GGUF says of them: what channels are made of."""
    ends_no_more = "<|end|>" in vocabulary and "<|end|>" in _going_on(vocabulary)
    return _CHANNELS | {"<|end|>"} if ends_no_more else _CHANNELS


def _going_on(vocabulary: Collection[str]) -> frozenset[str]:
    """Tokens that look like an end and, among these other tokens, are none."""
    going_on = set()
    if "<|call|>" in vocabulary and "<|return|>" in vocabulary:
        going_on.add("<|end|>")  # of one message; the next one follows
    if "<|flush|>" in vocabulary and {"<|call|>", "<|calls|>"} & set(vocabulary):
        going_on.add("<|end|>")
    if "<|tool_response>" in vocabulary:
        going_on.add("</s>")
    return frozenset(going_on & set(vocabulary))

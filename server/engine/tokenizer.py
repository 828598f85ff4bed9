"""Text to token ids and back, from a GGUF's metadata or from a `tokenizer.json`.

The merging is done by Hugging Face's `tokenizers`; what is ours is which parts a model needs,
the bytes of each token, and which tokens end a generation. A vocabulary of a kind that is not
known for certain is refused: near enough would be wrong text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Merger

from ..gguf import Value
from .sequence import LoadError

_CONTROL: Final = 3  # llama_token_type
_USER_DEFINED: Final = 4
_BYTE_TOKEN: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")

# Tokens that end a turn wherever they appear: ggml-org/llama.cpp:src/llama-vocab.cpp
END_TEXTS: Final = frozenset(
    {
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<end_of_turn>",
        "<|endoftext|>",
        "<|eom_id|>",
        "<EOT>",
        "<|end_of_text|>",
        "<｜end▁of▁sentence｜>",
    }
)

_LLAMA3: Final = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2: Final = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


@dataclass(frozen=True, slots=True)
class Splitting:
    """How one `tokenizer.ggml.pre` cuts text before merging, and what else it implies."""

    digits: bool = False
    pattern: str | None = None  # None: the pattern of GPT-2
    whole_words: bool = False  # a word in the vocabulary is one token, whatever the merges say
    add_bos: bool = False


# ggml-org/llama.cpp:src/llama-vocab.cpp, llm_tokenizer_bpe and load
SPLITTINGS: Final = {
    "gpt-2": Splitting(),
    "olmo": Splitting(),
    "smollm": Splitting(digits=True),
    "starcoder": Splitting(digits=True),
    "refact": Splitting(digits=True),
    "llama-bpe": Splitting(pattern=_LLAMA3, whole_words=True, add_bos=True),
    "llama3": Splitting(pattern=_LLAMA3, whole_words=True, add_bos=True),
    "smaug-bpe": Splitting(pattern=_LLAMA3),
    "qwen2": Splitting(pattern=_QWEN2),
    "deepseek-r1-qwen": Splitting(pattern=_QWEN2),
}


class Tokenizer:
    """One model's vocabulary. Any thread may call it."""

    def __init__(
        self,
        merger: Merger,
        token_bytes: Sequence[bytes],
        *,
        bos_id: int | None,
        add_bos: bool,
        eos_ids: frozenset[int],
    ) -> None:
        self._merger = merger
        self._plain: Merger | None = None
        self.token_bytes = token_bytes
        self.bos_id = bos_id
        self.add_bos = add_bos and bos_id is not None
        self.eos_ids = eos_ids

    def encode(self, text: str, special: bool = True) -> list[int]:
        """The token ids of a text; the text of a control token becomes that token if `special`.

        No BOS is added: `add_bos` says whether a prompt begins with `bos_id`.
        """
        merger = self._merger if special else self._without_specials()
        ids: list[int] = merger.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids; control tokens show nothing."""
        known = len(self.token_bytes)
        joined = b"".join(self.token_bytes[one] for one in ids if 0 <= one < known)
        return joined.decode("utf-8", errors="replace")

    def _without_specials(self) -> Merger:
        if self._plain is None:
            plain = Merger.from_str(self._merger.to_str())
            plain.encode_special_tokens = True
            self._plain = plain
        return self._plain


def from_gguf(metadata: Mapping[str, Value]) -> Tokenizer:
    """The tokenizer that a GGUF carries: byte-level BPE with a known pre-tokenizer."""
    kind = metadata.get("tokenizer.ggml.model")
    if kind != "gpt2":
        raise LoadError(f"tokenizer {kind!r} is not supported: byte-level BPE ('gpt2') is")
    name = metadata.get("tokenizer.ggml.pre")
    splitting = SPLITTINGS.get(name) if isinstance(name, str) else None
    if splitting is None:
        known = ", ".join(sorted(SPLITTINGS))
        raise LoadError(f"pre-tokenizer {name!r} is not supported: these are: {known}")
    tokens = _texts(metadata, "tokenizer.ggml.tokens")
    if len(set(tokens)) != len(tokens):
        raise LoadError("lying GGUF: the vocabulary names a token twice")
    types = metadata.get("tokenizer.ggml.token_type", (1,) * len(tokens))
    if not isinstance(types, tuple) or len(types) != len(tokens):
        raise LoadError("lying GGUF: tokenizer.ggml.token_type and tokens differ in length")
    merger = _bpe(tokens, _texts(metadata, "tokenizer.ggml.merges"), splitting)
    added = [
        AddedToken(token, special=kind == _CONTROL, normalized=False)
        for token, kind in zip(tokens, types, strict=True)
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    merger.add_tokens(added)
    if merger.get_vocab_size() != len(tokens):
        raise LoadError("lying GGUF: the vocabulary does not hold its own control tokens")
    alphabet = _byte_of_character()
    token_bytes = [
        _gguf_bytes(token, kind, alphabet) for token, kind in zip(tokens, types, strict=True)
    ]
    eos = _token_id(metadata, "tokenizer.ggml.eos_token_id", len(tokens))
    eot = _token_id(metadata, "tokenizer.ggml.eot_token_id", len(tokens))
    ends = {one for one in (eos, eot) if one is not None}
    ends |= {index for index, token in enumerate(tokens) if token in END_TEXTS}
    return Tokenizer(
        merger,
        token_bytes,
        bos_id=_token_id(metadata, "tokenizer.ggml.bos_token_id", len(tokens)),
        add_bos=bool(metadata.get("tokenizer.ggml.add_bos_token", splitting.add_bos)),
        eos_ids=frozenset(ends),
    )


def _gguf_bytes(token: str, kind: object, alphabet: Mapping[str, int]) -> bytes:
    """The bytes a token shows: none for a control token, its own text for a user-defined one."""
    if kind == _CONTROL:
        return b""
    if kind == _USER_DEFINED:
        return token.encode()
    return _level_bytes(token, alphabet)


def _texts(metadata: Mapping[str, Value], key: str) -> tuple[str, ...]:
    value = metadata.get(key)
    texts = value if isinstance(value, tuple) else ()
    if not texts and key.endswith("tokens"):
        raise LoadError(f"the GGUF has no {key}")
    strings = tuple(one for one in texts if isinstance(one, str))
    if len(strings) != len(texts):
        raise LoadError(f"lying GGUF: {key} holds something else than strings")
    return strings


def _token_id(metadata: Mapping[str, Value], key: str, num_tokens: int) -> int | None:
    value = metadata.get(key)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value < num_tokens:
        raise LoadError(f"lying GGUF: {key} is {value!r}, the vocabulary has {num_tokens} tokens")
    return value


def _bpe(tokens: Sequence[str], merges: Sequence[str], splitting: Splitting) -> Merger:
    pairs = []
    for merge in merges:
        left, space, right = merge.partition(" ")
        if not space or not left or not right:
            raise LoadError(f"lying GGUF: {merge!r} is no merge of two tokens")
        pairs.append((left, right))
    vocabulary = {token: index for index, token in enumerate(tokens)}
    try:
        model = models.BPE(vocabulary, pairs, ignore_merges=splitting.whole_words)
    except Exception as error:  # tokenizers raises plain Exception
        raise LoadError(f"lying GGUF: its merges do not fit its vocabulary: {error}") from error
    merger = Merger(model)
    parts: list[pre_tokenizers.PreTokenizer] = []
    if splitting.digits:
        parts.append(pre_tokenizers.Digits(individual_digits=True))
    if splitting.pattern is not None:
        parts.append(pre_tokenizers.Split(Regex(splitting.pattern), behavior="isolated"))
    own_pattern = splitting.pattern is None
    parts.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=own_pattern))
    merger.pre_tokenizer = pre_tokenizers.Sequence(parts)
    merger.decoder = decoders.ByteLevel()
    return merger


def from_json(files: Mapping[str, Path]) -> Tokenizer:
    """The tokenizer of a Hugging Face folder: `tokenizer.json` and the configs beside it."""
    path = files.get("tokenizer.json")
    if path is None:
        raise LoadError("the model has no tokenizer.json")
    try:
        merger = Merger.from_file(str(path))
        decoder = json.loads(path.read_bytes()).get("decoder")
    except Exception as error:  # tokenizers raises plain Exception
        raise LoadError(f"tokenizer.json cannot be read: {error}") from error
    config = read_json(files, "tokenizer_config.json")
    ends = {
        one
        for name in ("generation_config.json", "config.json")
        for one in _listed(read_json(files, name).get("eos_token_id"))
    }
    vocabulary: dict[str, int] = merger.get_vocab(with_added_tokens=True)
    ends |= {
        vocabulary[text]
        for text in END_TEXTS | {_content(config.get("eos_token"))}
        if text in vocabulary
    }
    bos = vocabulary.get(_content(config.get("bos_token")))
    # with no flag of its own the file's post-processor decides
    adds = config.get("add_bos_token", bos is not None and merger.encode("").ids[:1] == [bos])
    return Tokenizer(
        merger,
        _json_bytes(merger, vocabulary, decoder),
        bos_id=bos,
        add_bos=bool(adds),
        eos_ids=frozenset(ends),
    )


def read_json(files: Mapping[str, Path], name: str) -> dict[str, Any]:
    """One JSON object of the model's files; empty when there is no such file."""
    path = files.get(name)
    if path is None:
        return {}
    try:
        read = json.loads(path.read_bytes())
    except ValueError as error:
        raise LoadError(f"{name} is no JSON: {error}") from error
    if not isinstance(read, dict):
        raise LoadError(f"{name} holds no JSON object")
    return read


def _listed(value: object) -> list[int]:
    several = value if isinstance(value, list) else [value]
    return [one for one in several if type(one) is int]


def _content(token: object) -> str:
    """The text of a token that a config gives as text or as an object."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else ""


def _json_bytes(merger: Merger, vocabulary: Mapping[str, int], decoder: object) -> list[bytes]:
    """The bytes of each token, by the kind of decoder that `tokenizer.json` names."""
    steps = decoder.get("decoders", [decoder]) if isinstance(decoder, dict) else []
    kinds = {step.get("type") for step in steps if isinstance(step, dict)}
    if "ByteLevel" not in kinds and "ByteFallback" not in kinds:
        raise LoadError("tokenizer.json is neither byte-level nor SentencePiece with byte fallback")
    alphabet = _byte_of_character()
    table = [b""] * (max(vocabulary.values(), default=-1) + 1)
    added = merger.get_added_tokens_decoder()
    for token, index in vocabulary.items():
        if index in added:
            table[index] = b"" if added[index].special else token.encode()
        elif "ByteLevel" in kinds:
            table[index] = _level_bytes(token, alphabet)
        elif found := _BYTE_TOKEN.fullmatch(token):
            table[index] = bytes([int(found[1], 16)])
        else:
            table[index] = token.replace("▁", " ").encode()
    return table


def _level_bytes(token: str, alphabet: Mapping[str, int]) -> bytes:
    """The bytes that a byte-level token stands for; a foreign character stands for itself."""
    return b"".join(
        bytes([alphabet[one]]) if one in alphabet else one.encode(errors="replace") for one in token
    )


def _byte_of_character() -> dict[str, int]:
    """The byte behind each character of byte-level BPE (`openai/gpt-2:src/encoder.py`)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [one for one in range(0x100) if one not in printable]
    alphabet = {chr(one): one for one in printable}
    return alphabet | {chr(0x100 + place): one for place, one in enumerate(others)}

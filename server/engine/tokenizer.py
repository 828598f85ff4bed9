"""Text to token ids and back, from a GGUF's metadata or from a `tokenizer.json`.

The merging is done by Hugging Face's `tokenizers`; what is ours is which parts a model needs,
the bytes of each token, and which tokens end a generation. A vocabulary of a kind that is not
known for certain is refused: near enough would be wrong text.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken
from tokenizers import Tokenizer as Merger

from ..gguf import Value
from .byte_pairs import byte_of_character, level_bytes, merger_of_pairs, pair_bytes
from .end_tokens import END_TEXTS, ends_of, seen_anyway
from .gguf_vocabulary import Kind, is_byte, piece_bytes, read_vocabulary
from .sentencepieces import merger_of_pieces, shown_by_pieces
from .sequence import LoadError
from .splittings import splitting_of

_PIECE_ROLES: Final = {"bos": 1, "eos": 2, "unknown": 0}  # where the file says nothing


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
        control_ids: Mapping[str, int] | None = None,
    ) -> None:
        self._merger = merger
        self._plain: Merger | None = None
        self.token_bytes = token_bytes
        self.bos_id = bos_id
        self.add_bos = add_bos and bos_id is not None
        self.eos_ids = eos_ids
        self.control_ids = control_ids or {}

    def shown(self, texts: Iterable[str]) -> dict[int, bytes]:
        """The control tokens with these texts, each with its text; those that end are none."""
        found = {self.control_ids[one]: one.encode() for one in texts if one in self.control_ids}
        return {one: text for one, text in found.items() if one not in self.eos_ids}

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
    """The tokenizer that a GGUF carries: byte pairs ("gpt2", "gemma4") or pieces ("llama")."""
    kind = metadata.get("tokenizer.ggml.model")
    if kind == "llama":
        vocabulary = read_vocabulary(metadata, _PIECE_ROLES)
        merger = merger_of_pieces(metadata, vocabulary)
        token_bytes, adds_bos, forces_bos = shown_by_pieces(vocabulary), True, False
    elif kind in ("gpt2", "gemma4"):
        name = "gemma4" if kind == "gemma4" else metadata.get("tokenizer.ggml.pre")
        splitting = splitting_of(name)
        vocabulary = read_vocabulary(metadata, {})
        merger = merger_of_pairs(metadata, vocabulary, splitting)
        token_bytes = pair_bytes(vocabulary, splitting)
        adds_bos, forces_bos = splitting.add_bos, splitting.forces_bos
    else:
        raise LoadError(
            f"tokenizer {kind!r} is not supported for a model that writes text:"
            " 'gpt2', 'gemma4' (byte pairs) and 'llama' (SentencePiece) are"
        )
    return Tokenizer(
        merger,
        token_bytes,
        bos_id=vocabulary.roles.get("bos"),
        add_bos=forces_bos or bool(metadata.get("tokenizer.ggml.add_bos_token", adds_bos)),
        eos_ids=vocabulary.ends,
        control_ids=vocabulary.controls,
    )


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
    merger.no_truncation()  # some files keep what they were trained with
    merger.no_padding()
    config = read_json(files, "tokenizer_config.json")
    vocabulary: dict[str, int] = merger.get_vocab(with_added_tokens=True)
    added = merger.get_added_tokens_decoder()
    seen = [one.content for one in added.values() if one.content in seen_anyway(vocabulary)]
    merger.add_tokens([AddedToken(one, special=False, normalized=False) for one in seen])
    controls = {
        one.content: index
        for index, one in added.items()
        if (one.special or one.content in END_TEXTS) and one.content not in seen
    }
    bos = vocabulary.get(_content(config.get("bos_token")))
    # with no flag of its own the file's post-processor decides
    adds = config.get("add_bos_token", bos is not None and merger.encode("").ids[:1] == [bos])
    return Tokenizer(
        merger,
        _json_bytes(vocabulary, {one.content for one in added.values()}, controls, decoder),
        bos_id=bos,
        add_bos=bool(adds),
        eos_ids=ends_of(vocabulary, _declared_ends(files, vocabulary, config)),
        control_ids=controls,
    )


def _declared_ends(
    files: Mapping[str, Path], vocabulary: Mapping[str, int], config: Mapping[str, Any]
) -> dict[str, int]:
    """The ends that the configs list by id, and the one that the tokenizer's names by text."""
    model = read_json(files, "config.json")
    inner = model.get("text_config")
    listings = (
        read_json(files, "generation_config.json").get("eos_token_id"),
        model.get("eos_token_id"),
        inner.get("eos_token_id") if isinstance(inner, dict) else None,
        vocabulary.get(_content(config.get("eos_token"))),
    )
    return {str(one): one for listing in listings for one in _listed(listing)}


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


def _json_bytes(
    vocabulary: Mapping[str, int],
    added: Collection[str],
    controls: Collection[str],
    decoder: object,
) -> list[bytes]:
    """The bytes of each token, by the kind of decoder that `tokenizer.json` names."""
    steps = decoder.get("decoders", [decoder]) if isinstance(decoder, dict) else []
    kinds = {step.get("type") for step in steps if isinstance(step, dict)}
    if not kinds & {"ByteLevel", "ByteFallback", "Metaspace"}:
        raise LoadError("tokenizer.json is neither byte-level nor SentencePiece")
    alphabet = byte_of_character()
    table = [b""] * (max(vocabulary.values(), default=-1) + 1)
    for token, index in vocabulary.items():
        if token in controls:
            continue
        if "ByteLevel" in kinds:
            table[index] = token.encode() if token in added else level_bytes(token, alphabet)
        else:
            kind = Kind.BYTE if "ByteFallback" in kinds and is_byte(token) else Kind.NORMAL
            table[index] = piece_bytes(token, kind)
    return table

"""How vocabularies of byte pairs cut text before merging: one row for every name that GGUFs use.

Pure. A row does what `ggml-org/llama.cpp:src/llama-vocab.cpp` (`llm_tokenizer_bpe`, and `load` for
the names) does with that name, where a model's own `tokenizer.json` differs, too: in llama.cpp a
letter has no case but in a-z, the sign `~` is no symbol, and only blanks of ASCII are in a range
(`src/unicode.cpp:unicode_regex_split`).
Patterns are those of Oniguruma, which `tokenizers` has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .sequence import LoadError


@dataclass(frozen=True, slots=True)
class Splitting:
    """How one `tokenizer.ggml.pre` cuts text, and what else it implies.

    Each pattern cuts what those before it left: its matches and what is between them are parts.
    """

    patterns: tuple[str, ...]
    whole_words: bool = False  # a part in the vocabulary is one token, whatever the merges say
    add_bos: bool = False
    forces_bos: bool = False  # whatever the file says
    raw: bool = False  # merges are of characters, spaces are U+2581: no byte-level alphabet
    whole_line_ends: bool = False  # a run of them is one token


_SUFFIX: Final = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_WORD: Final = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_MARKED_WORD: Final = r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"
_SIGNS: Final = r" ?[^\s\p{L}\p{N}]+"
_BLANKS: Final = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_THREES: Final = r"(?<=[0-9])[0-9]{3}|[0-9]{1,3}(?=(?:[0-9]{3})*+(?![0-9]))"
# Digits in threes from the right; the first of them belong to what is before. Looking behind, and
# for the end, keeps this linear.
_DIGITS_FROM_RIGHT: Final = (
    r"(?<=\p{N})\p{N}{3}|\P{N}*+(?:\p{N}{1,3}(?=(?:\p{N}{3})*+(?!\p{N}))|\z)"
)
_SYMBOL: Final = r"[\p{S}&&[^~]]"

_GPT2: Final = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"  # \s+ is left over
)
_LLAMA3: Final = rf"{_SUFFIX}|{_WORD}|\p{{N}}{{1,3}}|{_SIGNS}[\r\n]*|{_BLANKS}"
_QWEN2: Final = rf"{_SUFFIX}|{_WORD}|\p{{N}}|{_SIGNS}[\r\n]*|{_BLANKS}"
_QWEN35: Final = rf"{_SUFFIX}|{_MARKED_WORD}|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_BLANKS}"
_JAIS2: Final = (
    rf"{_SUFFIX}|{_WORD}|\p{{N}}{{1,3}}|{_SIGNS}[\r\n]*|\s*[\r\n]+"
    r"|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)"
    r"|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}"
)


def _cased(suffix: str, digits: str, letters: str = r"\p{L}") -> str:
    """Words that end where lower case is followed by upper case."""
    begin, upper, lower = r"[^\r\n\p{L}\p{N}]?", f"[{letters}&&[^a-z]]", f"[{letters}&&[^A-Z]]"
    return (
        f"{begin}{upper}*{lower}+{suffix}|{begin}{upper}+{lower}*{suffix}"
        rf"|{digits}|{_SIGNS}[\r\n/]*|{_BLANKS}"
    )


_TEKKEN: Final = _cased("", r"\p{N}")
_GPT4O: Final = _cased(f"{_SUFFIX}?", r"\p{N}{1,3}")
_GRANITE_EMBEDDING: Final = _cased(f"{_SUFFIX}?", r"\p{N}{1,3}", r"[\p{L}\p{M}]")
_AYA: Final = rf"{_MARKED_WORD}{_SUFFIX}?|\p{{N}}{{1,3}}|{_SIGNS}[\r\n/]*|{_BLANKS}"
_YOUTU: Final = rf"{_MARKED_WORD}{_SUFFIX}?|\p{{N}}|{_SIGNS}[\r\n/]*|{_BLANKS}"
_EAST_ASIAN: Final = (
    r"[\x{AC00}-\x{D7A3}\x{3131}-\x{318E}]+"
    r"|[\x{FF01}\x{2026}\x{201C}\x{201D}\x{2018}\x{2019}\x{2014}\x{FF1A}\x{FF1B}\x{FF0C}"
    r"\x{3001}-\x{303F}\x{FE30}-\x{FE4F}]+"
    r"|[\x{3105}-\x{312F}]+|[\x{4E00}-\x{9FA5}\x{3040}-\x{30FF}]+"
)
_ASIAN: Final = (
    r"[\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{8C48}-\x{FAFF}\x{3040}-\x{30FF}\x{FF65}-\x{FF9F}"
    r"\x{2F00}-\x{2FDF}\x{E40}-\x{EFF}\x{1780}-\x{17FF}\x{1000}-\x{109F}\x{AA60}-\x{AA7F}"
    r"\x{A9E0}-\x{A9FF}\x{AC00}-\x{D7AF}\x{1100}-\x{11FF}]+"
)
_BAILING: Final = (
    rf"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|{_WORD}|\p{{N}}|{_SIGNS}[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)
_SEED_CODER: Final = rf"{_SUFFIX}|{_WORD}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_BLANKS}"
_EXAONE_MOE: Final = (
    rf"{_SUFFIX}|[^\r\n\p{{L}}\p{{N}}]?(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+"
    rf"|\p{{N}}|{_SIGNS}[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
)
_MINICPM5: Final = rf"{_SUFFIX}|{_WORD}|\p{{N}}+|{_SIGNS}[\r\n]*|{_BLANKS}"
_HAN: Final = (
    r"\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2EBEF}\x{F900}-\x{FAFF}"
    r"\x{2F800}-\x{2FA1F}"
)
_KIMI: Final = (
    rf"[{_HAN}]+|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}&&[^{_HAN}]]+{_SUFFIX}?|\p{{N}}{{1,3}}"
    rf"|{_SIGNS}[\r\n]*|{_BLANKS}"
)
_BLOOM: Final = (
    r" ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+"  # the bar, too
)
_DEEPSEEK_CJK: Final = r"[\x{800}-\x{9FA5}\x{AC00}-\x{D7FF}&&[^\s]]+"
_DEEPSEEK_LETTERS: Final = (
    r"A-Za-z"
    r"\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}"
    r"\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}"
    r"\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}"
    r"\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}"
    r"\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}"
    r"\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}"
    r"\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}"
    r"\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}"
    r"\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}"
    r"\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}"
    r"\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}"
    r"\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}"
    r"\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}"
    r"\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}"
    r"\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}"
    r"\x{1E900}-\x{1E943}"
)
_DEEPSEEK_LLM: Final = (
    r"[\r\n]",
    rf"\s?[{_DEEPSEEK_LETTERS}]+",
    r"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3001}\x{3002}]+",
    r"\s+$",
    _DEEPSEEK_CJK,
    r"\p{N}+",
)
_DEEPSEEK_CODER: Final = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _DEEPSEEK_CJK, r"\p{N}")
_DEEPSEEK_WORDS: Final = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"
    rf"|[^\r\n\p{{L}}\p{{P}}{_SYMBOL}]?[\p{{L}}\p{{M}}]+"
    rf"| ?[\p{{P}}{_SYMBOL}]+[\r\n]*|{_BLANKS}"
)
_DEEPSEEK3: Final = (r"\p{N}{1,3}", r"[\x{4E00}-\x{9FA5}\x{3040}-\x{30FF}]+", _DEEPSEEK_WORDS)
_FALCON: Final = (r"[\p{P}$+<=>\^~|`]+", _GPT2, r"[0-9][0-9][0-9]")
_CHAMELEON: Final = (
    r"<sentinel:[0-9]+>",
    r"(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
    r"([\t\n]|    |  )",
    r"\p{N}",
    r"[\p{P}!-/:-@\[-`{-~]",
    _GPT2,
)
_LINES: Final = r"[^\n]+|\n+"

UNNAMED: Final = "default"
"""What a GGUF without a name gets; llama.cpp warns of it."""

_ROWS: Final[tuple[tuple[str, Splitting], ...]] = (
    (UNNAMED, Splitting((r"[\p{P}$+<=>\^~|]+", _GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"))),
    (
        "gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code roberta-bpe"
        " gigachat a.x-4.0 mellum modern-bert mpt olmo jais trillion granite-docling exaone4",
        Splitting((_GPT2,)),
    ),
    (
        "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2",
        Splitting((r"\p{N}", _GPT2)),
    ),
    (
        "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
        Splitting((_LLAMA3,), whole_words=True, add_bos=True),
    ),
    ("dbrx smaug-bpe glm4 chatglm-bpe", Splitting((_LLAMA3,))),
    (
        "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2",
        Splitting((_QWEN2,)),
    ),
    ("qwen35", Splitting((_QWEN35,))),
    ("tekken", Splitting((_TEKKEN,), whole_words=True, add_bos=True)),
    ("gpt-4o llama4 kanana2 talkie minimax-m2", Splitting((_GPT4O,))),
    ("granite-embed-multi-97m", Splitting((_GRANITE_EMBEDDING,), whole_words=True)),
    ("tiny_aya cohere2moe", Splitting((_DIGITS_FROM_RIGHT, _AYA))),
    ("youtu", Splitting((_EAST_ASIAN, _YOUTU), whole_words=True)),
    ("deepseek-llm", Splitting(_DEEPSEEK_LLM)),
    ("deepseek-coder", Splitting(_DEEPSEEK_CODER)),
    ("deepseek-v3 hunyuan-dense joyai-llm", Splitting(_DEEPSEEK3)),
    ("afmoe", Splitting((_DIGITS_FROM_RIGHT, _ASIAN, _DEEPSEEK_WORDS))),
    ("kimi-k2", Splitting((_KIMI,))),
    ("falcon", Splitting(_FALCON)),
    ("chameleon", Splitting(_CHAMELEON, add_bos=True)),
    ("bailingmoe bailingmoe2 llada-moe", Splitting((_BAILING,))),
    ("seed-coder", Splitting((_SEED_CODER,))),
    ("exaone-moe", Splitting((_EXAONE_MOE,))),
    ("minicpm5", Splitting((r"\p{N}{1,3}", _MINICPM5), whole_words=True)),
    ("jais-2", Splitting((_JAIS2,))),
    ("laguna", Splitting((_LINES, _QWEN2))),
    ("poro-chat bloom gpt3-finnish", Splitting((_BLOOM,))),
    ("viking", Splitting((_BLOOM, r"\p{N}"))),
    ("superbpe", Splitting((r"\p{N}+", _THREES))),
    (
        "gemma4 granite-embed-multi-311m",
        Splitting((_LINES,), forces_bos=True, raw=True, whole_line_ends=True),
    ),
    ("sarvam-moe", Splitting((_LINES,), raw=True)),
)

SPLITTINGS: Final = {name: row for names, row in _ROWS for name in names.split()}


def splitting_of(name: object) -> Splitting:
    """The row of a `tokenizer.ggml.pre`; raises LoadError for a name that is not known."""
    found = SPLITTINGS.get(name if isinstance(name, str) and name else UNNAMED)
    if found is None or not isinstance(name, str | None):
        raise LoadError(
            f"pre-tokenizer {name!r} is not supported: how it cuts text is not known;"
            f" known are {', '.join(sorted(SPLITTINGS))}"
        )
    return found

"""Which architectures this engine runs, and how their files name what mlx-lm names otherwise.

One table, read by the readers of both kinds of files, by the loader and by `docs/models.md`.
The type of a model comes from its config or its GGUF header. No arrays are touched here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from .sequence import LoadError

Names = Mapping[str, str]

_ATTENTION: Final = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
}
_GATED: Final = {
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_NORMS_BEFORE: Final = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_NORMS_AFTER: Final = {
    "post_attention_norm": "post_attention_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_QK_NORMS: Final = {
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
}
_LLAMA: Final = _NORMS_BEFORE | _ATTENTION | _GATED
_GEMMA2: Final = (
    _LLAMA | _NORMS_AFTER | {"ffn_norm": "pre_feedforward_layernorm"}
)  # one norm before and one after each part
OUTER_NAMES: Final = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}


def _experts(block: str) -> dict[str, str]:
    """The names of a mixture of experts whose modules are in this block of a layer."""
    return {
        "ffn_gate_inp": f"{block}.gate",
        "ffn_gate_exps": f"{block}.switch_mlp.gate_proj",
        "ffn_up_exps": f"{block}.switch_mlp.up_proj",
        "ffn_down_exps": f"{block}.switch_mlp.down_proj",
    }


@dataclass(frozen=True, slots=True)
class Metadata:
    """A number that a GGUF has under `ARCHITECTURE.key`; without a default it must be there.

    Where it is absent, `default` may name another config key, whose value it then has.
    """

    key: str
    default: float | str | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Architecture:
    """How one architecture's files become mlx-lm's model.

    `model_type` is what a config.json says, `module` the one of `mlx_lm.models` that runs it.
    """

    model_type: str
    module: str
    gguf: str  # `general.architecture`
    names: Names  # GGUF's tensors of a layer, as mlx-lm's modules
    mixture: bool = False  # has experts: one GGUF name may stand for a model with or without
    permuted: bool = False  # llama.cpp turns neighbours, so a GGUF has rows of q and k reordered
    shifted_norms: bool = False  # a GGUF's norms are 1 larger
    overflows: bool = False  # float16, which what is packed otherwise becomes on Apple silicon
    always_tied: bool = False  # there is no output matrix
    square: bool = False  # mlx-lm takes hidden size / heads as the size of a head
    partly_turned: bool = False  # rotates only the beginning of each head
    llama_layers: bool = True  # `cpu_layers` can stand in for its attention and feed-forward
    scalings: tuple[str, ...] = ("linear", "llama3", "yarn")  # of the rotary embedding
    metadata: Mapping[str, Metadata] = field(default_factory=dict)  # config key to GGUF key
    fixed: Mapping[str, object] = field(default_factory=dict)  # in the config of every GGUF
    usual: Mapping[str, object] = field(default_factory=dict)  # what a config.json may leave out
    scaled_by_width: tuple[int, ...] = ()  # numbers of layers whose attention is
    windowed: bool = False  # some layers look back only so far
    defaults: Mapping[str, float] = field(default_factory=dict)  # of GGUF keys
    older_keys: Names = field(default_factory=dict)  # GGUF keys, as older files of Ollama's say
    refused: Names = field(default_factory=dict)  # GGUF keys that must be 0, and what they mean


_GRANITE_SCALES: Final = {
    "logits_scaling": Metadata("logit_scale"),
    "attention_multiplier": Metadata("attention.scale"),
    "embedding_multiplier": Metadata("embedding_scale", 1.0),
    "residual_multiplier": Metadata("residual_scale", 1.0),
}
_EXPERT_COUNTS: Final = {
    "num_experts": Metadata("expert_count", whole=True),
    "num_experts_per_tok": Metadata("expert_used_count", whole=True),
}

ARCHITECTURES: Final = (
    Architecture("llama", "llama", "llama", _LLAMA, permuted=True),
    # Ollama, too, lets every layer of a mistral see everything
    Architecture("mistral", "llama", "llama", _LLAMA, permuted=True),
    Architecture(
        "mixtral",
        "mixtral",
        "llama",
        _NORMS_BEFORE | _ATTENTION | _experts("block_sparse_moe"),
        mixture=True,
        permuted=True,
        square=True,
        llama_layers=False,
        scalings=(),
        usual={"rope_theta": 1e6},
        metadata={
            "num_local_experts": Metadata("expert_count", whole=True),
            "num_experts_per_tok": Metadata("expert_used_count", whole=True),
        },
    ),
    Architecture("qwen2", "qwen2", "qwen2", _LLAMA, square=True),
    Architecture("qwen3", "qwen3", "qwen3", _LLAMA | _QK_NORMS),
    Architecture(
        "qwen3_moe",
        "qwen3_moe",
        "qwen3moe",
        _NORMS_BEFORE | _ATTENTION | _QK_NORMS | _experts("mlp"),
        mixture=True,
        llama_layers=False,
        scalings=(),
        metadata=_EXPERT_COUNTS
        | {"moe_intermediate_size": Metadata("expert_feed_forward_length", whole=True)},
        fixed={"norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": []},
    ),
    Architecture(
        "gemma",
        "gemma",
        "gemma",
        _LLAMA,
        shifted_norms=True,
        overflows=True,
        always_tied=True,
        llama_layers=False,
        scalings=(),
    ),
    Architecture(
        "gemma2",
        "gemma2",
        "gemma2",
        _GEMMA2,
        shifted_norms=True,
        overflows=True,
        always_tied=True,
        llama_layers=False,
        scalings=(),
        metadata={
            "attn_logit_softcapping": Metadata("attn_logit_softcapping", 50.0),
            "final_logit_softcapping": Metadata("final_logit_softcapping", 30.0),
            "sliding_window": Metadata("attention.sliding_window", 4096, whole=True),
        },
        scaled_by_width=(46,),
        windowed=True,
    ),
    Architecture(
        "gemma3_text",
        "gemma3_text",
        "gemma3",
        _GEMMA2 | _QK_NORMS,
        shifted_norms=True,
        overflows=True,
        llama_layers=False,
        scalings=("linear",),
        metadata={
            "rope_local_base_freq": Metadata("rope.freq_base_swa", 10000.0),
            "sliding_window": Metadata("attention.sliding_window", whole=True),
            "sliding_window_pattern": Metadata("attention.sliding_window_pattern", 6, whole=True),
        },
        # huggingface/transformers: Gemma3TextConfig, but for what Gemma 3's own exports leave out
        usual={
            "vocab_size": 262208,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "max_position_embeddings": 131072,
            "rope_theta": 1e6,
        },
        scaled_by_width=(62,),
        windowed=True,
        # ollama/ollama:llama/compat/llama-ollama-compat.cpp handle_gemma3
        defaults={"attention.layer_norm_rms_epsilon": 1e-6, "rope.freq_base": 1e6},
        older_keys={
            "rope.freq_base": "rope.global.freq_base",
            "rope.freq_base_swa": "rope.local.freq_base",
        },
        refused={"final_logit_softcapping": "softcapped logits"},
    ),
    Architecture(
        "phi3",
        "phi3",
        "phi3",
        _NORMS_BEFORE
        | {
            "attn_qkv": "self_attn.qkv_proj",
            "attn_output": "self_attn.o_proj",
            "ffn_up": "mlp.gate_up_proj",
            "ffn_down": "mlp.down_proj",
        },
        square=True,
        partly_turned=True,
        llama_layers=False,
        scalings=("longrope",),
        metadata={
            "original_max_position_embeddings": Metadata(
                "rope.scaling.original_context_length", "max_position_embeddings", whole=True
            ),
        },
    ),
    Architecture(
        "granite",
        "granite",
        "granite",
        _LLAMA,
        permuted=True,
        square=True,
        metadata=_GRANITE_SCALES,
    ),
    Architecture(
        "olmo2",
        "olmo2",
        "olmo2",
        _ATTENTION | _QK_NORMS | _GATED | _NORMS_AFTER,
        refused={"attention.sliding_window": "a sliding window (OLMo 3)"},
    ),
    Architecture(
        "olmoe",
        "olmoe",
        "olmoe",
        _NORMS_BEFORE | _ATTENTION | _QK_NORMS | _experts("mlp"),
        mixture=True,
        llama_layers=False,
        metadata=_EXPERT_COUNTS,
        fixed={"norm_topk_prob": False},
    ),
    Architecture("smollm3", "smollm3", "smollm3", _LLAMA, permuted=True, usual={"rope_theta": 2e6}),
)
"""What runs. Order matters where one GGUF name stands for several: the first is taken."""

_RECURRENT: Final = "its layers keep a recurrent state, and only keys and values can be batched"
_LATENT: Final = "its layers keep compressed keys and values (MLA), and only plain ones can be"
_SHARED: Final = "its layers share each other's keys and values"
_CHUNKED: Final = "its layers look at chunks of the text"
_TURNED: Final = "it turns positions in three dimensions (M-RoPE)"
_NOT_TEXT: Final = "it does not generate text"

REFUSED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "mamba", "mamba2", "falcon_mamba", "jamba", "falcon-h1", "falcon_h1", "granitehybrid",
            "granitemoehybrid", "lfm2", "lfm2moe", "lfm2_moe", "nemotron_h", "nemotron_h_moe",
            "qwen3next", "qwen3_next", "qwen35", "qwen35moe", "qwen3_5", "qwen3_5_moe",
            "kimi-linear", "kimi_linear", "plamo2", "recurrent_gemma", "rwkv6", "rwkv7",
        ),
        _RECURRENT,
    ),
    **dict.fromkeys(
        ("deepseek2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "minicpm3", "glm4_moe_lite"),
        _LATENT,
    ),
    **dict.fromkeys(("gemma3n", "gemma4", "gemma4_text"), _SHARED),
    **dict.fromkeys(("llama4", "llama4_text"), _CHUNKED),
    **dict.fromkeys(("qwen2vl", "qwen2_vl", "qwen2_5_vl", "qwen3vl", "qwen3_vl"), _TURNED),
    **dict.fromkeys(("clip", "whisper", "t5", "t5encoder"), _NOT_TEXT),
}  # fmt: skip
"""Why some that people have do not run, by either kind of file's name."""


def of_config(model_type: object) -> Architecture:
    """The architecture that a config.json names; raises LoadError, saying what is missing."""
    for one in ARCHITECTURES:
        if one.model_type == model_type:
            return one
    raise LoadError(refusal(model_type, sorted({one.model_type for one in ARCHITECTURES})))


def of_gguf(name: str, has_experts: bool) -> Architecture:
    """The architecture that a GGUF's header names; raises LoadError, saying what is missing."""
    found = [one for one in ARCHITECTURES if one.gguf == name]
    for one in found:
        if one.mixture == has_experts:
            return one
    if found:
        kind = "with" if has_experts else "without"
        raise LoadError(f"architecture {name!r} {kind} a mixture of experts is not supported")
    raise LoadError(refusal(name, sorted({one.gguf for one in ARCHITECTURES})))


def refusal(name: object, supported: list[str]) -> str:
    """One sentence: what is not supported, and why or what is."""
    reason = REFUSED.get(name) if isinstance(name, str) else None
    because = reason or f"these are: {', '.join(supported)}"
    return f"architecture {name!r} is not supported: {because}"

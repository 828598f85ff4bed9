"""The text part of a safetensors folder whose model sees: its config and its tensors' names.

No arrays.
"""

from __future__ import annotations

import re
from typing import Any, Final

from .sight import SEEING_TYPES

# Hugging Face's names, and those of mlx-vlm's conversions
TOWER: Final = re.compile(r"^(model\.)?vision_(model|tower)\.")
CONNECTOR: Final = re.compile(r"^(model\.)?(connector|multi_modal_projector)\.")
_TEXT: Final = re.compile(
    r"^(model\.text_model|model\.language_model|language_model(\.model)?)\.(?!lm_head)"
)
# config.json of models whose text part alone runs here
_TEXT_TYPES: Final = {"gemma3": "gemma3_text"}


def text_config(config: dict[str, Any]) -> dict[str, Any]:
    """The config of the text part, of a model that sees; any other as it is."""
    text, whole = config.get("text_config"), config.get("model_type")
    known = whole in SEEING_TYPES or (isinstance(whole, str) and whole in _TEXT_TYPES)
    if not known or not isinstance(text, dict):
        return config
    outer = {key: config[key] for key in ("tie_word_embeddings", "quantization") if key in config}
    kind = {"model_type": "llama"} if text.get("model_type") in (None, "VLlama3") else {}
    if whole in _TEXT_TYPES:
        kind = {"model_type": _TEXT_TYPES[whole]}
    packing = outer.get("quantization")
    if isinstance(packing, dict):  # its exceptions go by module
        outer["quantization"] = {text_name(name) or name: one for name, one in packing.items()}
    return {**text, **outer, **kind}


def text_name(name: str) -> str | None:
    """A tensor's name in the text part alone; None for one of the vision tower."""
    if TOWER.match(name) or CONNECTOR.match(name):
        return None
    return _TEXT.sub("model.", name).removeprefix("language_model.")

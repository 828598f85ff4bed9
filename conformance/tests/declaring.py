"""What a maker says of a model himself (`info` of /api/create), in the honest server."""

from __future__ import annotations

from typing import Any

TEXTS = {
    "model_family": "family",
    "base_name": "",
    "parameter_size": "parameter_size",
    "quantization_level": "quantization_level",
}
NUMBERS = ("context_length", "embedding_length")


def mistyped(info: dict[str, Any]) -> str | None:
    """What is wrong with a type in it, in Ollama's words."""
    for key, value in info.items():
        if key in TEXTS and not isinstance(value, str):
            return f'info field "{key}" must be a string'
        if key in NUMBERS and not isinstance(value, int | float):
            return f'info field "{key}" must be a number'
        if key in NUMBERS and (value < 0 or value % 1):
            return f'info field "{key}" must be a non-negative integer'
    return None


def overridden(details: dict[str, Any], info: dict[str, Any]) -> dict[str, Any]:
    """The details with what the maker said of them."""
    said = {TEXTS[key]: value for key, value in info.items() if TEXTS.get(key)}
    told = {**details, **said}
    return (
        {**told, "families": [said["family"], *details["families"]]} if "family" in said else told
    )

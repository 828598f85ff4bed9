"""The headline as a badge: a small picture, and what shields.io makes one of."""

from __future__ import annotations

from typing import Any

LABEL = "ollama api"
GREEN, RED, GREY = "#2e7d32", "#c62828", "#616161"
CHARACTER_WIDTH = 6.6  # of the picture's 11 px font, about


def badge_json(footer: dict[str, Any]) -> dict[str, Any]:
    """What shields.io's endpoint badge reads."""
    colour = {0: "success", 1: "critical"}.get(footer["exit_status"], "inactive")
    return {"schemaVersion": 1, "label": LABEL, "message": footer["headline"], "color": colour}


def badge(footer: dict[str, Any]) -> str:
    """The headline as a small picture."""
    left, right = LABEL, footer["headline"]
    colour = {0: GREEN, 1: RED}.get(footer["exit_status"], GREY)
    split = round(len(left) * CHARACTER_WIDTH + 12)
    width = split + round(len(right) * CHARACTER_WIDTH + 12)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img">
<title>{left}: {right}</title>
<rect width="{width}" height="20" rx="3" fill="{colour}"/>
<path d="M3 0h{split - 3}v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" fill="#424242"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{split / 2}" y="14">{left}</text>
<text x="{(split + width) / 2}" y="14">{right}</text>
</g>
</svg>
"""

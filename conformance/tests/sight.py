"""What the honest server sees: the script's pictures, by their bytes, and where they stand.

Inside a prompt a picture is its tag and its name, `[img-0=red]`, so that the same words under
another picture are another prompt.
"""

from __future__ import annotations

import base64
import re
from functools import cache
from typing import Any

from ..evidence import Json
from ..script import SEEING, Recital, load_script
from .reciter import Reciter
from .shelf import HouseError

TAG = re.compile(r"\[img-(\d+)\]")
UNREADABLE = "Failed to load image or audio file"


def decoded(image: Json) -> bytes:
    """The bytes of a picture in a request."""
    if not isinstance(image, str):
        raise HouseError(400, "an image must be a string")
    try:
        return base64.b64decode(image.replace("\r", "").replace("\n", ""), validate=True)
    except ValueError as error:
        raise HouseError(400, f"illegal base64 data: {error}") from None


@cache
def _names() -> dict[bytes, str]:
    return {path.read_bytes(): path.stem for path in (SEEING / "pictures").iterdir()}


def named(image: str) -> str:
    """What is on a picture."""
    content = decoded(image)
    if content.startswith(b"RIFF") and content not in _names():
        raise HouseError(500, "decode WebP image: it cannot be read")
    if content not in _names():
        raise HouseError(400, UNREADABLE)
    return _names()[content]


def placed(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages with their pictures in the text: where `[img]` stands, else in front."""
    made, count = [], 0
    for message in messages:
        content, before = message["content"], ""
        for image in message.get("images") or ():
            mark = f"[img-{count}={named(image)}]"
            count += 1
            if "[img]" in content:
                content = content.replace("[img]", mark, 1)
            else:
                before += mark
        made.append({**message, "content": before + content})
    return made


def placed_raw(prompt: str, images: list[str]) -> str:
    """A raw prompt with its pictures where it says."""
    names = [named(one) for one in images]
    if len(TAG.findall(prompt)) != len(names):
        raise HouseError(400, "Failed to tokenize prompt")
    return TAG.sub(lambda found: f"[img-{found[1]}={names[int(found[1])]}]", prompt)


def _seen(recital: Recital) -> str:
    images = recital.images or [
        one for message in recital.messages for one in message.get("images", ())
    ]
    return placed_raw(recital.prompt, list(images))


def seeing_reciter() -> Reciter:
    """Recites by words and pictures."""
    script = load_script(SEEING)
    reciter = Reciter(script)
    reciter.known = {_seen(one): one for one in script.recitals.values()}
    return reciter

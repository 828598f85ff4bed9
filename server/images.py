"""Uploaded images: verified, decoded and cut, and where they stand in a conversation.

Decoding is blocking and is not to be done on the event loop. Nothing is decoded before its kind
and its size are known to be acceptable; Pillow's decoders get one of the formats named here.
"""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from .engine.picture import Picture
from .engine.sight import Sight
from .errors import ApiError
from .messages import Message

if TYPE_CHECKING:  # imported by the thread that decodes
    from PIL.Image import Image

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""What the original takes too (stb_image, and WebP by Go)."""
MAX_PIXELS: Final = 1 << 26  # 192 MiB once decoded; a telephone's 50 megapixels are within it
MAX_SIDE: Final = 1 << 15
BLIND: Final = "Multimodal data provided, but model does not support multimodal requests."
MISPLACED: Final = "Failed to tokenize prompt"
UNREADABLE: Final = "Failed to load image or audio file"
_TAG: Final = re.compile(r"\[img-(\d{1,4})\]")

# The tokens around the views of an Idefics3 (`ggml-org/llama.cpp:tools/mtmd/mtmd.cpp`).
_AROUND: Final = "<fake_token_around_image>"
_WHOLE: Final = f"\n\n{_AROUND}<global-img>"


class Encodes(Protocol):
    """What is needed of a tokenizer."""

    def encode(self, text: str, special: bool = True) -> list[int]:
        """The token ids of a text."""


def seen(images: Iterable[bytes], sight: Sight) -> dict[bytes, Picture]:
    """Each image decoded and cut, by its file's bytes; raises `ApiError` for a spoilt one."""
    return {each: picture_of(each, sight) for each in dict.fromkeys(images)}


def picture_of(file: bytes, sight: Sight) -> Picture:
    """One image as this model sees it; raises `ApiError`, as `decoded` does.

    The whole is stretched into tiles without regard to its shape, as Idefics3 was trained
    (`huggingface/transformers:models/idefics3/image_processing_idefics3.py`).
    """
    from PIL.Image import Resampling

    image, size = decoded(file), sight.image_size
    longer = max(image.size)
    # rounded up in whole numbers: a tile for every beginning of one
    columns, rows = (-(-side * sight.longest_edge // (longer * size)) for side in image.size)
    fitted = image.resize((columns * size, rows * size), Resampling.LANCZOS, reducing_gap=3.0)
    views = [
        fitted.crop((left, top, left + size, top + size))
        for top in range(0, rows * size, size)
        for left in range(0, columns * size, size)
    ]
    views.append(fitted.resize((size, size), Resampling.LANCZOS))
    return Picture.of(rows, columns, b"".join(view.tobytes() for view in views), sight)


def decoded(file: bytes) -> "Image":
    """The pixels of an image file, three colours; raises `ApiError` (IMG-002, IMG-003)."""
    from PIL import Image, UnidentifiedImageError

    is_webp = file[:4] == b"RIFF" and file[8:14] == b"WEBPVP"
    try:
        image = Image.open(io.BytesIO(file), formats=FORMATS)  # reads no pixels yet
        if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
            raise ValueError(f"{image.width} by {image.height} pixels are too many")
        image.load()
        return _coloured(image)
    # Pillow's decoders raise whatever they stumble over, and the file is a stranger's.
    except Exception as error:
        if is_webp:
            raise ApiError(500, f"decode WebP image: {error}") from error
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else error
        raise ApiError(400, f"{UNREADABLE}: {reason}") from error


def _coloured(image: "Image") -> "Image":
    """Three bytes a pixel; 16 bits of grey keep their upper half, transparency is dropped."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda grey: grey / 256).convert("L")
    return image.convert("RGB")


def tagged(messages: Sequence[Message]) -> tuple[list[Message], list[bytes]]:
    """The messages with a numbered tag for each image, and the images in that order.

    A tag stands where the text says `[img]`, else before the text (IMG-006).
    """
    tagged_messages, images = [], list[bytes]()
    for message in messages:
        content, before = message.content, ""
        for image in message.images:
            tag = f"[img-{len(images)}]"
            images.append(image)
            if "[img]" in content:
                content = content.replace("[img]", tag, 1)
            else:
                before += tag
        tagged_messages.append(replace(message, content=before + content))
    return tagged_messages, images


def token_ids(text: str, pictures: Sequence[Picture], tokenizer: Encodes) -> list[int]:
    """The tokens of a prompt, pictures in place of their tags; 400 where one has no tag."""
    ids: list[int] = []
    wanted, start = set(range(len(pictures))), 0
    for tag in _TAG.finditer(text):
        number = int(tag[1])
        if number in wanted:  # a tag that the user wrote as well counts once
            wanted.remove(number)
            ids += tokenizer.encode(text[start : tag.start()])
            ids += _laid_out(pictures[number], tokenizer)
            start = tag.end()
    if wanted:
        raise ApiError(400, MISPLACED)
    return ids + tokenizer.encode(text[start:])


def _laid_out(picture: Picture, tokenizer: Encodes) -> list[int]:
    """A picture's tokens: its tiles row by row, then the whole."""
    ids: list[int] = []
    for row in range(picture.rows):
        if row:
            ids += tokenizer.encode("\n")
        for column in range(picture.columns):
            ids += tokenizer.encode(f"{_AROUND}<row_{row + 1}_col_{column + 1}>")
            ids += picture.ids(row * picture.columns + column)
    ids += tokenizer.encode(_WHOLE)
    ids += picture.ids(picture.num_views - 1)
    return ids + tokenizer.encode(_AROUND)

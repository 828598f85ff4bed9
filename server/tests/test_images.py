"""Uploaded images: what is decoded, what is refused, and where they stand in a prompt."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from ..engine.picture import Picture
from ..engine.sight import checked
from ..errors import ApiError
from ..images import MAX_SIDE, UNREADABLE, decoded, picture_of, seen, tagged, token_ids
from ..messages import Message
from .conftest import BytesTokenizer

RED = (220, 20, 20)
SIGHT = checked(
    image_size=8,
    longest_edge=32,
    patch_size=4,
    hidden_size=4,
    intermediate_size=4,
    num_layers=1,
    num_heads=1,
    epsilon=1e-5,
    merge=2,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


def file_of(image: Any, kind: str = "PNG") -> bytes:  # noqa: ANN401 (Pillow may be absent)
    """An image as a file."""
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def plain(width: int = 8, height: int = 8, mode: str = "RGB", colour: Any = RED) -> Any:  # noqa: ANN401
    """An image of one colour."""
    return Image.new(mode, (width, height), colour)


def header_of(width: int, height: int) -> bytes:
    """A PNG that says it is so large, and has no pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    data = b"IDAT" + zlib.compress(bytes(100))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk
        + struct.pack(">I", len(data) - 4)
        + data
        + struct.pack(">I", zlib.crc32(data))
    )


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "JPEG"])
def test_the_usual_formats_are_decoded(kind: str) -> None:
    """Each gives three bytes a pixel, of nearly the colour that it had."""
    image = decoded(file_of(plain(), kind))
    assert (image.mode, image.size) == ("RGB", (8, 8))
    assert max(abs(a - b) for a, b in zip(image.tobytes()[:3], RED, strict=True)) < 8


@pytest.mark.parametrize(
    ("mode", "colour", "wanted"),
    [
        ("RGBA", (*RED, 0), RED),
        ("L", 90, (90, 90, 90)),
        ("1", 1, (255, 255, 255)),
        ("I;16", 128 << 8, (128, 128, 128)),
    ],
)
def test_other_pixels_become_three_colours(mode: str, colour: Any, wanted: Any) -> None:  # noqa: ANN401
    """Transparency is dropped, grey is grey, and 16 bits keep their upper half."""
    assert decoded(file_of(plain(mode=mode, colour=colour))).getpixel((0, 0)) == wanted


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"hello",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"x" * 64,
        b"\xff\xd8\xff\xe0" + b"x" * 64,
        b"RIFF\x20\0\0\0WAVEfmt " + b"x" * 20,
    ],
)
def test_spoilt_files_are_refused(file: bytes) -> None:
    """What is no image, or only begins as one, is 400 with Ollama's text."""
    with pytest.raises(ApiError, match=f"^{UNREADABLE}") as caught:
        decoded(file)
    assert caught.value.status == 400


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_files_cut_short_are_refused(kind: str) -> None:
    """Half of a file is no image."""
    whole = file_of(Image.effect_noise((64, 64), 90).convert("RGB"), kind)
    with pytest.raises(ApiError):
        decoded(whole[: len(whole) // 2])


def test_a_spoilt_webp_is_the_server_s_error() -> None:
    """Ollama converts them itself, and says so (IMG-002)."""
    with pytest.raises(ApiError, match=r"^decode WebP image: ") as caught:
        decoded(b"RIFF\x20\0\0\0WEBPVP8 " + b"x" * 20)
    assert caught.value.status == 500


@pytest.mark.parametrize("size", [(9000, 9000), (MAX_SIDE + 1, 1), (1 << 20, 1 << 20)])
def test_bombs_are_refused_before_they_are_decoded(size: tuple[int, int]) -> None:
    """A small file that says it is very large is not given the memory."""
    with pytest.raises(ApiError, match=UNREADABLE):
        decoded(header_of(*size))


def test_formats_beyond_these_are_refused() -> None:
    """Pillow knows many more, whose decoders nobody asked for."""
    with pytest.raises(ApiError, match="unknown format"):
        decoded(file_of(plain(), "TIFF"))


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((8, 8), (4, 4)),
        ((100, 100), (4, 4)),
        ((64, 32), (2, 4)),
        ((31, 93), (4, 2)),
        ((999, 1), (1, 4)),
    ],
)
def test_the_longer_side_becomes_tiles(size: tuple[int, int], grid: tuple[int, int]) -> None:
    """Rows and columns of tiles; an unfinished one counts as a whole."""
    picture = picture_of(file_of(plain(*size)), SIGHT)
    assert (picture.rows, picture.columns) == grid
    assert len(picture.pixels) == picture.num_views * 3 * 64


def test_tiles_are_cut_row_by_row() -> None:
    """The second tile is to the right of the first; the whole comes last."""
    image = plain(32, 32, colour=(0, 0, 0))
    image.paste((255, 255, 255), (8, 0, 16, 8))
    pixels = picture_of(file_of(image), SIGHT).pixels
    views = [pixels[start : start + 192] for start in range(0, len(pixels), 192)]
    assert [set(view) for view in views[:4]] == [{0}, {255}, {0}, {0}]
    assert 0 < sum(views[-1]) < 255 * 192


def test_equal_pixels_have_equal_ids() -> None:
    """Whatever file they came in; other pixels have others, none of them a token's."""
    image = plain()
    files = [file_of(image, "PNG"), file_of(image, "BMP"), file_of(plain(colour=(0, 0, 9)))]
    png, bmp, other = (picture_of(each, SIGHT) for each in files)
    assert png.ids(0) == bmp.ids(0)
    assert not set(png.ids(0)) & (set(other.ids(0)) | set(png.ids(1)))
    assert min(png.ids(0)) >= 1 << 32


def test_an_image_sent_twice_is_decoded_once() -> None:
    """The same bytes are the same picture."""
    file = file_of(plain())
    assert len(seen([file, file], SIGHT)) == 1


def message(content: str, *images: bytes) -> Message:
    """A user's message."""
    return Message("user", content, images=images)


def test_tags_are_numbered_through_a_conversation() -> None:
    """They stand in front of the text of their message (IMG-006)."""
    shown, images = tagged([message("a", b"1", b"2"), message("b"), message("c", b"3")])
    assert [each.content for each in shown] == ["[img-0][img-1]a", "b", "[img-2]c"]
    assert images == [b"1", b"2", b"3"]


def test_tags_stand_where_the_text_wants_them() -> None:
    """Each [img] takes the next image; images left over stand in front, and [img] stays."""
    contents = ("x [img] y [img]", "[img] z")
    first, _ = tagged([message(contents[0], b"1", b"2")])
    second, _ = tagged([message(contents[1], b"1", b"2")])
    third, _ = tagged([message(contents[0], b"1")])
    assert [each[0].content for each in (first, second, third)] == [
        "x [img-0] y [img-1]",
        "[img-1][img-0] z",
        "x [img-0] y [img]",
    ]


def small(rows: int = 1, columns: int = 1, shade: int = 0) -> Picture:
    """A picture of one shade, a token a view."""
    return Picture.of(rows, columns, bytes([shade]) * (rows * columns + 1) * 192, SIGHT)


def test_tiles_and_the_whole_stand_between_their_tokens() -> None:
    """The layout is llama.cpp's: rows of tiles, then the whole."""
    picture = small(2, 1)
    ids = token_ids("a[img-0]b", [picture], BytesTokenizer())
    text = "".join(chr(each) if each < 256 else "#" for each in ids)
    fake = "<fake_token_around_image>"
    assert text == (f"a{fake}<row_1_col_1>#\n{fake}<row_2_col_1>#\n\n{fake}<global-img>#{fake}b")
    assert [each for each in ids if each > 255] == [picture.ids(view)[0] for view in range(3)]


def test_a_tag_that_the_user_wrote_is_text() -> None:
    """Only the first tag of a picture is one, and numbers beyond the pictures are none."""
    ids = token_ids("[img-0] [img-0] [img-7]", [small()], BytesTokenizer())
    assert bytes(each for each in ids if each < 256).endswith(b"> [img-0] [img-7]")


@pytest.mark.parametrize("text", ["no tag", "[img-1]"])
def test_a_picture_without_its_tag_is_refused(text: str) -> None:
    """Raw prompts have to place their pictures (IMG-008)."""
    with pytest.raises(ApiError, match="Failed to tokenize prompt"):
        token_ids(text, [small()], BytesTokenizer())


def test_the_fixture_s_pictures_are_decoded_exactly() -> None:
    """A picture of a tile's size is not resized."""
    from .conftest import SCRIPTED

    folder = SCRIPTED.parent / "scripted-vision"
    config = json.loads((folder / "safetensors" / "config.json").read_text())
    size = config["vision_config"]["image_size"]
    sight = checked(**{**{name: getattr(SIGHT, name) for name in SIGHT.__slots__},
                       "image_size": size, "longest_edge": size})  # fmt: skip
    picture = picture_of((folder / "pictures" / "red.png").read_bytes(), sight)
    assert picture.pixels == bytes(RED) * (2 * size * size)

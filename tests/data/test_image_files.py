"""arjax/data/image_files.py: pictures read as they show, and packed so that all that shows comes back, or refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from faults import fault
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from test_contents import model, png

from arjax.data.image_files import check_same, parse_image
from arjax.data.media import Images

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (3, 4)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (3, 4, 3)).astype(np.uint8)
BITS = RNG.integers(0, 2, (3, 4)).astype(bool)
ALPHA = np.array([[0, 255, 128, 1], [255, 0, 64, 254], [200, 100, 0, 255]], np.uint8)


def saved(x, kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    (x if isinstance(x, Image.Image) else Image.fromarray(x)).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, content=b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(kind: bytes, content=b"", x=GRAY) -> bytes:
    """A PNG with one more chunk before its pixels."""
    whole = png(x)
    return whole[:33] + chunk(kind, content) + whole[33:]


def png_of(bits: int, colour: int, rows: bytes, interlaced=0) -> bytes:
    head = struct.pack(">IIBBBBB", 4, 3, bits, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")


def bmp_of_32_bits(header=40) -> bytes:
    pixels = np.concatenate([COLOUR, COLOUR[..., :1]], axis=-1).tobytes()
    info = struct.pack("<IiiHHIIiiII", header, 4, 3, 1, 32, 0, len(pixels), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + info + pixels


def bmp_v4(space: bytes) -> bytes:
    """A BMP whose header names its colours."""
    plain = saved(COLOUR, "BMP")
    head = struct.pack("<I", 108) + plain[18:54] + bytes(16) + space + bytes(108 - 40 - 20)
    return plain[:10] + struct.pack("<I", 14 + 108) + head + plain[54:]


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def text() -> PngInfo:
    info = PngInfo()
    info.add_text("transparency", "none")
    return info


def come_back(name, content, shape=(3, 4)):
    """The file again, held against what it was."""
    of = model(shape[:2], 256, shape[2:])
    again = Images(256).unpack(name, Images(256).pack(name, content, of), of)
    check_same(name, content, again)
    return again


PLAIN = GRAY // 16 * 17
SAME = {
    "gray.png": (saved(GRAY), GRAY),
    "texts.png": (saved(GRAY, pnginfo=text(), dpi=(300, 300)), GRAY),
    "usual.png": (with_chunk(b"gAMA", struct.pack(">I", 45455)), GRAY),
    "upright.png": (saved(GRAY, exif=oriented(1)), GRAY),
    "bits.png": (saved(BITS), BITS),
    "four_bits.png": (png_of(4, 0, b"".join(b"\0" + bytes((row[::2] & 240) + row[1::2] // 16) for row in GRAY)), PLAIN),
    "colour.png": (saved(COLOUR), COLOUR),
    "gray.bmp": (saved(GRAY, "BMP"), GRAY),
    "bits.bmp": (saved(BITS, "BMP"), BITS),
    "colour.bmp": (saved(COLOUR, "BMP"), COLOUR),
    "srgb.bmp": (bmp_v4(b"BGRs"), COLOUR),
    "padded.bmp": (saved(COLOUR, "BMP") + b"\0\0", COLOUR),
    "gray.pgm": (saved(GRAY, "PPM"), GRAY),
    "comment.pgm": (b"P5 # by me\n4 3\n255\n" + GRAY.tobytes() + b"\n", GRAY),
    "bits.pgm": (saved(BITS, "PPM"), BITS),
    "colour.ppm": (saved(COLOUR, "PPM"), COLOUR),
    "gray.tif": (saved(GRAY, "TIFF"), GRAY),
    "bits.tif": (saved(BITS, "TIFF"), BITS),
    "colour.tif": (saved(COLOUR, "TIFF"), COLOUR),
}


@pytest.mark.parametrize("name", SAME)
def test_check_same_takes_a_file_of_which_every_pixel_comes_back(name):
    content, x = SAME[name]
    with Image.open(io.BytesIO(come_back(name, content, x.shape))) as again:
        np.testing.assert_array_equal(np.asarray(again), x)


PALETTE = Image.fromarray(GRAY).convert("P")
LOST = {
    "pages.tif": (saved(GRAY, "TIFF", save_all=True, append_images=[Image.fromarray(GRAY)]), "several pages or frames"),
    "frames.png": (saved(GRAY, save_all=True, append_images=[Image.fromarray(255 - GRAY)]), "several pages or frames"),
    "moved.png": (with_chunk(b"oFFs", bytes(9)), "a chunk 'oFFs'"),
    "colour.png": (saved(COLOUR, transparency=(1, 2, 3)), "a transparent colour"),
    "gray.png": (saved(GRAY, transparency=3), "a transparent colour"),
    "profile.png": (saved(GRAY, icc_profile=b"profile"), "a colour profile"),
    "profile.tif": (saved(GRAY, "TIFF", icc_profile=b"profile"), "tags or a compression of its own"),
    "gamma.png": (with_chunk(b"gAMA", struct.pack(">I", 100000)), "a gamma"),
    "primaries.png": (with_chunk(b"cHRM", bytes(32)), "primary colours"),
    "hdr.png": (with_chunk(b"cICP", bytes(4)), "a chunk 'cICP'"),
    "turned.png": (saved(GRAY, exif=oriented(3)), "an orientation"),
    "turned.tif": (saved(GRAY, "TIFF", exif=oriented(2)), "an orientation"),
    "two.png": (saved(GRAY) * 2, "something behind its picture"),
    "two.tif": (saved(GRAY, "TIFF") * 2, "tags or a compression of its own"),
    "coded.tif": (saved(GRAY, "TIFF", compression="tiff_lzw"), "tags or a compression of its own"),
    "two.pgm": (saved(GRAY, "PPM") * 2, "something behind its picture"),
    "two_of_bits.pgm": (saved(BITS, "PPM") * 2, "something behind its picture"),
    "two.bmp": (saved(COLOUR, "BMP") * 2, "something behind its picture"),
    "plain.pgm": (b"P2 4 3 255 " + b" ".join(b"%d" % value for value in GRAY.flat), "numbers that are no bytes 0..255"),
    "few.pgm": (b"P5 4 3 15 " + (GRAY // 16).tobytes(), "numbers that are no bytes 0..255"),
    "deep.png": (png_of(16, 2, (b"\0" + bytes(24)) * 3), "more than 8 bits a channel"),
    "deep.ppm": (b"P6 4 3 65535 " + bytes(72), "numbers that are no bytes 0..255"),
    "calibrated.bmp": (bmp_v4(b"\0\0\0\0"), "a colour profile"),
    "fourth.bmp": (bmp_of_32_bits(), "a fourth channel"),
}


@pytest.mark.parametrize("name", LOST)
def test_check_same_names_what_a_file_would_lose(name):
    content, what = LOST[name]
    with Image.open(io.BytesIO(content)) as image:
        shape = (3, 4) if image.mode in ("1", "L") else (3, 4, 3)
    assert fault(come_back, name, content, shape) == f"{name} has {what}, which would be lost; save it without, or as .npy"


def test_check_same_wants_the_bytes_of_what_is_no_image():
    check_same("a.txt", b"ab", b"ab")
    assert "a.txt would not come back byte for byte; choose a run" in fault(check_same, "a.txt", b"ab", b"a")


def test_check_same_finds_pixels_that_changed():
    assert "a.png has pixels that change, which" in fault(check_same, "a.png", saved(GRAY), saved(255 - GRAY))


OTHER = {
    "palette.png": (saved(PALETTE), "palette.png is P of 3x4 pixels"),
    "transparent.png": (saved(PALETTE, transparency=0), "is P of 3x4 pixels"),
    "alpha.png": (saved(Image.merge("LA", [Image.fromarray(GRAY), Image.fromarray(ALPHA)])), "is LA of 3x4 pixels"),
    "rgba.tif": (saved(Image.fromarray(COLOUR).convert("RGBA"), "TIFF"), "is RGBA of 3x4 pixels"),
    "cmyk.tif": (saved(Image.fromarray(COLOUR).convert("CMYK"), "TIFF"), "is CMYK of 3x4 pixels"),
    "deep.png": (png_of(16, 0, (b"\0" + bytes(8)) * 3), "is I;16 of 3x4 pixels"),
    "deep.pgm": (b"P5 4 3 65535 " + bytes(24), "of 3x4 pixels"),
    "really_a_gif.png": (saved(GRAY, "GIF"), "cannot be read as a picture, PNG; save"),
    "really_an_eps.png": (saved(GRAY, "EPS"), "cannot be read as a picture, PNG; save"),
    "really_a_bmp.tif": (saved(GRAY, "BMP"), "cannot be read as a picture, TIFF; save"),
}


@pytest.mark.parametrize("name", OTHER)
def test_pack_image_refuses_what_cannot_be_written_as_it_was(name):
    content, says = OTHER[name]
    assert says in fault(come_back, name, content)


# What is seen of a picture of any kind


def test_parse_image_reads_gray_and_colour_of_the_size_that_is_wanted():
    np.testing.assert_array_equal(parse_image(png(COLOUR), (3, 4), "x", 255, colour=True), COLOUR)
    assert parse_image(png(COLOUR), (3, 4), "x", 0).shape == (3, 4)
    assert "x is 3 x 4 (height x width), not 4 x 3; resize it" in fault(parse_image, png(COLOUR), (4, 3), "x", 0)
    assert "x is 3 x 4 (height x width), not 5 x 4; resize it" in fault(parse_image, png(COLOUR), (5, 4), "x", 0)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF", "GIF"])
def test_parse_image_reads_each_format_that_keeps_pixels(kind):
    np.testing.assert_array_equal(parse_image(saved(GRAY, kind), (3, 4), "x", 255), GRAY)


def over(background):
    """GRAY over a background, a pixel at a time."""
    return np.array([[g * a / 255 + background * (1 - a / 255) for g, a in zip(*rows, strict=True)] for rows in
                     zip(GRAY.tolist(), ALPHA.tolist(), strict=True)])  # fmt: skip


@pytest.mark.parametrize("background", [0, 255])
@pytest.mark.parametrize("kind", ["LA", "RGBA", "PA"])
def test_parse_image_lays_what_is_transparent_over_the_background(kind, background):
    gray, alpha = Image.fromarray(GRAY), Image.fromarray(ALPHA)
    if kind == "PA":
        palette = Image.frombytes("P", (4, 3), bytes(range(12)))
        palette.putpalette(np.repeat(GRAY.reshape(-1), 3).tobytes())
        content = saved(palette, transparency=ALPHA.tobytes())
    else:
        content = saved(Image.merge(kind, [gray] * (len(kind) - 1) + [alpha]))
    found = parse_image(content, (3, 4), "x", background)
    assert np.abs(found - over(background)).max() <= 1


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_parse_image_lays_a_transparent_level_over_the_background(bits):
    # Packed by hand: each row is a filter of none, and its pixels from the highest bit on.
    x, most = GRAY >> (8 - bits), 2**bits - 1
    rows = b"".join(b"\0" + np.packbits(np.unpackbits(row[:, None], axis=1)[:, -bits:]).tobytes() for row in x)
    plain = png_of(bits, 0, rows)
    np.testing.assert_array_equal(parse_image(plain, (3, 4), "x", 9), x * (255 // most))
    content = plain[:33] + chunk(b"tRNS", bytes([0, x[1, 2]])) + plain[33:]
    np.testing.assert_array_equal(parse_image(content, (3, 4), "x", 9), np.where(x == x[1, 2], 9, x * (255 // most)))


def test_parse_image_lays_a_transparent_colour_over_the_background():
    found = parse_image(saved(COLOUR, transparency=tuple(map(int, COLOUR[1, 2]))), (3, 4), "x", 0, colour=True)
    np.testing.assert_array_equal(found, COLOUR * (COLOUR[1, 2] != COLOUR).any(axis=-1, keepdims=True))


@pytest.mark.parametrize(("stroke", "background"), [(0, 255), (255, 0)])
def test_parse_image_shows_a_stroke_drawn_in_alpha_or_says_that_it_is_not_seen(stroke, background):
    drawn = BITS * np.uint8(255)
    content = saved(Image.merge("LA", [Image.new("L", (4, 3), stroke), Image.fromarray(drawn)]))
    np.testing.assert_array_equal(parse_image(content, (3, 4), "x", background), np.where(BITS, stroke, background))
    said = fault(parse_image, content, (3, 4), "x", stroke)
    assert said.startswith(f"x is transparent, and shows nothing on {'white' if stroke else 'black'}; save")


def test_parse_image_takes_one_level_without_transparency():
    assert (parse_image(saved(GRAY * 0), (3, 4), "x", 0) == 0).all()
    opaque = Image.fromarray(GRAY * 0 + 255).convert("LA")
    assert (parse_image(saved(opaque), (3, 4), "x", 255) == 255).all()


TURNED = {1: GRAY, 2: GRAY[:, ::-1], 3: GRAY[::-1, ::-1], 4: GRAY[::-1], 5: GRAY.T, 6: GRAY.T[:, ::-1], 7: GRAY[::-1, ::-1].T,
          8: GRAY.T[::-1]}  # fmt: skip


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_parse_image_turns_a_picture_as_its_orientation_says(kind, orientation):
    content, expected = saved(GRAY, kind, exif=oriented(orientation)), TURNED[orientation]
    np.testing.assert_array_equal(parse_image(content, expected.shape, "x", 255), expected)
    assert "resize it" in fault(parse_image, content, expected.shape[::-1], "x", 255)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"nothing", "x cannot be read as a picture"),
        (saved(GRAY, "EPS"), "cannot be read as a picture, PNG JPEG BMP PPM TIFF GIF WEBP; save"),
        (saved(GRAY, "PDF"), "cannot be read as a picture"),
        (png_of(16, 0, (b"\0" + bytes(8)) * 3), "has more than 8 bits a channel, or is of mode I;16; save it as"),
        (png_of(16, 2, (b"\0" + bytes(24)) * 3), "has more than 8 bits a channel, or is of mode RGB; save it"),
        (saved(GRAY, "GIF", save_all=True, append_images=[Image.fromarray(255 - GRAY)]), "has several pages or frames; save one"),
        (saved(GRAY)[:50], "x cannot be read as a picture"),
    ],
)
def test_parse_image_refuses_in_one_line(content, says):
    assert says in fault(parse_image, content, (3, 4), "x", 255)

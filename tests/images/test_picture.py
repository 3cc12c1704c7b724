"""Pictures made fit for mail: every format and mode, upright, in sRGB, nothing else in them; or refused."""

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from newsletter.images.errors import ImageError
from newsletter.images.picture import MAX_GIF_BYTES, Picture, make_picture, picture_size
from newsletter.images.svg import svg_size

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {}>{}</svg>'
RED, BLUE = (200, 40, 40), (40, 60, 200)


def halves(width: int = 32, height: int = 16, mode: str = "RGB") -> Image.Image:
    """A picture that is red on its left and blue on its right."""
    image = Image.new("RGB", (width, height), BLUE)
    image.paste(RED, (0, 0, width // 2, height))
    return image.convert(mode, palette=Image.Palette.ADAPTIVE) if mode == "P" else image.convert(mode)


def saved(image: Image.Image, kind: str, **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def shown(picture: Picture) -> Image.Image:
    return Image.open(io.BytesIO(picture.data)).convert("RGBA")


def is_near(one: Any, other: tuple[int, ...], tolerance: int = 14) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=False))


def svg(content: str, attributes: str = 'width="20" height="10"') -> bytes:
    return SVG.format(attributes, content).encode()


def png(width: int, height: int) -> bytes:
    """The head of a PNG that says it is so large, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("PNG", mode) for mode in ("RGB", "RGBA", "P")),
        *(("TIFF", mode) for mode in ("RGB", "RGBA", "P", "CMYK")),
        *(("WEBP", mode) for mode in ("RGB", "RGBA")),
        *(("AVIF", mode) for mode in ("RGB", "RGBA")),
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("GIF", "P"),
        ("BMP", "RGB"),
        ("BMP", "P"),
    ],
)
def test_colours_survive(kind: str, mode: str) -> None:
    """In every format and mode what was red is red, what was blue is blue, in its place and size."""
    picture = make_picture(saved(halves(mode=mode), kind), "x")
    assert (picture.width, picture.height, picture.is_pixel) == (32, 16, False)
    assert is_near(shown(picture).getpixel((4, 8)), RED)
    assert is_near(shown(picture).getpixel((28, 8)), BLUE)


@pytest.mark.parametrize(
    ("mode", "dark", "light"), [("L", 60, 200), ("LA", (60, 255), (200, 255)), ("I;16", 60 * 257, 200 * 257)]
)
def test_greys_survive(mode: str, dark: Any, light: Any) -> None:
    """Greys of 8 and of 16 bits are as dark as they were."""
    image = Image.new(mode, (20, 10), light)
    image.paste(dark, (0, 0, 10, 10))
    picture = shown(make_picture(saved(image, "PNG"), "x"))
    assert is_near(picture.getpixel((3, 5)), (60, 60, 60), 2)
    assert is_near(picture.getpixel((16, 5)), (200, 200, 200), 2)


@pytest.mark.parametrize(("mode", "values"), [("1", (0, 255)), ("F", (-1.5, 7.25)), ("I", (5, 90_000))])
def test_other_numbers_become_greys(mode: str, values: tuple[float, float]) -> None:
    """Bits, and numbers without an agreed range, run from black to white."""
    image = Image.new(mode, (20, 10), values[1])  # type: ignore[arg-type]
    image.paste(values[0], (0, 0, 10, 10))  # type: ignore[arg-type]
    picture = shown(make_picture(saved(image, "TIFF"), "x"))
    assert is_near(picture.getpixel((3, 5)), (0, 0, 0), 1)
    assert is_near(picture.getpixel((16, 5)), (255, 255, 255), 1)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_what_shines_through_still_does(kind: str) -> None:
    """Transparency makes a PNG, and is kept; alpha that hides nothing is dropped."""
    image = halves(mode="RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.paste((0, 0, 0, 0), (0, 0, 8, 16))
    picture = make_picture(saved(image, kind), "x")
    assert picture.media_type == "image/png"
    assert shown(picture).getpixel((3, 8))[3] < 10
    assert Image.open(io.BytesIO(make_picture(saved(halves(mode="RGBA"), kind), "x").data)).mode == "RGB"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
def test_pictures_stand_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    """Whichever way a camera was held, the letter shows the top at the top; the size is read likewise."""
    upright = Image.new("RGB", (48, 32), (250, 250, 250))
    upright.paste(RED, (0, 0, 24, 16))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transposition that each one asks for, undone
    held = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(held, kind, exif=exif)
    picture = make_picture(data, "x")
    (tmp_path / "x").write_bytes(data)
    assert (picture.width, picture.height) == picture_size(tmp_path / "x") == (48, 32)
    assert is_near(shown(picture).getpixel((8, 6)), RED, 20)
    assert all(is_near(shown(picture).getpixel(at), (250,) * 3, 20) for at in ((40, 6), (8, 26), (40, 26)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_nothing_tells_of_the_photographer(kind: str) -> None:
    """No EXIF, comment or colour profile is left in a picture."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = Image.effect_noise((300, 200), 90).convert("RGB")
    data = saved(noise, kind, exif=exif, icc_profile=profile, comment=b"SecretComment")
    assert b"SecretCamera" in data
    picture = make_picture(data, "x")
    assert b"Secret" not in picture.data
    assert not {"exif", "icc_profile", "comment"} & Image.open(io.BytesIO(picture.data)).info.keys()


def test_colours_are_those_the_profile_means() -> None:
    """A profile's colours are converted; one that is broken, or of another kind, is passed over."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"nonsense", lab):
        picture = make_picture(saved(halves(), "PNG", icc_profile=profile), "x")
        assert is_near(shown(picture).getpixel((4, 8)), RED, 1)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")
    picture = make_picture(saved(halves(), "PNG", icc_profile=swapped), "x")
    assert is_near(shown(picture).getpixel((4, 8)), RED[::-1], 3)


@pytest.mark.parametrize(
    ("size", "css", "pixels"),
    [
        ((300, 200), (300, 200), 300),
        ((800, 400), (536, 268), 800),
        ((1072, 10), (536, 5), 1072),
        ((3000, 1500), (536, 268), 1072),
        ((20_000, 1), (536, 1), 1072),
        ((2, 900), (2, 900), 2),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_sizes(kind: str, size: tuple[int, int], css: tuple[int, int], pixels: int) -> None:
    """At most 536 CSS px wide with twice the pixels, and never enlarged."""
    picture = make_picture(saved(halves(*size), kind), "x")
    assert ((picture.width, picture.height), shown(picture).width) == (css, pixels)


def test_photographs_are_jpegs_and_drawings_pngs() -> None:
    """What is noisy is a JPEG, what has sharp edges a PNG; the same bytes give the same picture."""
    photograph = saved(Image.effect_noise((400, 300), 60).convert("RGB"), "PNG")
    assert make_picture(photograph, "x").media_type == "image/jpeg"
    assert make_picture(saved(halves(400, 300), "JPEG"), "x").media_type == "image/png"
    assert make_picture(photograph, "x") == make_picture(photograph, "y")


def test_animations() -> None:
    """A small animated GIF stays as it is but for its comment; of others the first frame is left."""
    frames = [Image.effect_noise((60, 40), 20 + step).convert("P") for step in range(4)]
    animated = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], loop=0, comment=b"Secret")
    picture = make_picture(animated, "x")
    again: Any = Image.open(io.BytesIO(picture.data))
    assert (picture.media_type, again.n_frames, again.info["loop"]) == ("image/gif", 4, 0)
    assert b"Secret" in animated
    assert b"Secret" not in picture.data
    for large in (
        animated + b"\0" * MAX_GIF_BYTES,
        saved(frames[0], "WEBP", save_all=True, append_images=frames),
    ):
        assert make_picture(large, "x").media_type != "image/gif"
    with pytest.raises(ImageError):
        make_picture(animated[:-400], "x")


@pytest.mark.parametrize(
    "data", [saved(halves(1, 1), "PNG"), saved(halves(1, 1), "GIF"), svg("", 'width="1" height="1"')]
)
def test_a_pixel_is_told(data: bytes) -> None:
    """A picture of 1 × 1 shows nothing: it is marked, so that a letter can do without it."""
    assert make_picture(data, "x").is_pixel


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="20" height="10"', (20, 10)),
        ('width="1in" height="72pt"', (96, 96)),
        ('viewBox="0 0 40 30"', (40, 30)),
        ('viewBox="0,0,40,30" width="80"', (80, 60)),
        ('viewBox="0 0 40 30" width="100%" height="60px"', (80, 60)),
        ('width="1.2.3"', (300, 150)),
        ('height="7"', (300, 7)),
        ("", (300, 150)),
    ],
)
def test_an_svg_has_the_size_it_asks_for(tmp_path: Path, attributes: str, size: tuple[int, int]) -> None:
    """Width, height and viewBox count as in browsers, in any unit; it is drawn at twice that."""
    data = svg('<rect width="100%" height="100%" fill="#c82828"/>', attributes)
    (tmp_path / "x.svg").write_bytes(data)
    picture = make_picture(data, "x")
    assert svg_size(data) == pytest.approx(size)
    assert (picture.width, picture.height) == picture_size(tmp_path / "x.svg") == size
    assert shown(picture).width == 2 * size[0]
    assert is_near(shown(picture).getpixel((2, 2)), RED, 2)


def test_an_svg_reaches_for_nothing(tmp_path: Path) -> None:
    """No file, address or entity outside of an SVG is followed, in no spelling; what is inside is drawn."""
    (tmp_path / "in.png").write_bytes(saved(halves(), "PNG"))
    (tmp_path / "in.txt").write_text("<rect xmlns='http://www.w3.org/2000/svg' width='20' height='10'/>")
    outside = [
        f"{tmp_path}/in.png",
        f"file://{tmp_path}/in.png",
        f" {tmp_path}/in.png",
        "http://127.0.0.1:1/a.png",
    ]
    for href in outside:
        for content in (
            f'<image href="{href}" width="20" height="10"/>',
            f'<image xlink:href="{href}" width="20" height="10"/>',
            f'<filter id="f"><feImage href="{href}"/></filter><rect width="9" height="9" filter="url(#f)"/>',
            f'<style>@import url("{href}");</style>',
        ):
            assert not shown(make_picture(svg(content), "x")).getchannel("A").getbbox(), content
    entity = f'<!DOCTYPE svg [<!ENTITY e SYSTEM "file://{tmp_path}/in.txt">]>'.encode() + svg("&e;")
    with pytest.raises(ImageError):
        make_picture(entity, "x")
    inside = '<defs><rect id="r" width="20" height="10"/></defs><use xlink:href="#r"/>'
    assert shown(make_picture(svg(inside), "x")).getchannel("A").getbbox()


LOL = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"<!DOCTYPE html><html><body>Not found</body></html>",
        b"<",
        saved(halves(), "PNG")[:60],
        saved(halves(200, 200), "JPEG")[:-300],
        saved(halves(), "WEBP")[:-20],
        saved(halves(), "AVIF")[:-30],
        saved(halves(), "TIFF")[:90],
        png(100_000, 100_000),
        png(70_000, 10),
        png(0, 10),
        png(200, 200),
        svg("", 'width="0" height="10"'),
        svg("", 'width="1" height="1e9"'),
        svg("<g>" * 100_000 + "</g>" * 100_000),
        svg('<image href="data:image/png;base64,AAAA"'),
        f'<!DOCTYPE svg [<!ENTITY l0 "lol">{LOL}]>'.encode() + svg("<text>&l9;</text>"),
        svg('<filter id="f"><feTurbulence numOctaves="9"/></filter>' + "<a>" * 900),
    ],
    ids=range(19),
)
def test_no_picture_is_refused(data: bytes) -> None:
    """What is none, broken, cut off or a bomb is an error that names the picture, in one line."""
    with pytest.raises(ImageError, match=r"^picture ev.l\.png ") as raised:
        make_picture(data, "ev\nl.png")
    assert "\n" not in str(raised.value)


def test_a_bomb_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is looked at before any pixel is decoded."""
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="100,000 × 100,000 pixels"):
        make_picture(png(100_000, 100_000), "x")


SEEDS = [saved(halves(), kind) for kind in ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP", "TIFF")]


@given(st.sampled_from(SEEDS), st.data())
def test_no_bytes_crash(seed: bytes, data: st.DataObject) -> None:
    """Whatever is done to a file's bytes, it is a picture or an `ImageError`."""
    broken = bytearray(seed)
    for at in data.draw(st.lists(st.integers(0, len(seed) - 1), max_size=8)):
        broken[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(seed)))
    tail = data.draw(st.binary(max_size=20))
    with suppress(ImageError):
        assert make_picture(bytes(broken[:cut]) + tail, "x").data

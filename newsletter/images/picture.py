"""Makes a picture fit for mail: what any client shows, no larger than a letter needs, and nothing else in it.

Promises: the same bytes give the same picture. It is a JPEG or, where something shines through or little is
gained by a JPEG, a PNG; an animated GIF that is small enough stays one. It is at most `MEASURE` CSS px wide,
with twice as many pixels for screens that have them, and never enlarged. It stands upright as its EXIF data
say, its colours are sRGB, and no metadata (where a photograph was taken, by whom) is left in it. Memory is
bounded: one picture at a time is worked on, of at most `MAX_PIXELS`, which is seen before any is decoded.

Fails with `ImageError` for all that is no picture, or a broken or excessive one.

May surprise: of other animations (WebP, AVIF, PNG) and of large GIFs the first frame is what stays, because
mail clients show no other. How an SVG is drawn is said in `newsletter.images.svg`.
"""

import hashlib
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.Image import Resampling, Transpose

from newsletter.images import MAX_BYTES, gif
from newsletter.images.errors import ImageError
from newsletter.images.svg import svg_size, to_png

MEASURE = 536
"""The width of a letter's text in CSS px, and so of its widest picture."""

MAX_PIXELS = 50_000_000
MAX_SIDE = 65_500
"""The most pixels in all, and on one side: more than any camera makes, and than a JPEG can hold."""

MAX_GIF_BYTES = 2_000_000
"""The largest animation that is sent as such."""

_FORMATS = ["PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP", "TIFF"]
_KINDS = "PNG, JPEG, GIF, WebP, AVIF, SVG, BMP or TIFF"
_DENSITY = 2
_PNG_MAY_WEIGH = 1.5  # times a JPEG: sharp edges are worth that much
_UPRIGHT = {  # by the EXIF orientation (Exif 2.32 section 4.6.4)
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_MARKUP_STARTS = (b"<", b"\xff\xfe<", b"\xfe\xff\0<")

Image.MAX_IMAGE_PIXELS = (
    None  # the limits above are checked here instead, before decoding, with a clear error
)
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture fit for mail.

    `width` and `height` are what to show it at, in CSS px. `is_pixel` tells a picture of 1 × 1, which
    shows nothing and counts readers: it should be left out of a letter. `sha256` is that of `data`.
    """

    data: bytes
    media_type: str
    extension: str
    width: int
    height: int
    is_pixel: bool
    sha256: str

    @property
    def file_name(self) -> str:
        """A name that only this picture has."""
        return f"{self.sha256[:32]}.{self.extension}"


def make_picture(data: bytes, name: str) -> Picture:
    """Make a mail-safe picture of a file's bytes; errors call it `name`.

    Raises:
        ImageError: the bytes are no picture, or a broken or excessive one.
    """
    with _only_image_errors(name):
        if drawing := _drawing_size(data, name):
            width, height = _shown(*drawing)
            _check_size(width * _DENSITY, height * _DENSITY, name)
            drawn = to_png(data, *drawing, pixels=width * _DENSITY)
            with _opened(io.BytesIO(drawn)) as image:
                image.load()
                return _encoded(image, width, height, is_pixel=max(drawing) <= 1)
        with _opened(io.BytesIO(data)) as image:
            natural = _upright_size(image, name)
            width, height = _shown(*natural)
            if _is_animation_for_mail(image, data):
                image.load()  # a first frame that is broken is better met here than by a reader
                return _picture(gif.stripped(data), "image/gif", "gif", width, height, is_pixel=False)
            decoded = _decoded(image, min(natural[0], width * _DENSITY))
            return _encoded(decoded, width, height, is_pixel=natural == (1, 1))


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in CSS px at which a picture is shown in a letter, without decoding it.

    Raises:
        ImageError: the file is no picture, or an excessive one, or cannot be read.
    """
    with _only_image_errors(str(path)), path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start.lstrip().startswith(_MARKUP_STARTS) or start.startswith(b"\xef\xbb\xbf"):
            if drawing := _drawing_size(file.read(MAX_BYTES), str(path)):
                return _shown(*drawing)
            file.seek(0)
        with _opened(file) as image:
            return _shown(*_upright_size(image, str(path)))


@contextmanager
def _only_image_errors(name: str) -> Iterator[None]:
    """Let one picture at a time be worked on, without Pillow's warnings, and with clear errors only."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except ImageError:
            raise
        except UnidentifiedImageError as error:
            raise ImageError(name, f"is no picture that can be read: use a {_KINDS} file") from error
        except MemoryError as error:
            raise ImageError(name, "needs more memory than there is: make it smaller") from error
        except Exception as error:  # Pillow's decoders raise whatever a broken file makes them stumble over
            raise ImageError(name, f"is broken ({error}): save it anew") from error


def _opened(file: BinaryIO) -> Image.Image:
    return Image.open(file, formats=_FORMATS)


def _drawing_size(data: bytes, name: str) -> tuple[float, float] | None:
    """The size of an SVG; None for what is no markup at all."""
    if not data.removeprefix(b"\xef\xbb\xbf")[:1_000].lstrip().startswith(_MARKUP_STARTS):
        return None
    size = svg_size(data)
    if size is None:
        raise ImageError(name, f"is a web page or another text, no picture: use a {_KINDS} file")
    _check_size(*size, name, drawing=True)
    return size


def _check_size(width: float, height: float, name: str, *, drawing: bool = False) -> None:
    if width <= 0 or height <= 0:
        raise ImageError(name, "has no width or no height: save it anew")
    if not drawing and (width * height > MAX_PIXELS or max(width, height) > MAX_SIDE):
        raise ImageError(
            name,
            f"has {width:,.0f} × {height:,.0f} pixels, more than the {MAX_PIXELS // 1_000_000} million "
            f"in all or {MAX_SIDE:,} on a side that are read: make it smaller",
        )


def _upright_size(image: Image.Image, name: str) -> tuple[int, int]:
    _check_size(*image.size, name)
    width, height = image.size
    return (height, width) if _orientation(image) >= 5 else (width, height)


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":  # Pillow sets these upright itself
        return 1
    try:
        found = image.getexif().get(_ORIENTATION)
    except Exception:  # EXIF data that cannot be read say nothing; the picture may still be whole
        return 1
    return found if isinstance(found, int) and found in _UPRIGHT else 1


def _shown(width: float, height: float) -> tuple[int, int]:
    """The size to show a picture at, whose own size is given; all in CSS px."""
    shown = max(1, round(min(width, MEASURE)))
    return shown, max(1, round(height * shown / width))


def _is_animation_for_mail(image: Image.Image, data: bytes) -> bool:
    # Resizing would give each frame colours of its own: a larger file, and a worse one.
    return (
        image.format == "GIF"
        and bool(getattr(image, "is_animated", False))
        and image.width <= MEASURE * _DENSITY
        and len(data) <= MAX_GIF_BYTES
    )


def _decoded(image: Image.Image, width: int) -> Image.Image:
    """The picture upright, `width` pixels wide, in sRGB: of mode L or RGB, or RGBA."""
    orientation = _orientation(image)
    if image.format in {"JPEG", "MPO"} and orientation < 5:
        scale = width / image.width  # a JPEG can be decoded to a fraction of its size, in that much memory
        image.draft(image.mode, (2 * width, max(1, round(2 * image.height * scale))))
    profile = image.info.get("icc_profile")
    plain = _plain(image)
    if orientation in _UPRIGHT:
        plain = plain.transpose(_UPRIGHT[orientation])
    if plain.width > width:
        size = width, max(1, round(plain.height * width / plain.width))
        plain = plain.resize(size, Resampling.LANCZOS, reducing_gap=3.0)
    return _srgb(plain, profile)


def _plain(image: Image.Image) -> Image.Image:
    """The picture in one of the modes L, RGB, RGBA, CMYK, with 8 bits a channel."""
    image.load()
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image)
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in {"L", "RGB", "CMYK"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of 16 bits as it is; of numbers with no agreed range, from its darkest to its lightest."""
    low, high = (0.0, 65_535.0)
    if not image.mode.startswith("I;16"):
        low, high = (float(edge) for edge in image.getextrema())  # type: ignore[arg-type]
    scale = 255 / ((high - low) or 1)
    return image.convert("F").point(lambda value: value * scale + (0.5 - low * scale)).convert("L")


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = image.convert("RGB") if alpha else image
    if profile:
        # A broken profile, or one of other colours than the picture's, is as good as none.
        with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            colours = _by_profile(colours, profile)
    if colours.mode == "CMYK":
        colours = colours.convert("RGB")
    if alpha:
        colours.putalpha(alpha)
    return colours


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    if converted is None:
        raise ValueError("no picture")
    return converted.convert("L") if image.mode == "L" else converted


def _encoded(image: Image.Image, width: int, height: int, *, is_pixel: bool) -> Picture:
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    image.info = {}  # Pillow would write a profile and a comment that it finds here
    png = io.BytesIO()
    image.save(png, "PNG", optimize=True)
    if image.mode != "RGBA":
        jpeg = io.BytesIO()
        image.save(jpeg, "JPEG", quality=85, optimize=True, progressive=True)
        if jpeg.tell() * _PNG_MAY_WEIGH < png.tell():
            return _picture(jpeg.getvalue(), "image/jpeg", "jpg", width, height, is_pixel=is_pixel)
    return _picture(png.getvalue(), "image/png", "png", width, height, is_pixel=is_pixel)


def _picture(
    data: bytes, media_type: str, extension: str, width: int, height: int, *, is_pixel: bool
) -> Picture:
    return Picture(data, media_type, extension, width, height, is_pixel, hashlib.sha256(data).hexdigest())

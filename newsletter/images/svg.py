"""SVG: told from other files, measured, and drawn as a PNG (by `rasterise`, in a process of its own).

May surprise: text is set in the fonts of this computer, so the same drawing with text may look different on
another one. A drawing with no size of its own is 300 by 150, as browsers have it (CSS 2.2 section 10.3.2).
"""

import math
import re
import subprocess
import sys
from pathlib import Path
from xml.parsers import expat

SECONDS = 20.0
"""How long a drawing may take."""

_SVG = "http://www.w3.org/2000/svg svg"
_LENGTH = re.compile(r"\s*(\+?[0-9.]{1,20}(?:[eE][+-]?[0-9]{1,2})?)\s*(px|pt|pc|mm|cm|in|em|rem|ex)?\s*")
_UNITS = {"pt": 96 / 72, "pc": 16, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96, "em": 16, "rem": 16, "ex": 8}
_DEFAULT = (300.0, 150.0)


def svg_size(data: bytes) -> tuple[float, float] | None:
    """Width and height in CSS px that an SVG asks for, finite and at least 0; None if it is no SVG."""
    root = _Root()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = root.start
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        return None
    except _Found:
        pass
    return _size(root.attributes) if root.name == _SVG else None


def to_png(data: bytes, width: float, height: float, *, pixels: int) -> bytes:
    """Draw an SVG of the size that `svg_size` gave, `pixels` wide, on a transparent ground.

    Raises:
        ValueError: it is broken, or takes more time or memory than any drawing should.
    """
    program = Path(__file__).with_name("rasterise.py")
    command = [sys.executable, "-I", str(program), repr(width), repr(height), str(pixels)]
    try:
        run = subprocess.run(  # noqa: S603  (our own program; the drawing's numbers are numbers)
            command, input=data, capture_output=True, timeout=SECONDS, check=False, cwd="/"
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError("drawing it takes too long") from error
    if run.returncode < 0:
        raise ValueError("drawing it takes too much time or memory")
    if run.returncode > 0:
        raise ValueError("it is no SVG that can be drawn")
    return run.stdout


class _Found(Exception):  # noqa: N818  (no error: it ends the parsing after the first tag)
    pass


class _Root:
    """Keeps the first tag of a document, and ends the reading there."""

    name = ""
    attributes: dict[str, str]

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        raise _Found


def _size(attributes: dict[str, str]) -> tuple[float, float]:
    width, height = _length(attributes.get("width", "")), _length(attributes.get("height", ""))
    box = [_length(part) for part in re.split(r"[\s,]+", attributes.get("viewBox", "").strip()[:200])[2:4]]
    box_width, box_height = box if len(box) == 2 else (None, None)
    if width is not None and height is not None:
        return width, height
    if not box_width or not box_height:
        return _DEFAULT[0] if width is None else width, _DEFAULT[1] if height is None else height
    if width is not None:
        return width, width * box_height / box_width
    if height is not None:
        return height * box_width / box_height, height
    return box_width, box_height


def _length(text: str) -> float | None:
    """A length in CSS px; None for none, for a percentage, and for what cannot be understood."""
    found = _LENGTH.fullmatch(text[:60])
    try:
        length = float(found[1]) * _UNITS.get(found[2], 1) if found else math.nan
    except ValueError:  # 1.2.3
        return None
    return length if math.isfinite(length) else None

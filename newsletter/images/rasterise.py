"""A program that turns an SVG on its standard input into a PNG on its standard output.

It is a process of its own because a hostile SVG can end the one that draws it (by nesting, or by asking for
more memory than there is), or never end it; here that costs no more than the limits set below. It follows no
reference out of the file: pictures at an address or a path are taken out before anything is drawn, entities
are expanded by expat under its own limits, and no other document is ever opened.

Usage: rasterise.py WIDTH HEIGHT PIXELS, the size of the drawing and the width of the picture. It exits with
0, or with anything else and nothing on standard output.
"""

import contextlib
import resource
import sys
from xml.etree import ElementTree

import resvg_py

_MEMORY_BYTES = 1 << 30
_CPU_SECONDS = 10


def main() -> None:
    width, height, pixels = sys.argv[1:]
    for limit, value in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS does not limit every one of them
            resource.setrlimit(limit, (value, value))
    root = ElementTree.fromstring(sys.stdin.buffer.read())  # noqa: S314  (the limits above are for this)
    for element in root.iter():
        for name in [name for name in element.attrib if name.rpartition("}")[2] == "href"]:
            if not element.attrib[name].strip().startswith(("#", "data:image/")):
                del element.attrib[name]
    root.set("width", width)
    root.set("height", height)
    drawn = resvg_py.svg_to_bytes(
        svg_string=ElementTree.tostring(root, encoding="unicode"), width=int(pixels)
    )
    sys.stdout.buffer.write(drawn)


if __name__ == "__main__":
    main()

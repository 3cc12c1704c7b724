"""Rules on images: their words for readers who do not see them, and whether they will be there."""

import re
from html import unescape
from pathlib import PurePosixPath

from newsletter.check.findings import Severity
from newsletter.check.post import Findings, Post, shortened
from newsletter.check.source import Image
from newsletter.check.support import listed, load_support
from newsletter.images.sources import missing_images

_FILE_NAME = re.compile(
    r"[^\s/]*\.(?:png|jpe?g|gif|webp|svg|avif|heic|bmp|tiff?)"
    r"|(?:img|dsc[nf]?|pxl|mvimg|image|photo|picture|screen[-_ ]?shot|unnamed|untitled)[-_ ]?\d[\d_. -]*",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(?!https?:)([a-z][a-z0-9+.-]*:)", re.IGNORECASE)
_FORMATS = {"svg": "svg", "avif": "avif", "heic": "heif", "heif": "heif", "tif": "tiff", "tiff": "tiff"}
"""Endings of files that major clients do not show, and the data's name of the format."""


def check_pictures(post: Post) -> Findings:
    """Alternative text (WCAG 2.2, 1.1.1), addresses, and formats."""
    for image in post.text.images:
        yield from _alt(post, image)
        if image.target.lower().startswith("http://"):
            yield post.finding(
                image.offset,
                "image-insecure",
                Severity.WARNING,
                f"{shortened(image.target)} is fetched without encryption, and some clients do not show it",
                "begin its address with https://",
            )
        elif scheme := _SCHEME.match(image.target):
            yield post.finding(
                image.offset,
                "image-scheme",
                Severity.ERROR,
                f"mail shows no picture that is named by {scheme[1].lower()}: the letter has its words alone",
                "put the picture beside the post, and name its file",
            )
        yield from _format(post, image)
    shown = {(post.text.line_at(image.offset), image.target) for image in post.text.images}
    for line, target in missing_images(post.source):
        if (line, unescape(target)) not in shown:  # in code, or in a comment
            continue
        yield post.at_line(
            line,
            "image-missing",
            Severity.ERROR,
            f"there is no {shortened(target)} on the blog: readers would see a gap",
            "correct its address, or put the file there",
        )


def _alt(post: Post, image: Image) -> Findings:
    name = shortened(image.target) or "an image"
    if image.alt is None and not image.is_decorative:
        yield post.finding(
            image.offset,
            "alt-missing",
            Severity.ERROR,
            f"{name} says nothing to readers who do not see it",
            'describe it in a few words, or say with role="presentation" that it is mere decoration',
        )
    elif image.alt is not None and _FILE_NAME.fullmatch(image.alt):
        yield post.finding(
            image.offset,
            "alt-file-name",
            Severity.WARNING,
            f"the alternative text “{shortened(image.alt)}” is the name of a file",
            "describe what the image shows",
        )


def _format(post: Post, image: Image) -> Findings:
    ending = PurePosixPath(re.split("[?#]", image.target)[0]).suffix.lower().lstrip(".")
    lacking = load_support().lacking(f"image-{_FORMATS[ending]}") if ending in _FORMATS else ()
    if lacking:
        yield post.finding(
            image.offset,
            "image-format",
            Severity.WARNING,
            f"{listed(lacking)} cannot show {ending.upper()} images such as {shortened(image.target)}",
            "save it as PNG or JPEG",
        )

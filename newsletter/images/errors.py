"""What a picture that cannot be used raises."""

from pathlib import Path

from newsletter.errors import ContentError

_SHOWN_CHARS = 200


class ImageError(ContentError):
    """A picture cannot be used: which one, why, and what to do.

    `picture` is what the post calls it, `why` the rest of the message. What is shown of a name is one short
    line of printable characters, whatever the name was.
    """

    def __init__(
        self, picture: str, why: str, *, path: Path | str | None = None, line: int | None = None
    ) -> None:
        self.picture = picture
        self.why = why
        super().__init__(f"picture {_shown(picture)} {why}", path=path, line=line)


def _shown(name: str) -> str:
    short = name if len(name) <= _SHOWN_CHARS else f"{name[:_SHOWN_CHARS]}…"
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in short
    )

"""`paperround render`: one post as its letter, with no site needed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.common import site_or_example
from newsletter.cli.output import print_json

if TYPE_CHECKING:
    from newsletter.content.post import PostSource

_FORMATS = ("html", "text", "mjml", "eml", "outline")


def render(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Markdown post.")],
    form: Annotated[
        str, typer.Option("--format", metavar="|".join(_FORMATS), help="What to write to standard output.")
    ] = "html",
    as_json: Annotated[bool, typer.Option("--json", help="For the outline: as JSON.")] = False,
) -> None:
    """Write a post as its letter. In a site it has that site's look, elsewhere an example's."""
    if form not in _FORMATS:
        raise typer.BadParameter(f"{form!r} is none of {', '.join(_FORMATS)}", param_hint="--format")
    if as_json and form != "outline":
        raise typer.BadParameter("goes with --format outline only", param_hint="--json")

    from newsletter.content.post import read_post

    source = read_post(file)
    if form == "outline":
        _outline(source, as_json=as_json)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(_letter(source, form, context.obj))


def _outline(source: "PostSource", *, as_json: bool) -> None:
    from newsletter.content.threads import document_of, outline

    document = document_of(source)
    found = outline(document)
    if as_json:
        print_json(found)
        return
    print(source.title)
    for number, thread in enumerate(found["threads"], start=1):
        print(f"\nThread {number}{': ' + thread['title'] if thread['title'] else ''}")
        for turn in thread["turns"]:
            words = " ".join(turn["text"].split())
            print(f"  {turn['speaker']}: {words if len(words) <= 70 else words[:69] + '…'}")
    if not found["threads"]:
        print("\nNo conversation.")
    for doubt in document.doubts:
        print(f"\nNote: {doubt}")


def _letter(source: "PostSource", form: str, site: Path | None) -> bytes:
    from newsletter.render.edition import EditionMaker
    from newsletter.render.proof import example_reader, make_proof, usual_occasion
    from subscribers.base import system_clock

    settings, folder = site_or_example(site)
    maker, reader = EditionMaker(settings, folder, fetches=True), example_reader(settings)
    proof = make_proof(maker, source, usual_occasion(source), reader, system_clock())
    if form == "eml":
        return proof.message
    return {"html": proof.html, "text": proof.text, "mjml": proof.mjml}[form].encode("utf-8")

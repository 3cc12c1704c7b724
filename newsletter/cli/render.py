"""`paperround render`: one post as its letter, with no site needed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.output import print_json

if TYPE_CHECKING:
    from newsletter.content.post import PostSource
    from newsletter.settings import Settings

_FORMATS = ("html", "text", "mjml", "eml", "outline")
_EXAMPLE = {
    "site": {
        "name": "Your newsletter",
        "from": "Your newsletter <news@example.com>",
        "base_url": "https://news.example.com",
        "postal_address": "Your postal address",
    }
}


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
    for warning in document.warnings:
        print(f"\nNote: {warning}")


def _letter(source: "PostSource", form: str, site: Path | None) -> bytes:
    from newsletter.render.edition import EditionMaker, envelope_for
    from newsletter.render.headers import Mailbox
    from newsletter.render.letter import Slots
    from newsletter.render.message import Reader, compile_message, sentinel_slots
    from newsletter.render.renderer import render_letter
    from newsletter.render.templates import template_environment
    from subscribers.base import system_clock

    settings, folder = _settings(site)
    maker = EditionMaker(settings, template_environment(folder / "templates" if folder else None))
    category = source.categories[0] if source.categories else "advice"
    title = category.replace("-", " ").capitalize()
    letter = maker.letter(title, None, [source])
    unsubscribe = f"{settings.site.base_url}/u/example"
    if form != "eml":
        slots = Slots(address="reader@example.com", unsubscribe_url=unsubscribe)
        rendering = render_letter(maker.environment, letter, slots)
        return {"html": rendering.html, "text": rendering.text, "mjml": rendering.mjml}[form].encode("utf-8")
    key = source.content_hash
    rendering = render_letter(maker.environment, letter, sentinel_slots(key))
    message = compile_message(
        key,
        rendering.subject,
        rendering.text,
        rendering.html,
        envelope_for(settings, category, title, "example"),
        system_clock(),
    )
    reader = Reader(Mailbox("", "reader@example.com"), f"example.{key[:16]}@example.com", unsubscribe)
    return message.splice(reader)


def _settings(site: Path | None) -> "tuple[Settings, Path | None]":
    """The settings of the site that was named or found, else an example's."""
    from newsletter.errors import SettingsError
    from newsletter.settings import Settings
    from newsletter.settings_file import find_site, load_settings

    if site is None:
        try:
            site = find_site(Path.cwd())
        except SettingsError:
            return Settings.model_validate(_EXAMPLE), None
    return load_settings(site), site

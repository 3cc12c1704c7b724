"""`paperround init`: a new site in a folder."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new site's folder; made if need be.")],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="The newsletter's name.")],
    sender: Annotated[str, typer.Option("--from", metavar="MAILBOX", help="Who writes: Name <address>.")],
    base_url: Annotated[
        str, typer.Option("--base-url", metavar="URL", help="Where readers will reach `paperround run`.")
    ],
    postal_address: Annotated[
        str, typer.Option("--postal-address", metavar="TEXT", help="Shown in every letter, as the law asks.")
    ],
) -> None:
    """Make a site: a folder with its settings and posts."""
    from newsletter.cli.output import note
    from newsletter.site import make_site

    given = {"name": name, "from": sender, "base_url": base_url, "postal_address": postal_address}
    make_site(folder, given)
    note(
        f"A site was made in {folder}; {folder / 'paperround.toml'} has its settings.\n"
        f"Its relay is the sandbox, which keeps letters as files and sends nothing.\n"
        f"Next: paperround --site {folder} category add SLUG --title TITLE"
    )

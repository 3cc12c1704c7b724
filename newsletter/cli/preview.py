"""`paperround preview`: a page on this machine that shows a post as its letter while it is being written."""

import signal
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from newsletter.cli.common import site_or_example
from newsletter.cli.output import note


def preview(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="A Markdown post, or a folder of posts.")],
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Serve there; 0 is any free one.")
    ] = 0,
    is_opened: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Show a post as its letter in a browser, anew at every save."""
    import webbrowser

    from newsletter.errors import ContentError
    from newsletter.listening import wait_for
    from newsletter.web.preview import Desk, make_preview
    from newsletter.web.server import WebServer

    if not file.exists():
        raise ContentError("there is no such file", path=file)
    _, folder = site_or_example(context.obj)
    desk = Desk(file, folder, lambda: site_or_example(folder or context.obj)[0])
    closing = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: closing.set())
    server = WebServer(
        lambda: make_preview(desk, closing),
        "127.0.0.1",
        port,
        what="the preview",
        remedy="name another --port, or none for any free one",
    )
    with server:
        note(f"{file} is shown at {server.url}; every save shows at once. Ctrl-C stops it.")
        if is_opened:
            webbrowser.open(server.url)
        wait_for(closing)

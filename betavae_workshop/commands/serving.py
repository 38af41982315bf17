"""The verb that shows the built book in a browser on this machine."""

import contextlib
import functools
import http.server
import socket

import click

from betavae_core.errors import UsageError
from betavae_workshop.commands.values import Whole


@click.command()
@click.option("--port", type=Whole(1, 65535), default=8000, show_default=True, help="Of 127.0.0.1.")
def serve(port):
    """Show the built book at http://127.0.0.1:8000, to this machine only.

    \b
    betavae serve
    betavae serve --port 8001

    Ctrl-C ends it.
    """
    from betavae_core import paths

    folder = paths.BUILD / "html"
    if not (folder / "index.html").exists():
        raise UsageError("no book is built yet; `make book` builds it")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UsageError(f"port {port} cannot be had ({error.strerror}); PORT={_free(port)} is free") from None
    with server, contextlib.suppress(KeyboardInterrupt):
        click.echo(f"book: http://127.0.0.1:{port}")
        server.serve_forever()


def _free(port: int) -> int:
    """A port that is free, the next ones first."""
    for candidate in (*range(max(port, 1023) + 1, min(port + 20, 65535)), 0):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", candidate)) as found:
            return found.getsockname()[1]
    return 0

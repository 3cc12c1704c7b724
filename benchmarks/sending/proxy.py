"""A proxy before a relay on loopback: `proxy.py TO_PORT READY [--delay-ms MS] [--authority FILE]`.

What comes in leaves MS milliseconds later, in its order and without a limit on how much is under way, so that
only the distance grows (a round trip is twice MS). With `--authority` it speaks TLS from the first byte and
writes the authority that vouches for it there. The port it listens on is written to READY once it does.
"""

import argparse
import asyncio
import ssl
from pathlib import Path

import uvloop

HOST = "127.0.0.1"
_CHUNK = 1 << 18


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Bring everything from one side to the other, then hang up there."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def take() -> None:
        data = b"more"
        while data:
            data = await reader.read(_CHUNK)
            under_way.put_nowait((loop.time() + delay, data))

    async def deliver() -> None:
        while True:
            due, data = await under_way.get()
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            if not data:
                return
            writer.write(data)
            await writer.drain()

    taking = asyncio.create_task(take())
    try:
        await deliver()
    finally:
        taking.cancel()
        writer.close()


async def serve(to_port: int, ready: Path, delay: float, authority: Path | None) -> None:
    """Listen until killed."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(HOST, to_port, limit=_CHUNK)
        both = carry(reader, far_writer, delay), carry(far_reader, writer, delay)
        await asyncio.gather(*both, return_exceptions=True)  # who hung up first is of no interest

    server = await asyncio.start_server(connected, HOST, 0, limit=_CHUNK, ssl=_tls(authority), backlog=256)
    port = server.sockets[0].getsockname()[1]
    part = ready.with_suffix(".part")
    part.write_text(str(port))
    part.rename(ready)
    async with server:
        await server.serve_forever()


def _tls(authority: Path | None) -> ssl.SSLContext | None:
    """A server's context with a new certificate for loopback."""
    if authority is None:
        return None
    import trustme

    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(authority)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer.issue_cert(HOST).configure_cert(context)
    return context


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("to_port", type=int)
    parser.add_argument("ready", type=Path)
    parser.add_argument("--delay-ms", type=float, default=0)
    parser.add_argument("--authority", type=Path)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options.to_port, options.ready, options.delay_ms / 1000, options.authority))


if __name__ == "__main__":
    main()

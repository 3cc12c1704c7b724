"""What people send newsletters with today: `rivals.py HOW PORT CONNECTIONS MESSAGES FILE [--tls]`.

Sends the message in FILE so many times over so many connections, each kept open for all of its messages, and
prints the seconds from the first connect to the last QUIT; no books are kept. HOW is `aiosmtplib` (`sendmail`
with the bytes, on uvloop), `aiosmtplib-message` (`send_message`, which writes the message anew each time, as
its documentation shows) or `smtplib` (a thread for each connection).
"""

import argparse
import asyncio
import smtplib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from pathlib import Path

import aiosmtplib
import uvloop

HOST = "127.0.0.1"
SENDER = "news@example.org"
_TIMEOUT = 60.0


def recipients(messages: int) -> Iterator[str]:
    """As many addresses, one after the other; the connections take turns at them."""
    return (f"reader{number}@example.net" for number in range(messages))


def with_aiosmtplib(
    port: int, connections: int, messages: int, content: bytes, *, tls: bool, parsed: bool
) -> None:
    """Send with aiosmtplib."""
    waiting = recipients(messages)

    async def connection() -> None:
        client = aiosmtplib.SMTP(hostname=HOST, port=port, use_tls=tls, start_tls=False, timeout=_TIMEOUT)
        async with client:
            for recipient in waiting:
                if parsed:
                    await client.send_message(message, sender=SENDER, recipients=[recipient])
                else:
                    await client.sendmail(SENDER, [recipient], content)

    async def everything() -> None:
        await asyncio.gather(*(connection() for _ in range(connections)))

    message = message_from_bytes(content, policy=policy.SMTP)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(everything())


def with_smtplib(port: int, connections: int, messages: int, content: bytes) -> None:
    """Send with the standard library."""
    waiting = list(recipients(messages))

    def connection(number: int) -> None:
        with smtplib.SMTP(HOST, port, timeout=_TIMEOUT) as client:
            for recipient in waiting[number::connections]:
                client.sendmail(SENDER, [recipient], content)

    with ThreadPoolExecutor(connections) as threads:
        list(threads.map(connection, range(connections)))


def main() -> None:
    """Send, and print how long it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("how", choices=("aiosmtplib", "aiosmtplib-message", "smtplib"))
    for name in ("port", "connections", "messages"):
        parser.add_argument(name, type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--tls", action="store_true")
    given = parser.parse_args()
    content = given.file.read_bytes()
    send: Callable[[], None]
    if given.how == "smtplib":
        send = lambda: with_smtplib(given.port, given.connections, given.messages, content)  # noqa: E731
    else:
        parsed = given.how == "aiosmtplib-message"
        send = lambda: with_aiosmtplib(  # noqa: E731
            given.port, given.connections, given.messages, content, tls=given.tls, parsed=parsed
        )
    began = time.perf_counter()
    send()
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()

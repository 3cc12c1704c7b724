"""A server of asyncio in a thread of its own, and what the main thread does meanwhile: wait for a signal."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from threading import Event, Thread

_END_SECONDS = 10
"""How long what is left of its sessions may take to end."""

_GLANCE_SECONDS = 0.2
"""Until the main thread looks again whether it is to stop."""

Loop = asyncio.AbstractEventLoop


def wait_for(stop: Event) -> None:
    """Wait in the main thread until a signal's handler, or another thread, sets `stop`.

    Not by `stop.wait()`. Python calls handlers only while the main thread goes on: a signal that comes as it
    begins to wait for a lock, or that the system gives to another thread, would be heard of at the next one.
    And a handler that sets an event whose lock the main thread holds at this moment waits for ever.
    """
    while not stop.is_set():
        time.sleep(_GLANCE_SECONDS)


class ListeningThread:
    """Serves whoever connects to a socket that listens, from the moment it is made until it is closed."""

    def __init__(
        self, name: str, listening: socket.socket, make_session: Callable[[Loop], asyncio.Protocol]
    ) -> None:
        """`make_session` gives a protocol for each connection, in the loop it is given."""
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()
        serving = self._loop.create_server(lambda: make_session(self._loop), sock=listening)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result()

    def close(self, finish: Callable[[], Awaitable[object]] | None = None) -> None:
        """Take no more connections, await what `finish` gives, cut what is still connected, and end."""
        self._loop.call_soon_threadsafe(self._server.close)
        if finish is not None:
            asyncio.run_coroutine_threadsafe(_awaited(finish), self._loop).result()
        asyncio.run_coroutine_threadsafe(_end_sessions(), self._loop).result(timeout=_END_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_END_SECONDS)
        self._loop.close()


async def _awaited(finish: Callable[[], Awaitable[object]]) -> None:
    await finish()


async def _end_sessions() -> None:
    """Cut what is still connected, so that nothing is left running."""
    sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in sessions:
        task.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)

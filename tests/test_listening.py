"""The main thread hears of a signal, whichever thread the system gives it to."""

import subprocess
import sys

SCRIPT = """
import os, signal, threading
from newsletter.listening import wait_for

stop = threading.Event()
other = threading.Thread(target=threading.Event().wait, daemon=True)
other.start()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
# From here on the system has only the other thread to give it to, as it may choose to at any time.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGTERM]).start()
wait_for(stop)
print("stopped")
"""


def test_a_signal_that_another_thread_gets_stops_the_main_one() -> None:
    """`Event.wait` would sleep on: Python runs handlers in the main thread, once that goes on."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")

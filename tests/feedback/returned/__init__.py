"""Reports as mail systems write them, of our own writing: about one letter, to one reader.

Each sample says what is to be read in it. They are put together in `letter`, and stand by who writes so.
"""

from tests.feedback.returned import complaints, others, providers, servers, wordings
from tests.feedback.returned.complaints import arf
from tests.feedback.returned.letter import (
    BOUNCE,
    HEADER,
    LEAVE,
    LETTER,
    MESSAGE,
    NUMBER,
    PATH,
    READER,
    SAMPLES,
    SIGNER,
    Sample,
    dsn,
    filled,
    final,
    plain,
)

__all__ = [
    "BOUNCE",
    "HEADER",
    "LEAVE",
    "LETTER",
    "MESSAGE",
    "NUMBER",
    "PATH",
    "READER",
    "SAMPLES",
    "SIGNER",
    "Sample",
    "arf",
    "complaints",
    "dsn",
    "filled",
    "final",
    "others",
    "plain",
    "providers",
    "servers",
    "wordings",
]

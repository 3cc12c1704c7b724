"""An animated GIF's frames, without all that is not shown: comments, XMP, and what follows its end.

The frames are not decoded, so that nothing of the picture changes. Fails with `ValueError` where the file is
no GIF (GIF89a section numbers are given below), or ends before its time.
"""

_SHOWN_EXTENSIONS = {0xF9, 0x01}  # graphic control (23), plain text (25)
_LOOPS = {b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0"}  # application extensions (26) that say how often


def stripped(data: bytes) -> bytes:
    """Give the same animation with nothing else in the file."""
    if data[:6] not in {b"GIF87a", b"GIF89a"}:
        raise ValueError("no GIF")
    at = _after_table(data, 10, 13)
    kept = [data[:at]]
    while (mark := _byte(data, at)) != 0x3B:  # trailer (27)
        if mark == 0x21:
            label = _byte(data, at + 1)
            end = _after_blocks(data, at + 2)
            is_kept = label in _SHOWN_EXTENSIONS or (label == 0xFF and data[at + 2 : at + 14] in _LOOPS)
        elif mark == 0x2C:  # image descriptor (20), local colour table (21), image data (22)
            end = _after_blocks(data, _after_table(data, at + 9, at + 10) + 1)
            is_kept = True
        else:
            raise ValueError(f"no block begins with {mark:#04x}")
        if is_kept:
            kept.append(data[at:end])
        at = end
    return b"".join([*kept, b"\x3b"])


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise ValueError("the file is cut off")
    return data[at]


def _after_table(data: bytes, flags_at: int, at: int) -> int:
    """Where a colour table that begins at `at` ends, if the flags say that there is one (18, 20)."""
    flags = _byte(data, flags_at)
    return at + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)


def _after_blocks(data: bytes, at: int) -> int:
    """Where a chain of sub-blocks ends (15, 16)."""
    while size := _byte(data, at):
        at += 1 + size
    return at + 1

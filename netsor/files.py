"""Writing files atomically: a reader sees either the complete old file or the complete new one."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path


def replace_file(path: Path | str, content: bytes) -> None:
    """Write a temporary file and move it into place, so that a full disk or a kill leaves the old file intact.

    Links stay links and permissions are kept; a device or a pipe is written to directly. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None:
        if not stat.S_ISREG(mode):
            target.write_bytes(content)
            return
        if not os.access(target, os.W_OK):
            # A move would replace even a file without permission to write.
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    beside = target.with_name(f".{secrets.token_hex(8)}.new")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(beside, mode & 0o7777)
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise

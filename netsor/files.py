"""Writing files: at every moment the old file is there whole, or the new one."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path


def replace_file(path: Path | str, content: bytes) -> None:
    """Write beside the file and move into place, so that a full disk or a kill leaves what was there before.

    A link stays a link and permissions stay as they are; a device or a pipe is written to. Raises OSError.
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
            # Moving would replace even what may not be written.
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

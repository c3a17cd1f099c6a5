"""The faulty server on a disk of its own that is a few megabytes large, which nobody else sees. Exits 77 where that cannot be."""

from __future__ import annotations

import ctypes
import os
import runpy
import sys
from pathlib import Path

FAULTY = Path(__file__).parent / "faulty_server.py"
NEW_MOUNTS, NEW_USERS = 0x00020000, 0x10000000
IMPOSSIBLE = 77


def own_disk(folder: Path, megabytes: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    user = os.getuid()
    if libc.unshare(NEW_MOUNTS | (NEW_USERS if user else 0)):
        sys.exit(IMPOSSIBLE)
    if user:
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    private = 1 << 18 | 1 << 14
    if libc.mount(b"none", b"/", None, private, None):
        sys.exit(IMPOSSIBLE)
    if libc.mount(b"none", str(folder).encode(), b"tmpfs", 0, f"size={megabytes}m".encode()):
        sys.exit(IMPOSSIBLE)


if __name__ == "__main__":
    data = Path(os.environ["ATELIER_DATA_DIR"])
    data.mkdir()
    own_disk(data, 4)
    runpy.run_path(str(FAULTY), run_name="__main__")

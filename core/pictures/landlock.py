"""Restrict which files a process may read with the kernel's Landlock (Linux 5.13 and later), without root.

The process may then write no file at all.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on every processor
GET_VERSION = 1
PATH_BENEATH = 1
READ_FILE, READ_FOLDER = 1 << 2, 1 << 3
FILE_RIGHTS = ((5, 16), (3, 15), (2, 14), (1, 13))  # (since version, number of rights)
NET_VERSION, NET_RIGHTS = 4, 0b11  # to bind and to connect
SCOPE_VERSION, SCOPES = 6, 0b11  # abstract sockets, and signals to processes outside this restriction


def restrict_to(readable: Iterable[Path]) -> None:
    """Let this thread, and threads that it starts later, read only what lies below these paths.

    Call this before other threads start. Raises `OSError` where the system does not support or allow it.
    """
    version = _call(CREATE_RULESET, None, 0, GET_VERSION)
    rights = (1 << next(count for since, count in FILE_RIGHTS if version >= since)) - 1
    attributes = struct.pack("=Q", rights)
    if version >= NET_VERSION:
        attributes += struct.pack("=Q", NET_RIGHTS)
    if version >= SCOPE_VERSION:
        attributes += struct.pack("=Q", SCOPES)
    ruleset = _call(CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path in readable:
            _allow(ruleset, path)
        _call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path) -> None:
    try:
        found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # it does not exist
        return
    try:
        rights = READ_FILE | READ_FOLDER if path.is_dir() else READ_FILE
        _call(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, found), 0)
    finally:
        os.close(found)


def _call(number: int, *arguments: int | bytes | None) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(each) if isinstance(each, int) else ctypes.c_char_p(each) for each in arguments]
    result: int = library.syscall(ctypes.c_long(number), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

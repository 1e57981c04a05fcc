"""Filter the system calls of a process that only uses pipes and reads files: no network, other process or change.

A refused call fails with EPERM, as if a right were missing, so that a library that only tries it continues. The program
is classic BPF (seccomp(2)); numbers are those of x86-64 and 64-bit ARM.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from enum import IntEnum

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_*

# System calls by name, with their numbers on both.
REFUSED = {
    # Network, also through io_uring; other processes' queues.
    "socket": (41, 198), "socketpair": (53, 199), "io_uring_setup": (425, 425), "shmget": (29, 194),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    # Other processes: their memory, files and priority, and new ones.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "kcmp": (312, 272), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    # Changes to the file system.
    "creat": (85, None), "truncate": (76, 45), "unlink": (87, None), "unlinkat": (263, 35), "rename": (82, None),
    "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None),
    "link": (86, None), "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36), "mknod": (133, None),
    "mknodat": (259, 33), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None),
    "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5),
    "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15),
    "fremovexattr": (199, 16), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "open_by_handle_at": (304, 265),
    # Ways around this filter, and parts of the kernel that had many holes.
    "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
}  # fmt: skip
UNKNOWN = {
    "clone3": (435, 435),
    "openat2": (437, 437),
}  # no filter sees their flags; the C library uses older calls then
ITSELF = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "prlimit64": (302, 261),
          "sched_setaffinity": (203, 122)}  # whose first argument must be this process, or zero  # fmt: skip
OPENING = {"open": ((2, None), 1), "openat": ((257, 56), 2)}  # and the argument that holds the flags
CLONE = (56, 220)
CLONE_THREAD = 0x10000
NEVER_OPENED_WITH = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
X32 = 0x40000000  # marks the numbers of the x32 interface of x86-64
SECCOMP = (317, 277)
SET_MODE_FILTER, FLAG_TSYNC = 1, 1

NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16  # in struct seccomp_data; arguments are 64 bits, little-endian


class FilterAction(IntEnum):
    ALLOW = 0x7FFF0000
    REFUSE = 0x00050000 | errno.EPERM
    UNKNOWN = 0x00050000 | errno.ENOSYS
    KILL = 0x80000000


class Code(IntEnum):
    LOAD = 0x20  # 32 bits of seccomp_data
    JUMP_IF_EQUAL = 0x15
    JUMP_IF_AT_LEAST = 0x35
    JUMP_IF_ANY_BIT = 0x45
    RETURN = 0x06


Instruction = tuple[Code, int, int, int]  # with how many to skip if so, how many if not, and a number


def program(machine: str, process: int) -> list[Instruction]:
    """Return the filter for one of `ARCHITECTURES`."""
    column = list(ARCHITECTURES).index(machine)
    made: list[Instruction] = [
        (Code.LOAD, 0, 0, ARCHITECTURE_AT),
        (Code.JUMP_IF_EQUAL, 1, 0, ARCHITECTURES[machine]),
        _return(FilterAction.KILL),
        (Code.LOAD, 0, 0, NUMBER_AT),
    ]
    if machine == "x86_64":
        made += [(Code.JUMP_IF_AT_LEAST, 0, 1, X32), _return(FilterAction.REFUSE)]
    for calls, verdict in ((REFUSED, FilterAction.REFUSE), (UNKNOWN, FilterAction.UNKNOWN)):
        for numbers in calls.values():
            made += _where(numbers[column], [_return(verdict)])
    for numbers in ITSELF.values():
        made += _where(numbers[column], list(_only_itself(process)))
    for numbers, flags in OPENING.values():
        made += _where(numbers[column], list(_unless_any(flags, NEVER_OPENED_WITH)))
    made += _where(CLONE[column], [
        (Code.LOAD, 0, 0, ARGUMENTS_AT), (Code.JUMP_IF_ANY_BIT, 1, 0, CLONE_THREAD), _return(FilterAction.REFUSE),
        _return(FilterAction.ALLOW),
    ])  # fmt: skip
    return [*made, _return(FilterAction.ALLOW)]


def install() -> None:
    """Filter all threads from now on, for ever. Raises `OSError` where the system does not support or allow it."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no filter of system calls for {machine}")
    instructions = b"".join(struct.pack("=HBBI", *instruction) for instruction in program(machine, os.getpid()))
    held = ctypes.create_string_buffer(instructions, len(instructions))
    filter_ = ctypes.create_string_buffer(struct.pack("@HP", len(instructions) // 8, ctypes.addressof(held)))
    library = ctypes.CDLL(None, use_errno=True)
    number = SECCOMP[list(ARCHITECTURES).index(machine)]
    if library.syscall(number, SET_MODE_FILTER, FLAG_TSYNC, filter_) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _return(verdict: FilterAction) -> Instruction:
    return Code.RETURN, 0, 0, verdict


def _where(number: int | None, then: list[Instruction]) -> list[Instruction]:
    """Run `then` for this system call. It must return a verdict, because it loads other values."""
    return [] if number is None else [(Code.JUMP_IF_EQUAL, 0, len(then), number), *then]


def _only_itself(process: int) -> Iterator[Instruction]:
    yield Code.LOAD, 0, 0, ARGUMENTS_AT
    yield Code.JUMP_IF_EQUAL, 2, 0, 0
    yield Code.JUMP_IF_EQUAL, 1, 0, process
    yield _return(FilterAction.REFUSE)
    yield _return(FilterAction.ALLOW)


def _unless_any(argument: int, bits: int) -> Iterator[Instruction]:
    yield Code.LOAD, 0, 0, ARGUMENTS_AT + 8 * argument
    yield Code.JUMP_IF_ANY_BIT, 0, 1, bits
    yield _return(FilterAction.REFUSE)
    yield _return(FilterAction.ALLOW)

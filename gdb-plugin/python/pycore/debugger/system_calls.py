"""Which futex a thread waits for, by the system call that it is in: that tells who waits for the GIL."""

from typing import Optional

# The numbers of futex and restart_syscall; `/proc/PID/task/TID/syscall` and registers have them alike.
CALLS = {"x86_64": (202, 219), "aarch64": (98, 128)}
# The registers of the number and of the first two arguments.
REGISTERS = {"x86_64": ("orig_rax", "rdi", "rsi"), "aarch64": ("x8", "x0", "x1")}
# FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2 (include/uapi/linux/futex.h), and
# what is not the command in the operation: FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME, the upper half of the register.
WAITING = {0, 6, 9, 11, 13}
COMMAND = 0xFFFFFFFF & ~(128 | 256)


def futex(machine: str, number: Optional[int], address: Optional[int], operation: Optional[int]) -> int:
    """The address of the futex; 0 where it is another call, or none."""
    is_futex = number in CALLS[machine] and operation is not None and operation & COMMAND in WAITING
    return (address or 0) if is_futex else 0


def futex_by_kernel(machine: str, pid: int, tid: int) -> int:
    """As `futex`, for a process of this machine whose registers do not tell; 0 where the kernel does not, either."""
    try:
        with open("/proc/%d/task/%d/syscall" % (pid, tid)) as file:
            words = file.read().split()
        return futex(machine, int(words[0]), int(words[1], 16), int(words[2], 16)) if len(words) > 3 else 0
    except (OSError, ValueError):
        return 0

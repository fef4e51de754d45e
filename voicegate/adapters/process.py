"""The daemon's own process: what the operating system lets it use, and what nobody may take from its memory.

Sources: setrlimit(2), prctl(2). Linux only, as the socket's peer credentials are.
"""

import ctypes
import os
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def use_all_descriptors() -> int:
    """Raise this process's limit of open files to what its owner allows it; return the limit.

    The usual soft limit, 1024, is for programs that use select(2); each connection and each call costs
    descriptors.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def keep_memory_private() -> None:
    """Have no core dump made of this process, nor its memory read by others of its user: codes are in it.

    Raises:
        OSError: the kernel refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    # The limit alone would not do: a core pattern that is a pipe is handed the memory whatever it is.
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl: {os.strerror(error)}")

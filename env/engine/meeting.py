"""Where the threads of an engine meet, in compiled code: pieces of work are announced, shared out, and waited for.

A thread that sleeps takes some 50 µs to wake, and as long again to get the interpreter's lock: a third of a step of 64 worlds.
So a thread that has done its share looks out for the next piece for a while before it sleeps, without that lock.

A meeting is an int64 array; what different threads write lies in different cache lines.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba.core import types
from numba.extending import intrinsic

from env.engine.compile import cpu_kernel, inner

LINE = 8
"""Entries of a cache line."""
PIECE, WHAT, EPISODES_ON, THREADS = 0, 1, 2, 3
"""How many pieces have been announced, the kind of the present one (`env.engine.cpu_kernels`), and the number of threads."""
DONE, ASLEEP = LINE, 2 * LINE
"""How many helping threads have done their share, and how many sleep or are about to."""
CLAIMED = 3 * LINE
"""How many of the first thread's rows are claimed; those of the next follow a line further on."""

PATIENCE = 50_000
"""Looks before a thread gives up waiting, about 50 µs."""


def make_meeting(threads: int) -> npt.NDArray[np.int64]:
    """A meeting of so many threads, at which nothing has been announced, and all but the first sleep."""
    meeting = np.zeros(CLAIMED + threads * LINE, dtype=np.int64)
    meeting[DONE] = meeting[ASLEEP] = threads - 1
    meeting[THREADS] = threads
    return meeting


@intrinsic
def add(typing_context: Any, meeting: Any, entry: Any, amount: Any) -> Any:
    """Adds to an entry and returns what it was before; no two threads that do so get the same answer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", builder.gep(array.data, [arguments[1]]), arguments[2], "seq_cst")

    return types.int64(meeting, types.int64, types.int64), generate


@intrinsic
def look(typing_context: Any, meeting: Any, entry: Any) -> Any:
    """What an entry is now, whoever wrote it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.load_atomic(builder.gep(array.data, [arguments[1]]), "seq_cst", 8)

    return types.int64(meeting, types.int64), generate


@inner
def next_piece(meeting, seen):
    """Waits for a piece after the `seen`th; False where none came, and the thread must sleep."""
    for _ in range(PATIENCE):
        if look(meeting, PIECE) != seen:  # type: ignore[call-arg]
            return True
    add(meeting, ASLEEP, 1)  # type: ignore[call-arg]
    if look(meeting, PIECE) == seen:  # type: ignore[call-arg]
        return False
    # Announced in between: whoever did may have seen this thread asleep, and calls it awake once more than it needs.
    add(meeting, ASLEEP, -1)  # type: ignore[call-arg]
    return True


@cpu_kernel
def announce(meeting, what, episodes_on):
    """Announces a piece of work; returns how many threads must be called awake for it."""
    meeting[WHAT] = what
    meeting[EPISODES_ON] = episodes_on
    for thread in range(meeting[THREADS]):
        meeting[CLAIMED + thread * LINE] = 0
    meeting[DONE] = 0
    add(meeting, PIECE, 1)  # type: ignore[call-arg]
    return look(meeting, ASLEEP)  # type: ignore[call-arg]


@cpu_kernel
def all_done(meeting):
    """Waits until all helping threads have done their share; False where that takes too long to go on looking."""
    looks = 0
    while look(meeting, DONE) != meeting[THREADS] - 1:  # type: ignore[call-arg]
        looks += 1
        if looks == PATIENCE:
            return False
    return True

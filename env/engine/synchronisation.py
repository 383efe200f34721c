"""How the threads of a `env.engine.thread_pool.ThreadPool` synchronise, for compiled code: by an int64 array.

Entries that different threads write lie in different cache lines.
"""

import functools
from types import SimpleNamespace
from typing import Any

from env.engine.compile import inner

LINE = 8
"""Entries of a cache line."""
GENERATION, OPERATION, EPISODE_INCREMENT, THREADS = 0, 1, 2, 3
"""Entries of the synchronisation array: operations published so far, the kind of the current one and its argument (see
`env.engine.cpu_kernels`), and the number of threads."""
FINISHED, SLEEPING = LINE, 2 * LINE
"""Workers that have finished the current operation, and workers that sleep or are about to."""
CLAIMED = 3 * LINE
"""Claimed rows of the first thread's share; each further thread's entry is one line later."""
SPIN_LIMIT = 50_000
"""Polls before a waiting thread gives up, about 50 µs."""


@functools.cache
def build() -> SimpleNamespace:
    """Defines `atomic_add`, `atomic_load`, `wait_for_operation`, `publish` and `wait_until_finished`."""
    from numba.core import types
    from numba.extending import intrinsic

    def atomic_add_of(typing_context: Any, sync: Any, entry: Any, amount: Any) -> Any:
        """Adds to an entry and returns its previous value, atomically."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            return builder.atomic_rmw("add", builder.gep(array.data, [arguments[1]]), arguments[2], "seq_cst")

        return types.int64(sync, types.int64, types.int64), generate

    def atomic_load_of(typing_context: Any, sync: Any, entry: Any) -> Any:
        """The present value of an entry, whichever thread wrote it."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            return builder.load_atomic(builder.gep(array.data, [arguments[1]]), "seq_cst", 8)

        return types.int64(sync, types.int64), generate

    # To Python these are functions without the first argument.
    atomic_add: Any = intrinsic(atomic_add_of)
    atomic_load: Any = intrinsic(atomic_load_of)

    @inner
    def wait_for_operation(sync, generation):
        """Spins until an operation after the given generation is published; False where the thread must sleep instead."""
        for _ in range(SPIN_LIMIT):
            if atomic_load(sync, GENERATION) != generation:
                return True
        atomic_add(sync, SLEEPING, 1)
        if atomic_load(sync, GENERATION) == generation:
            return False
        # Published in between: the publisher may have counted this thread as asleep, and releases its lock once more than needed.
        atomic_add(sync, SLEEPING, -1)
        return True

    @inner
    def publish(sync, operation, episode_increment):
        """Publishes an operation; returns how many threads have to be woken for it."""
        sync[OPERATION] = operation
        sync[EPISODE_INCREMENT] = episode_increment
        for thread in range(sync[THREADS]):
            sync[CLAIMED + thread * LINE] = 0
        sync[FINISHED] = 0
        atomic_add(sync, GENERATION, 1)
        return atomic_load(sync, SLEEPING)

    @inner
    def wait_until_finished(sync):
        """Spins until all workers have finished the operation; 0 where that takes too long to go on spinning, else 1."""
        polls = 0
        while atomic_load(sync, FINISHED) != sync[THREADS] - 1:
            polls += 1
            if polls == SPIN_LIMIT:
                return 0
        return 1

    return SimpleNamespace(
        atomic_add=atomic_add,
        atomic_load=atomic_load,
        wait_for_operation=wait_for_operation,
        publish=publish,
        wait_until_finished=wait_until_finished,
    )

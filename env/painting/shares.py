"""Splits the rows of a batch of canvases among threads, in compiled code."""

from collections.abc import Sequence
from typing import Any

from env.engine.compile import cpu_kernel
from env.engine.packed_arguments import words_maker
from env.engine.synchronisation import CLAIMED, FINISHED, LINE, SLEEPING, THREADS, build
from env.engine.thread_pool import Work

LAY = 0
"""The operation of a pool that lays strokes."""


def share_kernel(lay_row: Any) -> Any:
    """A kernel that lays the strokes of all rows; each thread begins with its own share, and helps the others then.

    Args:
        lay_row: compiled, (work, buffer, row): lays the stroke of a row. `work` is a named tuple whose first entry is the
            strokes; the buffer is the thread's own.
    """

    words, threads_of = words_maker(), build()
    atomic_add, wait_for_operation, publish = threads_of.atomic_add, threads_of.wait_for_operation, threads_of.publish

    def advance(work, buffer, synchronisation, thread, generation, operation, argument):
        """A thread's part in the operations of a `env.engine.thread_pool.ThreadPool`."""
        sync = words(synchronisation)
        if operation >= 0:
            publish(sync, operation, argument)
        pieces = work[0].pieces
        rows, threads = pieces.shape[0], sync[THREADS]
        if thread > 0:
            atomic_add(sync, SLEEPING, -1)
        while thread == 0 or wait_for_operation(sync, generation):
            for others in range(threads):
                owner = (thread + others) % threads
                begin, end = rows * owner // threads, rows * (owner + 1) // threads
                while True:
                    row = begin + atomic_add(sync, CLAIMED + owner * LINE, 1)
                    if row >= end:
                        break
                    if pieces[row] > 0:
                        lay_row(work, buffer, row)
            generation += 1
            if thread == 0:
                break
            atomic_add(sync, FINISHED, 1)
        return generation

    return cpu_kernel(advance)


def shares(kernel: Any, work: Any, buffers: Sequence[Any]) -> Work:
    """The kernel as a thread pool calls it, with a buffer for each thread."""
    return lambda sync, thread, *rest: kernel(work, buffers[thread], sync, thread, *rest)

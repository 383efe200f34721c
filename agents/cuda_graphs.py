"""Repeated work on the same tensors, recorded as a CUDA graph.

What can be recorded reads and writes tensors at fixed addresses, copies nothing to or from the host, has no data-dependent
control flow, and changes nothing but tensors: a replay runs none of its Python.
"""

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

import torch

Work = Callable[[], Any]
Capture = Callable[[Work], Work]
"""Makes work that keeps the rules above into work that does the same."""

WARM_UPS = 2
"""Calls before the recording: kernels are compiled then, and libraries choose theirs."""


def as_it_is(work: Work) -> Work:
    """Records nothing; for the CPU, and for debugging."""
    return work


class RecordingError(RuntimeError):
    """Work that can't be recorded as a CUDA graph; the message is CUDA's."""


class CudaGraph:
    """Work on one stream, which is the current one whenever it is called; recorded at the call after the warm-ups, then replayed.

    What the work returns are the same tensors at every replay, overwritten by the next.
    """

    def __init__(self, work: Work, stream: torch.cuda.Stream) -> None:
        self.work = work
        self.stream = stream
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.result: Any = None

    def __call__(self) -> Any:
        if self.calls < WARM_UPS:
            self.calls += 1
            return self.work()
        if self.graph is None:
            graph = torch.cuda.CUDAGraph()
            # On the worker's own stream: on torch's common one, libraries would give all workers' graphs the same scratch memory,
            # and graphs of several workers run at once.
            with _recording(), torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                self.result = self.work()
            self.graph = graph
        self.graph.replay()
        return self.result


@contextlib.contextmanager
def _recording() -> Iterator[None]:
    """Suspends garbage collection, since freeing GPU memory invalidates a recording; raises RecordingError where one failed."""
    gc.collect()
    gc.disable()
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        # Where an operation failed, ending the recording fails too, with a less specific message.
        reason = " ".join(str(error.__context__ or error).split())
        raise RecordingError(f"this can't be recorded as a CUDA graph: {reason}") from error
    finally:
        gc.enable()

"""Where worlds run: the embedded engine or DeepMind Lab, behind one interface."""

from env.batch import BatchEnv
from env.task import Task
from maze_gen.errors import InputError

BACKENDS = ("embedded", "lab")


def make_batch(
    task: Task,
    num_envs: int,
    *,
    backend: str = "embedded",
    depth: bool = False,
    depth_target: bool = False,
    device: str = "cpu",
    threads: int = 1,
) -> BatchEnv:
    """N worlds of a task.

    Args:
        backend: `embedded` or `lab`.
        depth: whether `observation.depth` is made.
        depth_target: whether `observation.depth_target` is made.
        device: `cpu` or `cuda`, of the embedded engine.
        threads: of the embedded engine on the CPU.

    Raises:
        InputError: an unknown backend, or one that isn't installed here.
    """
    if num_envs < 1:
        raise InputError(f"num_envs {num_envs}: expected at least 1")
    # Imported where it is used: the engine brings a compiler, and DeepMind Lab may not be installed.
    if backend == "embedded":
        from env.engine.engine import Engine

        return Engine(task, num_envs, depth=depth, depth_target=depth_target, device=device, threads=threads)
    if backend == "lab":
        from env.lab.adapter import LabBatch

        return LabBatch(task, num_envs, depth=depth, depth_target=depth_target)
    raise InputError(f"backend {backend!r}: expected one of {', '.join(BACKENDS)}")

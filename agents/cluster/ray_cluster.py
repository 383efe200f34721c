"""Connects to a cluster by Ray, or starts one on this machine. Only the process that talks to the cluster imports this."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray
from ray._private.state import available_resources_per_node

from agents.cluster.settings import LOCAL
from maze_gen.errors import InputError

ROOT = Path(__file__).parents[2]
PACKAGES = ("maze_gen", "env", "auxiliary", "agents", "experiments")
LEFT_OUT = ("pretrained", "__pycache__")
"""Folders of the packages that nodes don't need."""


@contextmanager
def connected(address: str, processors: int) -> Iterator[None]:
    """A connection to a cluster for as long as the block lasts, after `agents.cluster.authentication.prepare`.

    A local cluster has a folder for temporary files and a life of its own: nobody else joins it, and it joins nobody.

    Args:
        address: `local`, or HOST:PORT of the head.
        processors: of a local cluster.

    Raises:
        InputError: it can't be joined, or is of another version.
    """
    if address == LOCAL:
        with _started(processors):
            yield
        return
    with tempfile.TemporaryDirectory(prefix="knossos-code-") as folder:
        copy_code(Path(folder))
        try:
            ray.init(address=address, runtime_env={"working_dir": folder}, log_to_driver=True)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(f"--cluster {address}: {' '.join(str(error).split())}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _started(processors: int) -> Iterator[None]:
    # Nodes of this machine find the packages where this process has them.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    folder = tempfile.mkdtemp(prefix="knossos-ray-")
    try:
        ray.init(
            address="local",
            num_cpus=processors,
            include_dashboard=False,
            log_to_driver=True,
            _temp_dir=folder,
            _node_ip_address="127.0.0.1",
        )
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def available() -> dict[str, tuple[int, int]]:
    """(free processors, free GPUs) by the id of their node."""
    free = available_resources_per_node()
    return {node: (int(resources.get("CPU", 0)), int(resources.get("GPU", 0))) for node, resources in free.items()}


def free_places(gpus: bool) -> int:
    """Processors of all nodes that are free, or GPUs with a processor beside each."""
    return sum(min(found) if gpus else found[0] for found in available().values())


def copy_code(folder: Path) -> None:
    """Copies this version of the project, for nodes that have another one or none: its packages have to lie in one folder."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.copy(ROOT / "knossos.py", folder)

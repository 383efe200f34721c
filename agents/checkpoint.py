"""Checkpoints: one safetensors file with parameters, the optimiser's statistics, the mazes, and everything else as JSON.

Loading one runs no code from it: safetensors holds numbers only, and the rest is JSON that is checked field by field.
"""

import dataclasses
import json
import platform
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from agents.config import AgentConfig, TrainConfig, agent_config, from_json
from agents.learning.parameter_store import ParameterStore
from agents.model import AgentModel, FlatParameters
from env.task import Task
from env.task_io import read_task, record_task
from maze_gen.errors import InputError
from maze_gen.files import write_whole

FORMAT = "knossos checkpoint 1"
CHECKPOINT = "checkpoint.safetensors"
"""Its name in a run's folder."""
PARAMETERS, OPTIMIZER, TASK = "parameters/", "optimizer/", "task/"


@dataclass(frozen=True)
class Checkpoint:
    """An agent in the middle of its training, or at the end of it.

    Attributes:
        agent_name: a row of `agents.config.AGENTS`.
        config: the settings it learned with.
        preset: what they started from.
        task: with its mazes, as it was trained.
        backend: that it was trained on.
        seed: of the training.
        frames: environment frames (of 1/60 s) that it has seen.
        seconds: that it has trained.
        sessions: how often the training was started or resumed.
        parameters: by name.
        statistics: of the optimiser, [P] each, and its number of updates; empty in an agent that was exported.
        versions: of Python and the libraries.
        origin: the file it came from.
    """

    agent_name: str
    config: TrainConfig
    preset: str
    task: Task
    backend: str
    seed: int
    frames: int
    seconds: float
    sessions: int
    parameters: dict[str, Tensor]
    statistics: dict[str, Tensor]
    versions: dict[str, str] = field(default_factory=dict)
    origin: str = ""

    @property
    def agent(self) -> AgentConfig:
        return agent_config(self.agent_name)

    def model(self) -> AgentModel:
        """The agent, with these parameters.

        Raises:
            InputError: the parameters are another agent's.
        """
        with torch.random.fork_rng():
            model = AgentModel(self.agent, self.task, self.config)
        wanted = dict(model.named_parameters())
        if set(wanted) != set(self.parameters):
            odd = sorted(set(wanted) ^ set(self.parameters))
            raise InputError(f"{self.origin}: not the parameters of {self.agent_name}: {odd[0]} is missing or too much")
        for name, place in wanted.items():
            values = self.parameters[name]
            if values.shape != place.shape or values.dtype != place.dtype:
                raise InputError(
                    f"{self.origin}: {name} is {list(values.shape)}, expected {list(place.shape)} of {self.agent_name}"
                )
            if not bool(torch.isfinite(values).all()):
                raise InputError(f"{self.origin}: {name} holds numbers that aren't finite")
            place.data.copy_(values)
        return model

    def restore(self, store: ParameterStore, flat: FlatParameters) -> None:
        """Puts parameters and statistics into a store whose parameters are laid out as `flat`.

        Raises:
            InputError: they don't fit it.
        """
        for name, place in flat.named(store.parameters).items():
            place.copy_(self.parameters[name])
        if not self.statistics:
            raise InputError(
                f"{self.origin}: it lacks the optimiser: an exported agent can be played and read, but not trained further"
            )
        if set(store.optimizer.statistics) != set(self.statistics):
            raise InputError(f"{self.origin}: its optimiser is another one than {store.config.optimizer}")
        for name, place in store.optimizer.statistics.items():
            if place.shape != self.statistics[name].shape:
                raise InputError(f"{self.origin}: its optimiser's {name} has another shape")
            place.copy_(self.statistics[name])


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results may depend on."""
    names = ("torch", "numpy", "numba", "safetensors")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes `path` whole or not at all.

    Raises:
        InputError: the place can't be written, or the disk is full.
    """
    rules, mazes = record_task(checkpoint.task)
    content = {
        "format": FORMAT,
        "agent": checkpoint.agent_name,
        "agent_config": dataclasses.asdict(checkpoint.agent),
        "config": dataclasses.asdict(checkpoint.config),
        "preset": checkpoint.preset,
        "task": rules,
        "backend": checkpoint.backend,
        "seed": checkpoint.seed,
        "frames": checkpoint.frames,
        "seconds": checkpoint.seconds,
        "sessions": checkpoint.sessions,
        "versions": checkpoint.versions,
    }
    arrays = {name: torch.from_numpy(array) for name, array in mazes.items()}
    groups = ((PARAMETERS, checkpoint.parameters), (OPTIMIZER, checkpoint.statistics), (TASK, arrays))
    tensors = {prefix + name: part.contiguous() for prefix, group in groups for name, part in group.items()}
    write_whole(path, safetensors.torch.save(tensors, {"knossos": json.dumps(content, allow_nan=False)}))


def checkpoint_path(place: Path | str) -> Path:
    """The checkpoint of a run's folder, or the file itself."""
    place = Path(place)
    return place / CHECKPOINT if place.is_dir() else place


def load_checkpoint(place: Path | str) -> Checkpoint:
    """Reads a checkpoint.

    Args:
        place: the file, or the run's folder that it lies in.

    Raises:
        InputError: no such file, not a checkpoint of ours, truncated, or damaged; the message names the file.
    """
    path = checkpoint_path(place)
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            text = (file.metadata() or {}).get("knossos")
            if text is None:
                raise InputError(f"{path}: a safetensors file, but not a checkpoint of ours")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file, expected a checkpoint") from error
    except (safetensors.SafetensorError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a checkpoint, or a truncated one ({error})") from error
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: its description is not JSON ({error})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not of the format {FORMAT!r}")
    return _checkpoint(path, content, tensors)


def _checkpoint(path: Path, content: dict[str, Any], tensors: dict[str, Tensor]) -> Checkpoint:
    origin = str(path)

    def group(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): part for name, part in tensors.items() if name.startswith(prefix)}

    try:
        name = content["agent"]
        if from_json(AgentConfig, content["agent_config"], origin) != agent_config(name):
            raise InputError(f"{origin}: its agent {name} is made otherwise than this version's {name}")
        return Checkpoint(
            agent_name=name,
            config=from_json(TrainConfig, content["config"], origin),
            preset=str(content["preset"]),
            task=read_task(content["task"], {name: part.numpy() for name, part in group(TASK).items()}, origin),
            backend=str(content["backend"]),
            seed=int(content["seed"]),
            frames=int(content["frames"]),
            seconds=float(content["seconds"]),
            sessions=int(content["sessions"]),
            parameters=group(PARAMETERS),
            statistics=group(OPTIMIZER),
            versions=dict(content["versions"]),
            origin=origin,
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{origin}: its description lacks or garbles {error}") from error

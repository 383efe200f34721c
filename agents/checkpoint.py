"""Checkpoints: one safetensors file with parameters, the optimiser's statistics, the mazes, and everything else as JSON.

Loading one runs no code from it: safetensors holds numbers only, and the rest is JSON that is checked field by field.
"""

import dataclasses
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

import env.backends  # noqa: F401 - makes the maze domain known
from agents.checkpoint_formats import FORMATS, HISTORY, upgraded
from agents.config import AgentConfig, TrainConfig, check_range
from agents.learning.parameter_store import ParameterStore
from agents.learning.population_store import MEMBERS
from agents.model import AgentModel, FlatParameters
from agents.state import State, join, part
from env.domain import domain_named, domain_of
from maze_gen.config_io import from_json, parse_json, to_json
from maze_gen.errors import InputError
from maze_gen.files import write_whole

CHECKPOINT = "checkpoint.safetensors"
"""Its name in a run's folder."""
NOT_NEGATIVE = ("square", "updates")
"""Statistics of optimisers of which roots are taken, or that count."""
PARAMETERS, OPTIMIZER, TASK, WORKERS = "parameters/", "optimizer/", "task/", "workers/"


@dataclass(frozen=True)
class Checkpoint:
    """An agent in the middle of its training, or at the end of it.

    Attributes:
        agent_name: what the agent is called, a row of `agents.config.AGENTS` when it was made.
        agent: what it is made of.
        config: the settings it learned with.
        preset: what they started from.
        task: of any domain, as it was trained.
        backend: that it was trained on.
        seed: of the training.
        frames: environment frames that it has seen.
        seconds: that it has trained.
        sessions: how often the training was started or resumed.
        parameters: by name.
        statistics: of the optimiser, [P] each, and its number of updates, and what a population keeps beside its best member
            (`PopulationStore`); empty in an agent that was exported, but for a population's members.
        versions: of Python and the libraries.
        workers: states of the workers by index, from which a resumed training goes on.
        log: what the trainer's callbacks go on with, as JSON.
        origin: the file it came from.
    """

    agent_name: str
    agent: AgentConfig
    config: TrainConfig
    preset: str
    task: Any
    backend: str
    seed: int
    frames: int
    seconds: float
    sessions: int
    parameters: dict[str, Tensor]
    statistics: dict[str, Tensor]
    versions: dict[str, str] = field(default_factory=dict)
    workers: dict[int, State] = field(default_factory=dict)
    log: dict[str, Any] = field(default_factory=dict)
    origin: str = ""

    @property
    def observe(self) -> frozenset[str]:
        """Names of the arrays that worlds must make for the agent to act."""
        return self.agent.perceives(self.task.spec())

    def model(self) -> AgentModel:
        """The agent, with these parameters.

        Raises:
            InputError: the parameters are another agent's, or aren't finite.
        """
        with torch.random.fork_rng():
            model = AgentModel(self.agent, self.task.spec(), self.config)
        wanted = dict(model.named_parameters())
        if set(wanted) != set(self.parameters):
            odd = sorted(set(wanted) ^ set(self.parameters))
            raise InputError(f"{self.origin}: not the parameters of {self.agent_name}: {odd[0]} is missing or superfluous")
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

    @property
    def members(self) -> tuple["Checkpoint", ...]:
        """The members of its population, as agents that can be played; empty without one. This agent is the best of them."""
        rows = self.statistics.get(MEMBERS)
        if rows is None:
            return ()
        flat = FlatParameters(self.model())
        if rows.shape != (self.config.population, flat.agent_size):
            expected = f"[{self.config.population}, {flat.agent_size}]"
            raise InputError(f"{self.origin}: its population is {list(rows.shape)}, expected {expected}")
        named = [flat.named(torch.cat((row, flat.values[flat.agent_size :]))) for row in rows]
        exported: dict[str, Any] = {"statistics": {}, "workers": {}, "log": {}}
        return tuple(dataclasses.replace(self, parameters=parameters, **exported) for parameters in named)

    def restore(self, store: ParameterStore, flat: FlatParameters) -> None:
        """Puts parameters and statistics into a store whose parameters are laid out as `flat`.

        Raises:
            InputError: they don't fit it.
        """
        for name, place in flat.named(store.parameters).items():
            place.copy_(self.parameters[name])
        if "updates" not in self.statistics:
            raise InputError(
                f"{self.origin}: it lacks the optimiser: an exported agent can be played and read, but not trained further"
            )
        if set(store.statistics) != set(self.statistics):
            raise InputError(f"{self.origin}: its optimiser is another one than {store.config.optimizer}")
        for name, place in store.statistics.items():
            values = self.statistics[name]
            if place.shape != values.shape or place.dtype != values.dtype:
                raise InputError(
                    f"{self.origin}: its optimiser's {name} is {list(values.shape)} {values.dtype}, "
                    f"expected {list(place.shape)} {place.dtype}"
                )
            if not bool(torch.isfinite(values).all()) or (name.split()[-1] in NOT_NEGATIVE and bool((values < 0).any())):
                raise InputError(f"{self.origin}: its optimiser's {name} holds numbers that are negative or not finite")
            place.copy_(values)


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results may depend on."""
    names = ("torch", "numpy", "numba", "safetensors")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes `path` whole or not at all.

    Raises:
        InputError: the place can't be written, or the disk is full.
    """
    domain = domain_of(checkpoint.task)
    rules, arrays = domain.record(checkpoint.task)
    task = {name: torch.from_numpy(array) for name, array in arrays.items()}
    workers = join({str(index): state for index, state in checkpoint.workers.items()})
    groups = ((PARAMETERS, checkpoint.parameters), (OPTIMIZER, checkpoint.statistics), (TASK, task), (WORKERS, workers))
    tensors = {prefix + name: part.contiguous() for prefix, group in groups for name, part in group.items()}
    content = {
        "format": FORMATS[-1],
        "agent": checkpoint.agent_name,
        "agent_config": to_json(checkpoint.agent),
        "config": to_json(checkpoint.config),
        "domain": domain.name,
        "task": rules,
        "checksum": checksum(tensors),
        "log": checkpoint.log,
        **{name: getattr(checkpoint, name) for name in _PLAIN},
    }
    write_whole(path, safetensors.torch.save(tensors, {"knossos": json.dumps(content, allow_nan=False)}))


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and contents of tensors, hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        part = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {part.dtype} {list(part.shape)}\n".encode())
        flat = part.reshape(-1)
        if flat.numel() == 1:
            # Its stride may be anything, and a view as bytes wants 1.
            flat = flat.clone(memory_format=torch.contiguous_format)
        if flat.numel():
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def checkpoint_path(place: Path | str) -> Path:
    """The checkpoint of a run's folder, or the file itself."""
    place = Path(place)
    return place / CHECKPOINT if place.is_dir() else place


def load_checkpoint(place: Path | str) -> Checkpoint:
    """Reads a checkpoint of this or an earlier version.

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
    except InputError:
        raise
    except (safetensors.SafetensorError, OSError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        raise InputError(f"{path}: not a checkpoint, or a truncated one ({error})") from error
    content = parse_json(text, f"{path}: its description")
    if not isinstance(content, dict):
        raise InputError(f"{path}: its description is not an object")
    return _checkpoint(str(path), upgraded(content, str(path)), tensors)


@dataclass(frozen=True)
class _Plain:
    """The fields of a checkpoint that are plain values, as they are read."""

    agent: str
    domain: str
    preset: str
    backend: str
    seed: int
    frames: int
    seconds: float
    sessions: int
    versions: dict[str, str]

    def __post_init__(self) -> None:
        for name in ("seed", "frames", "sessions"):
            check_range(name, getattr(self, name), 0, 2**62, whole=True)
        check_range("seconds", self.seconds, 0, 1e12)
        for name in ("agent", "domain", "preset", "backend"):
            if not getattr(self, name) or not getattr(self, name).isprintable():
                raise InputError(f"{name} is {getattr(self, name)[:60]!r}, expected a name")


_PLAIN = ("preset", "backend", "seed", "frames", "seconds", "sessions", "versions")


def _checkpoint(origin: str, content: dict[str, Any], tensors: dict[str, Tensor]) -> Checkpoint:
    def group(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): part for name, part in tensors.items() if name.startswith(prefix)}

    for name in ("agent_config", "config", "task"):
        if not isinstance(content.get(name), dict):
            raise InputError(f"{origin}: its description lacks {name!r}")
    wanted = {item.name for item in dataclasses.fields(_Plain)}
    plain = from_json(_Plain, {key: value for key, value in content.items() if key in wanted}, f"{origin}: its description")
    if "checksum" in content and content["checksum"] != checksum(tensors):
        raise InputError(f"{origin}: its tensors are not those of its checksum: the file was changed or damaged")
    try:
        arrays = {name: part.numpy() for name, part in group(TASK).items()}
    except TypeError as error:
        # Types that NumPy lacks, such as bfloat16.
        raise InputError(f"{origin}: its task's arrays are not of integers ({error})") from error
    return Checkpoint(
        agent_name=plain.agent,
        agent=from_json(AgentConfig, content["agent_config"], f"{origin}: its agent", HISTORY[AgentConfig]),
        config=from_json(TrainConfig, content["config"], f"{origin}: its settings", HISTORY[TrainConfig]),
        task=domain_named(plain.domain).read(content["task"], arrays, origin),
        parameters=group(PARAMETERS),
        statistics=group(OPTIMIZER),
        workers=_workers(group(WORKERS), origin),
        log=log if isinstance(log := content.get("log"), dict) else {},
        origin=origin,
        **{name: getattr(plain, name) for name in _PLAIN},
    )


def _workers(tensors: Mapping[str, Tensor], origin: str) -> dict[int, State]:
    names = {name.partition(".")[0] for name in tensors}
    if not all(name.isascii() and name.isdecimal() and len(name) < 6 for name in names):
        raise InputError(f"{origin}: its workers are {sorted(names)}, expected numbers")
    if any(str(int(name)) != name for name in names):
        raise InputError(f"{origin}: its workers are {sorted(names)[:8]}, expected numbers without zeros before them")
    return {int(name): part(tensors, name) for name in sorted(names, key=int)}

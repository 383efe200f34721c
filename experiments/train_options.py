"""What a training is asked to do: its options, checked and joined with the checkpoint that it goes on with."""

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
import tyro

from agents.checkpoint import CHECKPOINT, Checkpoint, checkpoint_path, library_versions, load_checkpoint
from agents.config import PRESETS, TrainConfig, agent_config, preset
from env.backends import make_batch
from env.task import Task
from experiments.options import TaskOptions, write_json
from maze_gen.errors import InputError
from maze_gen.maze import Geometry

DEFAULT_TASK = "static-small"
DEFAULT_AGENT = "nav-d1d2l"
DEFAULT_MINUTES = 10.0
DEFAULT_WORKERS = {"cpu": 2, "cuda": 1}


@dataclass(frozen=True)
class TrainOptions:
    """Trains an agent in a task.

    Attributes:
        task: a name of the registry; static-small where neither this nor a maze file is given.
        maze_file: a text maze that is made into a task of its own.
        geometry: how the maze file's walls are read: thin (on the edges between cells) or block (solid characters).
        backend: embedded (this project's engine) or lab (DeepMind Lab, where it is installed).
        agent: a row of the table of agents; nav-d1d2l where it isn't given.
        preset: the settings to start from: fast (learns in minutes), gpu (the same in 1,024 worlds; what --device cuda starts
            from where this isn't given) or paper (the paper's).
        minutes: how long to train now; 10 where nothing else says how long.
        total_minutes: how long to train in all, earlier sessions included.
        frames: how many frames of 1/60 s to train in all, earlier sessions included.
        workers: processes, 2 where it isn't given, or streams of a GPU, 1; each with worlds of its own. While a stream waits for
            its turn to learn, the others change what it acted with, so more of them are faster and learn less from a frame.
        device: where everything is computed: cpu, or cuda for an NVIDIA GPU.
        seed: of everything random.
        run_dir: where checkpoint, curves and summary go; a new folder under runs/ where it isn't given.
        resume: a run's folder, or a checkpoint, to go on with.
        checkpoint_minutes: time between two checkpoints.
        serial: all workers in this process, one after the other, for debugging; on a GPU, without CUDA graphs.
        settings: of the preset, one option each.
    """

    task: str | None = None
    maze_file: Path | None = None
    geometry: Geometry = "thin"
    backend: Literal["embedded", "lab"] | None = None
    agent: str | None = None
    preset: str = "fast"
    minutes: float | None = None
    total_minutes: float | None = None
    frames: int | None = None
    workers: int | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    seed: int | None = None
    run_dir: Path | None = None
    resume: Path | None = None
    checkpoint_minutes: float = 1.0
    serial: bool = False
    settings: tyro.conf.OmitArgPrefixes[TrainConfig] = field(default_factory=TrainConfig)


def workers_of(workers: int | None, device: str) -> int:
    """How many workers an option asks for; the device's number where it says nothing.

    Raises:
        InputError: it asks for fewer than one.
    """
    if workers is not None and workers < 1:
        raise InputError(f"--workers {workers}: expected at least 1")
    return workers or DEFAULT_WORKERS[device]


@dataclass(frozen=True)
class Plan:
    """Options and the checkpoint to go on with, made into one description of what to train."""

    options: TrainOptions
    agent_name: str
    task: Task
    backend: str
    seed: int
    folder: Path
    earlier: Checkpoint | None

    @property
    def config(self) -> TrainConfig:
        return self.options.settings

    @property
    def workers(self) -> int:
        return workers_of(self.options.workers, self.options.device)

    @property
    def sessions(self) -> int:
        return self.earlier.sessions if self.earlier else 0


def make_plan(options: TrainOptions, task: Task | None) -> Plan:
    """Checks the options, reads what they name, makes the run's folder.

    Raises:
        InputError: as `train`.
    """
    workers_of(options.workers, options.device)
    for option, minutes in (("--minutes", options.minutes), ("--total-minutes", options.total_minutes)):
        if minutes is not None and not 0 <= minutes < float("inf"):
            raise InputError(f"{option} {minutes}: expected 0 or more")
    if options.frames is not None and options.frames < 0:
        raise InputError(f"--frames {options.frames}: expected 0 or more")
    if options.seed is not None and not 0 <= options.seed < 2**63:
        raise InputError(f"--seed {options.seed}: expected within [0, 2**63)")
    preset(options.preset)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this torch finds no NVIDIA GPU; leave the option out to train on the CPU")
    named = TaskOptions(task=options.task, maze_file=options.maze_file, geometry=options.geometry)
    size = options.settings.observation_size
    if options.resume is not None:
        path = checkpoint_path(options.resume)
        earlier = load_checkpoint(path)
        for option, given, found in (
            ("--agent", options.agent, earlier.agent_name),
            ("--task", options.task, earlier.task.name),
            ("--seed", options.seed, earlier.seed),
            ("--backend", options.backend, earlier.backend),
        ):
            if given is not None and given != found:
                raise InputError(f"{option} {given}: {path} was trained with {found}; leave the option out to go on with it")
        if options.maze_file is not None:
            raise InputError(f"--maze-file {options.maze_file}: {path} brings its own maze; leave the option out")
        if size != earlier.task.observation_size:
            raise InputError(f"--observation-size {size}: {path} was trained with {earlier.task.observation_size}")
        folder = options.run_dir or path.parent
        plan = Plan(options, earlier.agent_name, earlier.task, earlier.backend, earlier.seed, folder, earlier)
    else:
        name = options.agent or DEFAULT_AGENT
        agent_config(name)
        if task is None:
            task = (named if named.given else dataclasses.replace(named, task=DEFAULT_TASK)).make(size)
        seed = 1 if options.seed is None else options.seed
        folder = options.run_dir or Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{task.name}-{name}-seed{seed}"
        if (folder / CHECKPOINT).exists():
            raise InputError(f"--run-dir {folder} holds a run already: give another folder, or --resume {folder}")
        plan = Plan(options, name, task, options.backend or "embedded", seed, folder, None)
    # What the rules need of the mazes, and the backend of this machine, is told here, not by a worker that dies of it.
    if options.device == "cuda" and plan.backend == "lab":
        raise InputError("--device cuda: DeepMind Lab runs on the CPU only; use --backend embedded, or --device cpu")
    make_batch(plan.task, 1, backend=plan.backend, device=options.device).close()
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the run's folder {plan.folder}: {error.strerror}") from error
    return plan


def write_config(plan: Plan) -> None:
    write_json(
        plan.folder / "config.json",
        {
            "agent": plan.agent_name,
            "agent_config": dataclasses.asdict(agent_config(plan.agent_name)),
            "task": plan.task.name,
            "mazes": [maze.digest for maze in plan.task.mazes[:100]],
            "backend": plan.backend,
            "preset": plan.options.preset,
            "settings": dataclasses.asdict(plan.config),
            "seed": plan.seed,
            "workers": plan.workers,
            "device": plan.options.device,
            "sessions": plan.sessions + 1,
            "versions": library_versions(),
        },
    )


def default_options(arguments: list[str]) -> TrainOptions:
    """The options' defaults: the settings are the preset's, or those of the checkpoint to go on with."""
    values: dict[str, str] = {}
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in ("--preset", "--resume", "--device"):
            values[name] = value if equals else "".join(arguments[position + 1 : position + 2])
    if values.get("--resume"):
        earlier = load_checkpoint(values["--resume"])
        return TrainOptions(settings=earlier.config, preset=earlier.preset)
    name = values.get("--preset", "gpu" if values.get("--device") == "cuda" else "fast")
    return TrainOptions(settings=preset(name), preset=name) if name in PRESETS else TrainOptions()

"""What a training is asked to do: its options, checked and joined with the checkpoint that it goes on with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from agents.cluster.settings import LOCAL
from agents.config import AGENTS, PRESETS, LossWeights, TrainConfig, agent_config, check_range, preset
from env.batch import TaskLike
from env.memory import check_memory
from env.painting.registry import PAINTING_TASKS, make_painting
from env.registry import TASK_NAMES
from experiments.cluster.options import ClusterOptions
from experiments.options import TaskOptions, renamed_options, write_json
from experiments.run_folder import FolderLock, lock_folder, new_folder
from experiments.training_memory import training_bytes
from maze_gen.cli import REGISTRY, option_values
from maze_gen.config_io import to_json
from maze_gen.errors import InputError
from maze_gen.help_page import option_field
from maze_gen.maze import Geometry

if TYPE_CHECKING:
    from agents.checkpoint import Checkpoint
    from agents.trainer import Budget, Training

DEFAULT_TASK = "static-small"
DEFAULT_AGENT = "nav-d1d2l"
PAINTERS = {"doodle": "painter-canvas", "redraw": "painter", "parse": "painter"}
"""The agent of a painting task, by its goal, where none is named."""
PAINTING_PRESETS = ("painter", "painter-paper")
DEFAULT_MINUTES = 10.0
DEFAULT_WORKERS = {"cpu": 2, "cuda": 1}


@dataclass(frozen=True)
class TrainOptions:
    """Trains an agent in a task.

    Attributes:
        task: a name of the registry; static-small where neither this nor a maze file is given.
        maze_file: a text maze that is made into a task of its own.
        geometry: how the maze file's walls are read: thin (on the edges between cells) or block (solid characters).
        spawn_distance: least cells of path between a spawn and the goal; 5, or fewer in a small maze file, where it isn't given.
        backend: embedded (this project's engine) or lab (DeepMind Lab, where it is installed).
        agent: a row of the table of agents; nav-d1d2l where it isn't given, and painter-canvas for doodles, painter for other
            paintings.
        preset: the settings to start from: fast (learns in minutes), gpu (the same in 1,024 worlds; what --device cuda starts
            from where this isn't given), painter (what paintings start from), painter-paper (for the agents spiral), memory (for
            agents that remember, with rollouts of 20 s) or paper (the paper's).
        minutes: how long to train now; 10 where nothing else says how long.
        total_minutes: how long to train in all, earlier sessions included.
        frames: how many frames of 1/60 s to train in all, earlier sessions included.
        workers: processes, 2 where it isn't given, or streams of a GPU, 1; each with worlds of its own. While a stream waits for
            its turn to learn, the others change what it acted with, so more of them are faster and learn less from a frame. On a
            cluster, at most so many processes on all nodes; where it isn't given, one for each processor that is or comes free.
        device: where everything is computed: cpu, or cuda for an NVIDIA GPU.
        seed: of everything random.
        run_dir: where checkpoint, curves and summary go; a new folder under runs/ where it isn't given.
        resume: a run's folder, or a checkpoint, to go on with.
        checkpoint_minutes: time between two checkpoints.
        serial: all workers in this process, one after the other, for debugging; on a GPU, without CUDA graphs.
        several: on a Ray cluster.
        settings: of the preset, one option each.
    """

    task: str | None = option_field(None, shown=DEFAULT_TASK, choices=(*TASK_NAMES, *PAINTING_TASKS), group="What is trained")
    maze_file: Path | None = None
    geometry: Geometry = "thin"
    spawn_distance: int | None = None
    backend: Literal["embedded", "lab"] | None = option_field(None, shown="embedded")
    agent: str | None = option_field(None, shown=DEFAULT_AGENT, choices=AGENTS)
    preset: str = option_field("fast", choices=PRESETS)
    minutes: float | None = option_field(None, shown=f"{DEFAULT_MINUTES:g}", group="How long")
    total_minutes: float | None = None
    frames: int | None = None
    workers: int | None = option_field(
        None, shown="{cpu}, or {cuda} on a GPU".format(**DEFAULT_WORKERS), group="Where, and from which seed"
    )
    device: Literal["cpu", "cuda"] = "cpu"
    seed: int | None = option_field(None, shown="1")
    run_dir: Path | None = option_field(None, shown="runs/DATE-TASK-AGENT-SEED", group="Files")
    resume: Path | None = None
    checkpoint_minutes: float = 1.0
    serial: bool = option_field(False, group="Debugging")
    several: tyro.conf.OmitArgPrefixes[ClusterOptions] = field(default_factory=ClusterOptions)
    settings: tyro.conf.OmitArgPrefixes[TrainConfig] = field(default_factory=TrainConfig)


MOST_WORKERS = 1024


def workers_of(workers: int | None, device: str) -> int:
    """How many workers an option asks for; the device's number where it says nothing.

    Raises:
        InputError: it asks for fewer than one.
    """
    if workers is not None:
        check_range("--workers", workers, 1, MOST_WORKERS, whole=True)
    return workers or DEFAULT_WORKERS[device]


@dataclass(frozen=True)
class Plan:
    """Options and the checkpoint to go on with, made into one description of what to train.

    Attributes:
        lock: of the run's folder, to be released after the training.
    """

    training: Training
    budget: Budget
    folder: Path
    lock: FolderLock


def make_plan(options: TrainOptions, task: TaskLike | None) -> Plan:
    """Checks the options, reads what they name, makes the run's folder and locks it.

    Raises:
        InputError: as `train`.
    """
    from agents.checkpoint import CHECKPOINT, checkpoint_path, load_checkpoint
    from agents.runtime.worker import initial_model
    from agents.trainer import Training
    from env.backends import make_batch

    _check(options)
    earlier = load_checkpoint(options.resume) if options.resume is not None else None
    played: TaskLike
    if earlier is not None:
        _check_resumed(options, earlier)
        name, agent, played, backend, seed = earlier.agent_name, earlier.agent, earlier.task, earlier.backend, earlier.seed
        folder = options.run_dir or checkpoint_path(earlier.origin).parent
        resumed = checkpoint_path(earlier.origin)
    else:
        name = options.agent or _default_agent(options)
        agent = agent_config(name)
        played = _named_task(options) if task is None else task
        backend, seed = options.backend or "embedded", 1 if options.seed is None else options.seed
        folder = options.run_dir
        resumed = None
    # What the rules need of the mazes, the backend of this machine, and the agent's parts, are checked before a folder is made.
    if options.device == "cuda" and backend == "lab":
        raise InputError("--device cuda: DeepMind Lab runs on the CPU only; use --backend embedded, or --device cpu")
    # On a cluster, the GPUs are elsewhere.
    here = "cpu" if options.several.cluster is not None else options.device
    make_batch(played, 1, backend=backend, device=here).close()
    initial_model(agent, played.spec(), options.settings, seed)
    several, on_cluster = options.several, options.several.cluster is not None
    workers = several.workers(options.workers, options.device) if on_cluster else workers_of(options.workers, options.device)
    if options.workers is None and not on_cluster:
        workers = max(workers, options.settings.population)
    if options.device == "cpu" and several.cluster in (None, LOCAL):
        processes = 0 if options.serial else workers
        check_memory(
            f"--num-envs {options.settings.num_envs} --workers {workers}",
            training_bytes(agent, options.settings, played.spec(), workers, processes),
        )
    training = Training(
        name,
        agent,
        options.settings,
        options.preset,
        played,
        backend,
        seed,
        workers,
        device=options.device,
        serial=options.serial,
        earlier=earlier,
    )
    if folder is None:
        folder = new_folder(f"{time.strftime('%Y%m%d-%H%M%S')}-{played.name}-{name}-seed{seed}")
    training = replace(training, cluster=several.settings(folder, workers, several.streams(options.workers, options.device)))
    return Plan(training, _budget(options), folder, lock_folder(folder, CHECKPOINT, resumed))


def _default_agent(options: TrainOptions) -> str:
    row = PAINTING_TASKS.get(options.task or "")
    return DEFAULT_AGENT if row is None else PAINTERS[row.goal]


def _named_task(options: TrainOptions) -> TaskLike:
    if options.task in PAINTING_TASKS:
        for option, given in (("--maze-file", options.maze_file), ("--spawn-distance", options.spawn_distance)):
            if given is not None:
                raise InputError(f"{option} {given}: task {options.task} has no maze; leave the option out")
        return make_painting(options.task)
    world = TaskOptions(
        task=DEFAULT_TASK if options.task is None and options.maze_file is None else options.task,
        maze_file=options.maze_file,
        geometry=options.geometry,
        spawn_distance=options.spawn_distance,
    )
    return world.make(options.settings.observation_size)


def _budget(options: TrainOptions) -> Budget:
    from agents.trainer import Budget

    unlimited = options.minutes is None and options.total_minutes is None and options.frames is None
    return Budget(DEFAULT_MINUTES if unlimited else options.minutes, options.total_minutes, options.frames)


def _check(options: TrainOptions) -> None:
    import torch

    for option, minutes in (("--minutes", options.minutes), ("--total-minutes", options.total_minutes)):
        if minutes is not None:
            check_range(option, minutes, 0, 1e6)
    check_range("--checkpoint-minutes", options.checkpoint_minutes, 0, 1e6)
    if options.frames is not None:
        check_range("--frames", options.frames, 0, 10**15, whole=True)
    if options.seed is not None:
        check_range("--seed", options.seed, 0, 2**63 - 1, whole=True)
    options.several.check(options.serial)
    if options.several.cluster is None:
        workers_of(options.workers, options.device)
    preset(options.preset)
    if options.device == "cuda" and options.several.cluster is None and not torch.cuda.is_available():
        raise InputError("--device cuda: this torch finds no NVIDIA GPU; leave the option out to train on the CPU")


def _check_resumed(options: TrainOptions, earlier: Checkpoint) -> None:
    """Raises InputError where an option contradicts the checkpoint to go on with."""
    path = earlier.origin
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
    if options.spawn_distance is not None or options.geometry != "thin":
        option = "--geometry" if options.spawn_distance is None else "--spawn-distance"
        raise InputError(f"{option}: {path} brings its own task; leave the option out")
    for name in ("observation_size", "encoder", "critic_sees", "depth_form", "population"):
        given, found = getattr(options.settings, name), getattr(earlier.config, name)
        if given != found:
            raise InputError(f"--{name.replace('_', '-')} {given}: {path} was trained with {found}")


def write_config(plan: Plan, several: ClusterOptions) -> None:
    """Writes `config.json`: everything that the training was asked to do, its seed and the versions."""
    from agents.checkpoint import library_versions

    training = plan.training
    mazes = {"mazes": [maze.digest for maze in training.task.mazes[:100]]} if hasattr(training.task, "mazes") else {}
    write_json(
        plan.folder / "config.json",
        {
            "agent": training.agent_name,
            "agent_config": to_json(training.agent),
            "task": training.task.name,
            **mazes,
            "backend": training.backend,
            "preset": training.preset,
            "settings": to_json(training.config),
            "budget": to_json(plan.budget),
            "seed": training.seed,
            "workers": training.workers,
            "device": training.device,
            "cluster": to_json(several),
            "sessions": training.sessions + 1,
            "versions": library_versions(),
        },
    )


RENAMED = {
    "--chunk": "--unroll-length",
    "--advantage-decay": "--gae-lambda",
    "--gradient-norm": "--max-grad-norm",
    "--clip": "--clip-range",
    "--envs": "--num-envs",
    "--optimizer-decay": "--rmsprop-alpha",
    "--optimizer-epsilon": "--optimizer-eps",
    "--annealing-start": "--anneal-start-fraction",
    "--final-learning-rate-share": "--final-learning-rate-fraction",
    "--reading-episodes": "--analysis-episodes",
    "--depth-encoder-cost": "--loss-weight depth-encoder=",
    "--depth-core-cost": "--loss-weight depth-core=",
    "--loop-closure-cost": "--loss-weight loop-closure=",
    "--reward-prediction-cost": "--loss-weight reward-prediction=",
}
"""Options of the version before, which still work and name their successor."""

LOSS_WEIGHT = "--loss-weight"


def train_arguments(arguments: list[str]) -> tuple[list[str], TrainOptions]:
    """A command line of this or the version before, and the defaults of its options.

    The defaults' settings are the preset's, or those of the checkpoint to go on with. All `--loss-weight` are joined into one,
    with the weights that they leave as they are.

    Raises:
        InputError: a checkpoint that can't be read, or a weight that is none.
    """
    arguments = renamed_options(arguments, RENAMED)
    default = default_options(arguments)
    given, others = option_values(arguments, LOSS_WEIGHT)
    weights = dict(default.settings.loss_weight)
    for text in given:
        weights |= parse_loss_weights(text)
    if given:
        others = [*others, LOSS_WEIGHT, str_of_loss_weights(LossWeights(weights))]
    return others, default


def parse_loss_weights(text: str) -> LossWeights:
    """`NAME=NUMBER`, or several of them with commas between.

    Raises:
        InputError: anything else, or no auxiliary loss of that name.
    """
    from auxiliary.registry import loss_factory

    weights = LossWeights()
    for part in text.split(","):
        name, equals, number = part.partition("=")
        try:
            weights[name.strip()] = float(number)
        except ValueError:
            equals = ""
        if not equals:
            raise InputError(f"{LOSS_WEIGHT} {part}: expected NAME=NUMBER, NAME being an auxiliary loss's")
        loss_factory(name.strip())
    return weights


def str_of_loss_weights(weights: LossWeights) -> str:
    return ",".join(f"{name}={weight!r}" for name, weight in weights.items())


@REGISTRY.primitive_rule
def _loss_weights_rule(
    info: tyro.constructors.PrimitiveTypeInfo,
) -> tyro.constructors.PrimitiveConstructorSpec[LossWeights] | None:
    if info.type is not LossWeights:
        return None
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="NAME=NUMBER",
        instance_from_str=lambda texts: parse_loss_weights(texts[0]),
        is_instance=lambda value: isinstance(value, LossWeights),
        str_from_instance=lambda weights: [str_of_loss_weights(weights)],
    )


def default_options(arguments: list[str]) -> TrainOptions:
    """The options' defaults: the settings are the preset's, or those of the checkpoint to go on with."""
    found = {name: option_values(arguments, name)[0] for name in ("--preset", "--resume", "--device", "--task")}
    values = {name: given[-1] for name, given in found.items() if given}
    if values.get("--resume"):
        from agents.checkpoint import load_checkpoint

        earlier = load_checkpoint(values["--resume"])
        if values.get("--preset", earlier.preset) != earlier.preset:
            raise InputError(
                f"--preset {values['--preset']}: {earlier.origin} was trained with {earlier.preset}; leave the option out"
            )
        return TrainOptions(settings=earlier.config, preset=earlier.preset)
    row = PAINTING_TASKS.get(values.get("--task", ""))
    usual = "painter" if row else "gpu" if values.get("--device") == "cuda" else "fast"
    name = values.get("--preset", usual)
    if name not in PRESETS:
        return TrainOptions()
    # A rollout is an episode: what is painted is judged when it is finished.
    settings = replace(preset(name), unroll_length=row.steps) if row and name in PAINTING_PRESETS else preset(name)
    return TrainOptions(settings=settings, preset=name)

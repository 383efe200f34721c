"""Reads an agent whole: plays, decodes, and makes every exhibit, in the order in which they are shown."""

from collections.abc import Callable

import torch

from agents.checkpoint import Checkpoint
from env.task import Task
from experiments.analysis.activations import layers_of, record_activations
from experiments.analysis.behaviour import behaviour_exhibits, play_baselines
from experiments.analysis.depth import depth_exhibits
from experiments.analysis.items import Exhibit, Number, Table
from experiments.analysis.loop_closure import loop_exhibits, read_loops
from experiments.analysis.moved_goal import EPISODES as MOVED
from experiments.analysis.moved_goal import moved_goal_exhibits
from experiments.analysis.place_cells import unit_exhibits
from experiments.analysis.position import SECTION as POSITION_SECTION
from experiments.analysis.position import position_exhibits, read_positions
from experiments.analysis.posterior import posterior_exhibits
from experiments.analysis.trajectories import Recording

FILMED = (3, 4, 8, 9)
"""Episodes whose every picture is kept; decoders aren't fitted on them."""
THUMBNAILS = 2000


def analyse_agent(
    checkpoint: Checkpoint,
    task: Task,
    episodes: int,
    seed: int,
    *,
    backend: str = "embedded",
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Exhibit]:
    """Plays `episodes` with the agent and analyses them.

    Args:
        progress: told what is being done.
    """
    before = torch.get_num_threads()
    # Products here are small: on several threads they mostly wait for each other. Blocks and decoders run side by side instead.
    torch.set_num_threads(1)
    try:
        return _read(checkpoint, task, episodes, seed, backend, threads, progress or (lambda text: None))
    finally:
        torch.set_num_threads(before)


def _read(
    checkpoint: Checkpoint,
    task: Task,
    episodes: int,
    seed: int,
    backend: str,
    threads: int | None,
    tell: Callable[[str], None],
) -> list[Exhibit]:
    stride = max(1, episodes * task.episode_steps // THUMBNAILS)
    recording = record_activations(
        checkpoint,
        task,
        episodes,
        seed,
        keep_pictures=FILMED if episodes > FILMED[0] else (episodes - 1,),
        thumbnail_stride=stride,
        backend=backend,
        threads=threads,
        progress=lambda text: tell(f"playing {task.name}: {text}"),
    )
    layers = layers_of(checkpoint)
    readings = read_positions(recording, layers, tell, threads)
    exhibits = [_overview(checkpoint, recording), *position_exhibits(recording, readings)]
    exhibits += posterior_exhibits(POSITION_SECTION, recording, readings.best)
    tell("reading loop closure, depth and behaviour")
    exhibits += loop_exhibits(recording, read_loops(recording, layers))
    exhibits += depth_exhibits(recording)
    # Baselines take seconds on the engine; on another backend they would take as long as the agent did.
    others = play_baselines(task, episodes, seed, backend, threads) if backend == "embedded" else {}
    exhibits += behaviour_exhibits(recording, others)
    if backend == "embedded":
        tell("moving the goal")
        exhibits += moved_goal_exhibits(checkpoint, task, seed, min(episodes, MOVED), threads)
    tell("reading single units")
    exhibits += unit_exhibits(recording, layers)
    exhibits.insert(1, _figures(exhibits))
    return exhibits


def _figures(exhibits: list[Exhibit]) -> Table:
    """Every number with what stands beside it, on the first page."""
    numbers = [exhibit for exhibit in exhibits if isinstance(exhibit, Number)]
    rows = [
        [
            number.section,
            number.name,
            number.shown(number.value),
            ", ".join(f"{k} {number.shown(v)}" for k, v in number.beside.items()),
        ]
        for number in numbers
    ]
    return Table(
        "0 Read me first",
        "figures at a glance",
        "All figures, and what to hold them against.",
        ["page", "figure", "agent", "beside it"],
        rows,
    )


def _overview(checkpoint: Checkpoint, recording: Recording) -> Table:
    task = recording.task
    trained = f"{checkpoint.frames:,} frames of {checkpoint.task.name}, preset {checkpoint.preset}, seed {checkpoint.seed}"
    mazes = "one maze" if len(task.mazes) == 1 else f"{len(task.mazes)} {task.split} mazes"
    rules = f"goal {'fixed' if task.goal == 'fixed' else 'elsewhere in every episode'}, {task.episode_seconds} s an episode"
    return Table(
        "0 Read me first",
        "what is read here",
        "Position: what the agent knows about where it is. Loop closure: whether it recognises places. Depth: how far it thinks "
        "things are. Behaviour: how well it navigates. Network: what single units respond to. Beside each figure stands what it "
        "has to be held against: chance, a control, or another player; in TensorBoard these are runs of their own, and the "
        "projector shows the memory's states.",
        ["", ""],
        [
            ["agent", checkpoint.agent_name],
            ["trained on", trained],
            [
                "played here",
                f"{recording.episodes} episodes of {task.name}: {mazes} of {task.mazes[0].rows} x {task.mazes[0].cols} "
                f"cells, {rules}",
            ],
            ["checkpoint", checkpoint.origin],
        ],
        key=True,
    )

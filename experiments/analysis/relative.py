"""What an agent knows of a maze that it never saw: its way from the spawn, the goal's direction, walls that it has passed.

Cells of one maze mean nothing in another. What is decoded here is seen from the agent: it can be known in any maze, but only by
who remembers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from auxiliary.goal import DISTANCE_EDGES, DISTANCES, SECTORS, offset_to, sector_of
from experiments.analysis.decoder_table import decoder_table
from experiments.analysis.decoders import DecoderResult, decode, split_episodes
from experiments.analysis.intervals import Measured
from experiments.analysis.items import Item, Number
from experiments.analysis.playback import Progress, silent
from experiments.analysis.threads import map_in_threads
from experiments.analysis.trajectories import Trajectories
from maze_gen.maze import CELL_UNITS, STEPS

SECTION = "1 Position"
BEHIND = ((1, 2), (1, 1), (1, 3), (2, 2))
"""Walls that are asked for: how many cells behind the agent, and on which side, counter-clockwise from where the agent looks."""


@dataclass(frozen=True)
class Question:
    """Something to decode.

    Attributes:
        name: what it is.
        labels: [E, T] int64.
        classes: how many there are.
        known: [E, T] bool, the steps that have a label.
    """

    name: str
    labels: npt.NDArray[np.int64]
    classes: int
    known: npt.NDArray[np.bool_]


def questions(trajectories: Trajectories) -> list[Question]:
    """Way from the spawn; the goal, from the first time that it was reached; walls behind the agent."""
    spawn = _spawn_position(trajectories) / CELL_UNITS
    here = trajectories.position / CELL_UNITS
    everywhere = np.ones(trajectories.cell.shape, np.bool_)
    back = np.moveaxis(spawn - here, 2, 0)
    asked = _direction_and_distance("the spawn", (back[0], back[1]), trajectories, everywhere)
    reached = np.cumsum(trajectories.goals, axis=1) - trajectories.goals > 0
    maze = trajectories.task.mazes[0]
    goal = torch.from_numpy(trajectories.goal_cell.astype(np.int64)).flatten()
    position = torch.from_numpy(trajectories.position).reshape(-1, 2)
    right, up = (part.numpy().reshape(reached.shape) for part in offset_to(goal, position, maze.rows, maze.cols))
    asked += _direction_and_distance("the goal, once it was reached", (right, up), trajectories, reached)
    return asked + _walls(trajectories)


def decode_relative(trajectories: Trajectories, progress: Progress = silent, threads: int | None = None) -> list[DecoderResult]:
    """Fits a decoder with one hidden layer for each question and layer; what too few episodes have an answer to is left out."""
    fitting, testing = split_episodes(trajectories.episodes)
    asked = [
        question
        for question in questions(trajectories)
        if question.known[fitting].any(1).sum() > 1 and question.known[testing].any(1).sum() > 1
    ]
    jobs = [(question, layer) for question in asked for layer in trajectories.layers]

    def run(job: tuple[Question, str]) -> DecoderResult:
        question, layer = job
        features = trajectories.layers[layer]
        name = f"{question.name} from {layer}"
        found = decode(name, features, question.labels, question.classes, "one hidden layer", known=question.known)
        progress(f"fitted {name}")
        return found

    return map_in_threads(run, jobs, threads)


def relative_items(trajectories: Trajectories, results: list[DecoderResult]) -> list[Item]:
    """A table of all results, and a number for each question on the last layer."""
    if not results:
        return []
    layers = list(trajectories.layers)
    found = [(result.name, result.figures()) for result in results]
    items: list[Item] = [
        decoder_table(
            SECTION,
            "decoded in mazes that change",
            "Accuracy of decoders with one hidden layer, in percent, with its 95 % interval over episodes: directions in "
            f"{SECTORS} classes and distances in {DISTANCES}, seen from the agent. They are fitted on some episodes and tested "
            "on others, in other mazes. Chance always predicts the most common class; the shuffled control was fitted on labels "
            "of other episodes. What a later layer has above the encoder comes from memory.",
            "decoded, from",
            results,
        )
    ]
    for name, figures in found:
        if name.endswith(f" from {layers[-1]}"):
            beside = dict(figures)
            items.append(
                Number(
                    SECTION,
                    f"accuracy: {name.removesuffix(f' from {layers[-1]}')}",
                    "Fraction of the steps that have an answer at which the most likely class is the true one, decoded from "
                    f"{layers[-1]}, in episodes that no decoder was fitted on. The encoder's has seen a single picture.",
                    beside.pop("accuracy"),
                    beside | _encoders(name, found, layers),
                    percent=True,
                )
            )
    return items


def _encoders(name: str, found: list[tuple[str, dict[str, Measured]]], layers: list[str]) -> dict[str, Measured]:
    """The accuracy of the same question from the first layer, as a reference of its own."""
    wanted = f"{name.removesuffix(f' from {layers[-1]}')} from {layers[0]}"
    figures = dict(found).get(wanted) if len(layers) > 1 else None
    return {"from the encoder": figures["accuracy"]} if figures else {}


def _spawn_position(trajectories: Trajectories) -> npt.NDArray[np.float32]:
    """[E, T, 2] where the agent was put last."""
    steps = np.arange(trajectories.steps)
    last = np.maximum.accumulate(np.where(trajectories.spawned, steps, 0), axis=1)
    return np.take_along_axis(trajectories.position, last[..., None], axis=1)


def _direction_and_distance(
    name: str, offset: tuple[npt.NDArray, npt.NDArray], trajectories: Trajectories, known: npt.NDArray[np.bool_]
) -> list[Question]:
    right, up = offset
    heading = torch.from_numpy(trajectories.heading)
    sector = sector_of(torch.from_numpy(right), torch.from_numpy(up), heading).numpy()
    away = np.hypot(right, up)
    distance = np.searchsorted(DISTANCE_EDGES, away, side="right")
    # Nearer than that a direction means nothing.
    far = known & (away > DISTANCE_EDGES[0] / 2)
    return [
        Question(f"direction of {name}", sector, SECTORS, far),
        Question(f"distance of {name}", distance, DISTANCES, known),
    ]


def _walls(trajectories: Trajectories) -> list[Question]:
    """One question: is there a wall on a side of a cell behind the agent, which it has been in during this episode?"""
    task, cell = trajectories.task, trajectories.cell
    rows, cols = task.mazes[0].rows, task.mazes[0].cols
    walls = np.stack([maze.walls for maze in task.mazes])[trajectories.maze]
    visited = _visited(cell, rows * cols)
    looks = np.rint(trajectories.heading / 90).astype(np.int64) % 4
    steps = np.array(STEPS)
    episode, step = np.indices(cell.shape)
    asked = []
    for far, side in BEHIND:
        there = np.stack(np.divmod(cell, cols), -1) + far * steps[(looks + 2) % 4]
        inside = np.all((there >= 0) & (there < (rows, cols)), axis=-1)
        row, col = np.where(inside[..., None], there, 0).transpose(2, 0, 1)
        known = inside & visited[episode, step, row * cols + col]
        label = walls[episode, row, col, (looks + side) % 4].astype(np.int64)
        where = {1: "left", 2: "rear", 3: "right"}[side]
        asked.append(Question(f"wall {far} {'cell' if far == 1 else 'cells'} behind, {where} side", label, 2, known))
    return asked


def _visited(cell: npt.NDArray, cells: int) -> npt.NDArray[np.bool_]:
    """[E, T, cells] whether the agent has been in a cell of this episode up to a step."""
    been = cell[..., None] == np.arange(cells)
    return np.logical_or.accumulate(been, axis=1)

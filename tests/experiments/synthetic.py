"""Agents for tests: trajectories whose figures are known, and checkpoints of untrained agents."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from agents.checkpoint import Checkpoint, library_versions, save_checkpoint
from agents.config import agent_config, preset
from agents.model import AgentModel
from env.registry import make_task
from env.task import Task
from experiments.analysis.trajectories import LAYER, Trajectories
from maze_gen.maze import Maze
from maze_gen.text import read_maze

RING = """
***********
*        G*
* ******* *
*         *
***********
""".strip()


def ring() -> Maze:
    """2 x 5 cells in a circle; the goal in the upper right one."""
    return read_maze(RING, "thin")


def ring_task(seconds: int = 60) -> Task:
    return Task("ring", (ring(),), seconds, spawn_distance=1, observation_size=42)


def trajectories_of(
    cells: npt.ArrayLike, task: Task, goals: npt.ArrayLike | None = None, layers: dict[str, npt.NDArray] | None = None
) -> Trajectories:
    """An agent that stands in the middle of the given cells [E, T], heading east; `layers` are those of its network."""
    cell = np.asarray(cells, dtype=np.int32)
    maze = task.mazes[0]
    places = np.array([maze.center(divmod(number, maze.cols)) for number in range(task.cells)], dtype=np.float32)
    goal = maze.goals[0][0] * maze.cols + maze.goals[0][1] if maze.goals else 0
    flat = np.zeros(cell.shape)
    scored = np.zeros(cell.shape, dtype=np.uint8) if goals is None else np.asarray(goals, dtype=np.uint8)
    return Trajectories(
        task=task,
        seed=0,
        position=places[cell],
        heading=flat.astype(np.float32),
        cell=cell,
        goal_cell=np.full(cell.shape, goal, dtype=np.int32),
        maze=np.zeros(len(cell), dtype=np.int32),
        action=flat.astype(np.uint8),
        reward=(10 * scored).astype(np.float32),
        goals=scored,
        signals={LAYER + name: values for name, values in (layers or {}).items()},
    )


def random_walks(episodes: int, steps: int, maze: Maze, seed: int = 0) -> npt.NDArray[np.int32]:
    """[E, T] cells of walks that stay or go to an open neighbour, from a random cell."""
    random = np.random.default_rng(seed)
    ways = np.flatnonzero(maze.open)
    jumps = np.array([1, -maze.cols, -1, maze.cols])
    cells = np.zeros((episodes, steps), dtype=np.int32)
    for episode in range(episodes):
        here = int(random.choice(ways))
        for step in range(steps):
            cells[episode, step] = here
            side = int(random.integers(8))
            if side < 4 and not maze.walls[divmod(here, maze.cols)][side]:
                here += int(jumps[side])
    return cells


def untrained(path: Path, agent: str = "nav-d1d2l", task: Task | None = None) -> Path:
    """Writes the checkpoint of an agent that has never learned."""
    played = task or make_task("static-small", observation_size=42)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = AgentModel(agent_config(agent), played.spec(), preset("fast"))
    parameters = {name: part.detach().clone() for name, part in model.named_parameters()}
    checkpoint = Checkpoint(
        agent, agent_config(agent), preset("fast"), "fast", played, "embedded", 0, 0, 0.0, 1, parameters, {}, library_versions()
    )
    save_checkpoint(path, checkpoint)
    return path

"""What does the agent do after the goal moved? It plays an episode, then one in the same maze with the goal elsewhere.

In the second episode its memory is kept, where usually it begins empty. Beside it, the very same second episodes begin with an
empty memory: what differs is what it remembered of the first goal; what both do is what its weights have learned.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from agents.checkpoint import Checkpoint
from env.backends import make_batch
from env.batch import BatchEnv
from env.task import Task
from experiments.analysis.items import AGENT, QUIET, Exhibit, Number, Picture, figure, pixels_of
from experiments.analysis.trajectories import BLOCK, default_threads, uniforms
from experiments.policies import AgentPlayer
from maze_gen.maze import CELL_UNITS

SECTION = "4 Behaviour"
EPISODES = 50
NEAR_CELLS = 1.0
KEPT, EMPTY = "memory of the old goal", "empty memory"


@dataclass(frozen=True)
class SecondEpisodes:
    """E episodes after the goal moved.

    Attributes:
        position: [E, T, 2] units.
        goals: [E, T] goals rewarded in each step.
        old_goal: [E] cell of the goal in the episode before.
        new_goal: [E] cell of the goal now.
        found_before: [E] bool, whether the goal was found in the episode before.
    """

    position: npt.NDArray[np.float32]
    goals: npt.NDArray[np.uint8]
    old_goal: npt.NDArray[np.int32]
    new_goal: npt.NDArray[np.int32]
    found_before: npt.NDArray[np.bool_]


def with_moving_goal(task: Task) -> Task:
    """The same maze, rules and fruit, but the goal is drawn once an episode, among all open cells where it was fixed."""
    if task.goal == "episode":
        return task
    return replace(task, goal="episode", mazes=tuple(replace(maze, goals=()) for maze in task.mazes))


def play_second_episodes(
    checkpoint: Checkpoint, task: Task, seed: int, keep_memory: bool, episodes: int = EPISODES, threads: int | None = None
) -> SecondEpisodes:
    """Plays pairs of episodes and keeps the second ones, which are the same with and without memory."""
    moved = with_moving_goal(task)
    blocks = range(-(-episodes // BLOCK))
    before = torch.get_num_threads()

    def run(block: int) -> list[npt.NDArray[Any]]:
        torch.set_num_threads(1)
        streams = np.arange(block * BLOCK, (block + 1) * BLOCK)
        player = AgentPlayer(checkpoint, BLOCK)
        observe = {"rgb", "velocity", *(["depth"] if checkpoint.agent.depth_input else [])}
        with make_batch(task, BLOCK, observe=observe) as first, make_batch(moved, BLOCK, observe=observe) as second:
            _, goals = _episode(player, first, seed, streams)
            old = first.privileged["goal_cell"].copy()
            if not keep_memory:
                player.reset_rows(np.ones(BLOCK, dtype=bool))
            second.reset(seed + 1, streams)
            new = second.privileged["goal_cell"].copy()
            position, later = _episode(player, second, seed + 1, streams)
        return [position, later, old, new, np.asarray(goals.any(axis=1))]

    try:
        with ThreadPoolExecutor(threads or default_threads()) as pool:
            parts = list(pool.map(run, blocks))
    finally:
        torch.set_num_threads(before)
    return SecondEpisodes(*(np.concatenate(part)[:episodes] for part in zip(*parts, strict=True)))


def _episode(player: AgentPlayer, env: BatchEnv, seed: int, streams: npt.NDArray) -> tuple[npt.NDArray, npt.NDArray]:
    steps = env.task.episode_steps
    position = np.zeros((len(streams), steps, 2), dtype=np.float32)
    goals = np.zeros((len(streams), steps), dtype=np.uint8)
    env.reset(seed, streams)
    for step in range(steps):
        position[:, step] = env.privileged["position"]
        env.step(player.act(env, uniforms(seed, streams, step)))
        goals[:, step] = env.outcome.statistics["goals"]
    return position, goals


def near_old_goal(found: SecondEpisodes, task: Task) -> npt.NDArray[np.bool_]:
    """[E, T] whether the agent is within a cell of where the goal was."""
    maze = task.mazes[0]
    middle = np.array([maze.center(divmod(int(cell), maze.cols)) for cell in found.old_goal])
    return np.linalg.norm(found.position - middle[:, None], axis=2) <= NEAR_CELLS * CELL_UNITS


def looked_there_first(found: SecondEpisodes, task: Task) -> npt.NDArray[np.bool_]:
    """[E] whether it came by the old goal's place before it found the new goal."""
    unfound = np.cumsum(found.goals, axis=1) - found.goals == 0
    return (near_old_goal(found, task) & unfound).any(axis=1)


def moved_goal_exhibits(
    checkpoint: Checkpoint, task: Task, seed: int, episodes: int = EPISODES, threads: int | None = None
) -> list[Exhibit]:
    """Plays both kinds of second episodes and shows what differs; nothing for a task of many mazes."""
    if len(task.mazes) > 1:
        return []
    groups = {
        KEPT: play_second_episodes(checkpoint, task, seed, True, episodes, threads),
        EMPTY: play_second_episodes(checkpoint, task, seed, False, episodes, threads),
    }
    seconds = task.action_repeat / 60
    steps = np.arange(task.episode_steps) * seconds
    chosen = {name: found.found_before & (found.old_goal != found.new_goal) for name, found in groups.items()}
    if not chosen[KEPT].any():
        return []
    shares = {name: float(looked_there_first(found, task)[chosen[name]].mean()) for name, found in groups.items()}
    with figure(13, 3.8, 1, 2) as (made, (left, right)):
        for name, colour in ((KEPT, AGENT), (EMPTY, QUIET)):
            found = groups[name]
            goals = np.cumsum(found.goals[chosen[name]], axis=1)
            near = near_old_goal(found, task)[chosen[name]] & (goals == 0)
            ever = np.maximum.accumulate(near, axis=1)
            left.plot(steps, 100 * ever.mean(axis=0), color=colour, label=name)
            right.plot(steps, 100 * (goals > 0).mean(axis=0), color=colour, label=name)
        left.set_title("It has been where the goal was")
        right.set_title("It has found where the goal is now")
        for axes in (left, right):
            axes.set_ylim(0, 100)
            axes.set_xlabel("seconds since the goal moved")
            axes.set_ylabel("episodes, %")
            axes.legend(fontsize=10)
        picture = pixels_of(made)
    return [
        Number(
            SECTION,
            "after the goal moved: looks at its old place first",
            "Share of episodes in which it comes by the old goal's place before it finds the new one. With an "
            "empty memory it can only "
            "do so by habit or by chance.",
            shares[KEPT],
            {EMPTY: shares[EMPTY]},
            key=True,
            percent=True,
        ),
        Picture(
            SECTION,
            "after the goal moved",
            f"Over {int(chosen[KEPT].sum())} episodes in the same maze, right after one in which it had found "
            "the goal elsewhere: blue "
            "with its memory kept, grey with an empty one, in the same episodes. Where blue looks at the old "
            "place sooner, it remembered.",
            picture,
            key=True,
        ),
    ]

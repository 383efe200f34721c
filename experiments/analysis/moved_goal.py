"""Behaviour after the goal moved: an episode, then one in the same maze with the goal elsewhere.

In the second episode the network's state carries over from the first, where usually it begins at zero. As a control the same
second episodes are played from a state of zero: what differs comes from memory of the first goal; what both do comes from the
weights.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from agents.checkpoint import Checkpoint
from env.backends import make_batch
from env.batch import BatchEnv
from env.navigation import FRAMES_PER_SECOND
from env.task import Task
from experiments.analysis.intervals import mean
from experiments.analysis.items import AGENT, QUIET, Item, Number, Picture, Pixels, figure, pixels_of
from experiments.analysis.playback import Playback, acting, to_numpy
from experiments.analysis.recorder import BLOCK
from experiments.analysis.threads import map_in_threads
from experiments.policies import Player, player_of
from maze_gen.maze import CELL_UNITS

SECTION = "4 Behaviour"
EPISODES = 50
NEAR_CELLS = 1.0
KEPT, EMPTY = "state kept from the old goal", "empty state"


@dataclass(frozen=True)
class SecondEpisodes:
    """E episodes after the goal moved.

    Attributes:
        position: [E, T, 2] units.
        goals: [E, T] goals reached in each step.
        old_goal: [E] cell of the goal in the episode before.
        new_goal: [E] cell of the goal now.
        found_before: [E] bool, whether the goal was reached in the episode before.
    """

    position: npt.NDArray[np.float32]
    goals: npt.NDArray[np.uint8]
    old_goal: npt.NDArray[np.int32]
    new_goal: npt.NDArray[np.int32]
    found_before: npt.NDArray[np.bool_]


def with_moving_goal(task: Task) -> Task:
    """The same maze, rules and fruit, but the goal is drawn once per episode, among all open cells where it was fixed."""
    if task.goal == "episode":
        return task
    return replace(task, goal="episode", mazes=tuple(replace(maze, goals=()) for maze in task.mazes))


def play_second_episodes(checkpoint: Checkpoint, playback: Playback, keep_state: bool) -> SecondEpisodes:
    """Plays pairs of episodes and keeps the second ones, whose worlds are the same with and without the kept state."""
    moved, seed = with_moving_goal(playback.task), playback.seed

    def worlds(task: Task, observe: frozenset[str]) -> BatchEnv:
        return make_batch(task, BLOCK, observe=observe, device=playback.device)

    def run(block: int) -> tuple[npt.NDArray, ...]:
        streams = np.arange(block * BLOCK, (block + 1) * BLOCK)
        policy = player_of(checkpoint)(BLOCK)
        with worlds(playback.task, policy.observe) as first, worlds(moved, policy.observe) as second:
            _, before, old = _episode(policy, first, seed, streams)
            position, goals, new = _episode(policy, second, seed + 1, streams, reset_policy=not keep_state)
        return position, goals, old, new, np.asarray(before.any(axis=1))

    parts = map_in_threads(run, range(-(-playback.episodes // BLOCK)), playback.threads)
    return SecondEpisodes(*(np.concatenate(part)[: playback.episodes] for part in zip(*parts, strict=True)))


def _episode(
    policy: Player, env: BatchEnv, seed: int, streams: npt.NDArray, reset_policy: bool = True
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """(position [E, T, 2], goals [E, T], cell of the goal [E]) of one episode."""
    steps = env.task.episode_steps
    position = np.zeros((len(streams), steps, 2), dtype=np.float32)
    goals = np.zeros((len(streams), steps), dtype=np.uint8)
    goal_cell = np.zeros(len(streams), dtype=np.int32)
    for step, actions in acting(env, policy, seed, streams, steps, reset_policy):
        goal_cell[:] = to_numpy(env.privileged["goal_cell"])
        position[:, step] = to_numpy(env.privileged["position"])
        env.step(actions)
        goals[:, step] = to_numpy(env.outcome.statistics["goals"])
    return position, goals, goal_cell


def near_old_goal(found: SecondEpisodes, task: Task) -> npt.NDArray[np.bool_]:
    """[E, T] whether the agent is within one cell of the old goal's position."""
    maze = task.mazes[0]
    middle = np.array([maze.center(divmod(int(cell), maze.cols)) for cell in found.old_goal])
    return np.linalg.norm(found.position - middle[:, None], axis=2) <= NEAR_CELLS * CELL_UNITS


def old_goal_first(found: SecondEpisodes, task: Task) -> npt.NDArray[np.bool_]:
    """[E] whether the agent came near the old goal's position before it reached the new goal."""
    not_reached = np.cumsum(found.goals, axis=1) - found.goals == 0
    return (near_old_goal(found, task) & not_reached).any(axis=1)


def moved_goal_items(checkpoint: Checkpoint, playback: Playback) -> list[Item]:
    """Plays the second episodes with and without the kept state; nothing for a task of many mazes."""
    task = playback.task
    if len(task.mazes) > 1:
        return []
    groups = {name: play_second_episodes(checkpoint, playback, name == KEPT) for name in (KEPT, EMPTY)}
    chosen = {name: found.found_before & (found.old_goal != found.new_goal) for name, found in groups.items()}
    if not chosen[KEPT].any():
        return []
    rates = {name: mean(old_goal_first(found, task)[chosen[name]]) for name, found in groups.items()}
    return [
        Number(
            SECTION,
            "after the goal moved: visits its old position first",
            "Fraction of episodes in which the agent comes near the old goal's position before it reaches the new goal. With an "
            "empty state it can do so only by habit or by chance.",
            rates[KEPT],
            {EMPTY: rates[EMPTY]},
            key=True,
            percent=True,
        ),
        Picture(
            SECTION,
            "after the goal moved",
            f"Over {int(chosen[KEPT].sum())} episodes in the same maze, each right after one in which the agent had reached the "
            "goal elsewhere: blue with the state kept, grey with an empty one, in the same episodes. Where blue visits the old "
            "position sooner, the agent remembered it.",
            _plot(groups, chosen, task),
            key=True,
        ),
    ]


def _plot(groups: dict[str, SecondEpisodes], chosen: dict[str, npt.NDArray[np.bool_]], task: Task) -> Pixels:
    seconds = np.arange(task.episode_steps) * task.action_repeat / FRAMES_PER_SECOND
    with figure(13, 3.8, 1, 2) as (made, (left, right)):
        for name, colour in ((KEPT, AGENT), (EMPTY, QUIET)):
            goals = np.cumsum(groups[name].goals[chosen[name]], axis=1)
            near = near_old_goal(groups[name], task)[chosen[name]] & (goals == 0)
            ever = np.maximum.accumulate(near, axis=1)
            left.plot(seconds, 100 * ever.mean(axis=0), color=colour, label=name)
            right.plot(seconds, 100 * (goals > 0).mean(axis=0), color=colour, label=name)
        left.set_title("Has visited the old goal's position")
        right.set_title("Has reached the new goal")
        for axes in (left, right):
            axes.set_ylim(0, 102)
            axes.set_xlabel("seconds since the goal moved")
            axes.set_ylabel("episodes, %")
            axes.legend(fontsize=10)
        return pixels_of(made)

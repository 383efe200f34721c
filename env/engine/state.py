"""The state of N worlds as a struct of arrays, one row for each world, and the settings that they share."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np

from env.engine.maze_pool import Pool
from env.engine.motion import turn_of_pixels
from env.navigation import ACTION_FRAMES, APPLE, FRAMES_PER_SECOND, GOAL, NUM_ACTIONS, STRAWBERRY
from env.task import Task

UNREACHABLE = 65535
"""Distance of a cell from which no path leads to the goal."""

Zeros = Callable[[tuple[int, ...], Any], Any]
"""Allocates zeros of a shape and NumPy dtype where the engine computes."""


class State(NamedTuple):
    """The simulation state of N rows. Squares are numbered from the bottom, see `env.engine.maze_pool`.

    Attributes:
        position: [N, 2] float32, x and y in units.
        motion: [N, 2] float32, velocity along x and y in units/s, whole numbers.
        angle: [N] float32, degrees in [0, 360) that the view has turned since the episode's start.
        heading, offset: [N] int32, in 1/65536 turns: where the agent looks, and what is added to `angle` to get it.
        turned: [N] int32, the agent's rotation in this step in 1/65536 turns, without respawns.
        clock: [N, 4] int32, see `env.engine.motion.FRESH_CLOCK`.
        frame: [N] int32, frames played of this episode.
        touched: [N] int32, the kind of item touched after the last frame, whose reward the next frame gives.
        leaving: [N] int32, 1 when the last frame gave the goal's reward: the next frame respawns.
        maze: [N] int32, index into the pool.
        goal: [N] int32, square of the goal.
        items: [N, I] int32, squares of the items that are present, -1 for one that was taken; item 0 is the goal.
        homes: [N, I] int32, squares of the items at the start of this episode, -1 for none.
        kinds: [N, I] uint8, APPLE, STRAWBERRY or GOAL.
        contents: [N, R*C] uint16, by square: 1 + the index of the item whose home it is, or 0.
        distance: [N, R*C] uint16, cells of path to the goal, by cell counted from the top; UNREACHABLE where there is none.
        queue: [N, R*C] uint16, the queue of the search that computes `distance`.
        seed, stream, episode: [N] int64, the seed, the stream and the number of the current episode.
        spawns: [N] int32, spawns in this episode.
        ready: [N] uint8, 0 before the first episode and from a truncation to the next episode.
    """

    position: Any
    motion: Any
    angle: Any
    heading: Any
    offset: Any
    turned: Any
    clock: Any
    frame: Any
    touched: Any
    leaving: Any
    maze: Any
    goal: Any
    items: Any
    homes: Any
    kinds: Any
    contents: Any
    distance: Any
    queue: Any
    seed: Any
    stream: Any
    episode: Any
    spawns: Any
    ready: Any


class Rules(NamedTuple):
    """Settings that all rows share; numbers, and small arrays on the device that reads them.

    Attributes:
        rows, cols: size of the mazes in cells.
        fruit_drawn: 1 where apples are drawn every episode.
        spawn_distance: least cells of path between a spawn and the goal.
        episode_frames, action_repeat: frames of an episode, and of an agent step.
        reward: [4] float32, by kind of item; entry 0, for no item, is 0.
        action_turn: [8] float32, degrees that the view turns in a frame of each action.
        action_move, action_strafe: [8] int32, -1, 0 or 1.
        cosine: [65536] float32, see `env.engine.motion.cosines`.
    """

    rows: int
    cols: int
    fruit_drawn: int
    spawn_distance: int
    episode_frames: int
    action_repeat: int
    reward: Any
    action_turn: Any
    action_move: Any
    action_strafe: Any
    cosine: Any


class Facts(NamedTuple):
    """What a step writes beside the picture: the arrays of a batch's observation, outcome and privileged facts."""

    velocity: Any
    reward: Any
    truncated: Any
    goals: Any
    respawns: Any
    position: Any
    heading: Any
    cell: Any
    goal_cell: Any
    goal_distance: Any
    next_cell: Any
    fruit_cells: Any
    seconds: Any


class Picture(NamedTuple):
    """What is drawn; an array that nobody asked for has no pixels.

    Attributes:
        rgb: [N, size, size, 3] uint8, or [N, 0, 0, 3].
        depth: [N, size, size] uint8, or [N, 0, 0].
        depth_target: [N, 4, 16] float32, or [N, 0, 16].
    """

    rgb: Any
    depth: Any
    depth_target: Any


class Scene(NamedTuple):
    """What pictures are drawn from.

    Attributes:
        sides: [M, R*C] uint32, `Pool.faces` with the four bytes of a cell read as one number.
        textures: see `env.engine.textures.atlas.all_textures`.
    """

    sides: Any
    textures: Any


class Inputs(NamedTuple):
    """Inputs of a kernel.

    Attributes:
        actions: [N] int64.
        mask: [N] bool, the rows whose next episode starts.
    """

    actions: Any
    mask: Any


class World(NamedTuple):
    """All arrays that the kernels read and write."""

    pool: Pool
    state: State
    rules: Rules
    facts: Facts
    scene: Scene
    picture: Picture
    inputs: Inputs


def allocate_picture(num_envs: int, size: int, observe: Collection[str], zeros: Zeros) -> Picture:
    """Allocates the pictures; those that `observe` does not name are empty."""
    n = num_envs
    rgb, depth, depth_target = ("rgb" in observe), ("depth" in observe), ("depth_target" in observe)
    return Picture(
        rgb=zeros((n, size, size, 3) if rgb else (n, 0, 0, 3), np.uint8),
        depth=zeros((n, size, size) if depth else (n, 0, 0), np.uint8),
        depth_target=zeros((n, 4, 16) if depth_target else (n, 0, 16), np.float32),
    )


def allocate_state(num_envs: int, cells: int, items: int, zeros: Zeros) -> State:
    """Allocates the state of `num_envs` rows for mazes of `cells` cells and up to `items` items, before the first episode."""
    n = num_envs
    return State(
        position=zeros((n, 2), np.float32),
        motion=zeros((n, 2), np.float32),
        angle=zeros((n,), np.float32),
        heading=zeros((n,), np.int32),
        offset=zeros((n,), np.int32),
        turned=zeros((n,), np.int32),
        clock=zeros((n, 4), np.int32),
        frame=zeros((n,), np.int32),
        touched=zeros((n,), np.int32),
        leaving=zeros((n,), np.int32),
        maze=zeros((n,), np.int32),
        goal=zeros((n,), np.int32),
        items=zeros((n, items), np.int32),
        homes=zeros((n, items), np.int32),
        kinds=zeros((n, items), np.uint8),
        contents=zeros((n, cells), np.uint16),
        distance=zeros((n, cells), np.uint16),
        queue=zeros((n, cells), np.uint16),
        seed=zeros((n,), np.int64),
        stream=zeros((n,), np.int64),
        episode=zeros((n,), np.int64),
        spawns=zeros((n,), np.int32),
        ready=zeros((n,), np.uint8),
    )


def allocate_facts(num_envs: int, fruit: int, zeros: Zeros) -> Facts:
    """Allocates what a step writes beside the picture; `fruit` is the most fruit of an episode."""
    n = num_envs
    return Facts(
        velocity=zeros((n, 6), np.float32),
        reward=zeros((n,), np.float32),
        truncated=zeros((n,), np.bool_),
        goals=zeros((n,), np.int32),
        respawns=zeros((n,), np.int32),
        position=zeros((n, 2), np.float32),
        heading=zeros((n,), np.float32),
        cell=zeros((n,), np.int32),
        goal_cell=zeros((n,), np.int32),
        goal_distance=zeros((n,), np.int32),
        next_cell=zeros((n,), np.int32),
        fruit_cells=zeros((n, fruit), np.int32),
        seconds=zeros((n,), np.float32),
    )


def rules_of(task: Task, cosine: Any, to_device: Callable[[np.ndarray], Any]) -> Rules:
    """The rules of a task; `to_device` copies an array to the device where the engine computes."""
    reward = np.zeros(4, dtype=np.float32)
    reward[APPLE], reward[STRAWBERRY], reward[GOAL] = task.rewards.apple, task.rewards.strawberry, task.rewards.goal
    look, move, strafe = (np.array(column, dtype=np.int32) for column in zip(*ACTION_FRAMES, strict=True))
    assert len(look) == NUM_ACTIONS
    return Rules(
        rows=task.mazes[0].rows,
        cols=task.mazes[0].cols,
        fruit_drawn=int(task.fruit == "episode"),
        spawn_distance=task.spawn_distance,
        episode_frames=task.episode_seconds * FRAMES_PER_SECOND,
        action_repeat=task.action_repeat,
        reward=to_device(reward),
        action_turn=to_device(np.array([turn_of_pixels(int(pixels)) for pixels in look], dtype=np.float32)),
        action_move=to_device(move),
        action_strafe=to_device(strafe),
        cosine=to_device(cosine),
    )

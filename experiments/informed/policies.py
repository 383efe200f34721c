"""Informed baselines: what finding the goal takes with good eyes, and what remembering is worth.

They walk with the engine's own motion through the eight actions, and know of the maze what an agent sees of it: sides and middles
of cells in line of sight within the field of view. Their own place they know at every moment, as by good odometry; the one that
remembers also recognises where it was put after a goal. None of them goes for fruit.
"""

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from env.batch import BatchEnv
from env.engine import oracle
from env.navigation import LOOK_LEFT, LOOK_RIGHT
from experiments.informed import search
from experiments.informed.sight import OPEN, WALL, look, nothing_known, opposite
from experiments.informed.steering import Gaze, steer

GAZE = np.array([1.5, 15.0], np.float32)
"""See `experiments.informed.steering.Gaze`: a step that turns is worth a little more than one that walks."""
PRICES = np.array([1.0, 0.3])
"""See `experiments.informed.search.frontier`."""
NO_GOAL = np.float32(-1e6)
"""Coordinates of a goal that is never touched."""


class InformedPolicy(ABC):
    """A policy for N rows that sees, decides on a place to go to, and walks there.

    Attributes:
        observe: names of the arrays that the worlds must make.
        known, seen: what each row knows, see `experiments.informed.sight.look`.
    """

    observe: frozenset[str] = frozenset({"velocity"})

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self._fresh = np.ones(num_envs, np.bool_)
        self._walls: npt.NDArray[np.uint8] | None = None
        self.known = self.seen = np.zeros((num_envs, 0), np.uint8)

    def reset_rows(self, rows: npt.NDArray[np.bool_]) -> None:
        """Forgets everything in the rows where `rows` [N] is True: episodes start there."""
        self._fresh |= rows

    def act(self, env: BatchEnv, uniforms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Actions [N] for the present observation; nothing is left to chance."""
        facts, size = env.privileged, (env.task.mazes[0].rows, env.task.mazes[0].cols)
        self._maze = facts["maze"]
        if self._walls is None:
            self._prepare(env)
        assert self._walls is not None
        respawned = (env.outcome.statistics["respawns"] > 0) & ~self._fresh
        self._begin_trips(self._fresh, respawned, facts["heading"])
        self._fresh = np.zeros(self.num_envs, np.bool_)
        look(self.known, self.seen, self._walls, facts["maze"], size, facts["position"], facts["heading"])
        for row in range(self.num_envs):
            place, goal = _place(int(facts["cell"][row]), size), _place(int(facts["goal_cell"][row]), size)
            self._decide(row, place, goal if self.seen[row, goal] else search.NOWHERE, float(facts["heading"][row]))
        return self._walk(env, size)

    def _prepare(self, env: BatchEnv) -> None:
        mazes, cells = env.task.mazes, env.task.cells
        self.size = mazes[0].rows, mazes[0].cols
        self._walls = np.stack([oracle.walls_of(maze) for maze in mazes])
        self.known, self.seen = nothing_known(self.num_envs, cells)
        self._paths = search.workspace(cells)
        self._frontier = np.full((self.num_envs, 2), search.NOWHERE, np.int32)
        self.target = np.full(self.num_envs, search.NOWHERE, np.int64)
        self.to_goal = np.zeros(self.num_envs, np.bool_)
        self.facing = np.full(self.num_envs, np.nan, np.float32)
        self._planned: list[tuple[int, bytes]] = [(search.NOWHERE, b"")] * self.num_envs
        self._believed = np.zeros((self.num_envs, cells * 4), np.uint8)
        self._fields = np.zeros((self.num_envs, self.size[0] * oracle.NODES, self.size[1] * oracle.NODES), np.float32)
        self._actions = np.zeros(self.num_envs, np.int32)

    @abstractmethod
    def _begin_trips(
        self, started: npt.NDArray[np.bool_], respawned: npt.NDArray[np.bool_], heading: npt.NDArray[np.float32]
    ) -> None:
        """Forgets what is to be forgotten in rows [N] whose episode started, or that were put elsewhere after a goal."""

    @abstractmethod
    def _decide(self, row: int, place: int, goal: int, heading: float) -> None:
        """Sets `target`, `to_goal` and `facing` of a row; `goal` is the goal's place if the row knows it, else NOWHERE."""

    def _forget(self, rows: npt.NDArray[np.bool_]) -> None:
        self.known[rows], self.seen[rows] = 0, 0
        self._frontier[rows] = search.NOWHERE

    def _walk(self, env: BatchEnv, size: tuple[int, int]) -> npt.NDArray[np.int64]:
        facts, (rows, cols) = env.privileged, size
        goals = np.full((self.num_envs, 2), NO_GOAL, np.float32)
        for row, target in enumerate(self.target.tolist()):
            believed = (self.known[row] != OPEN).astype(np.uint8)
            plan = target, believed.tobytes()
            if plan != self._planned[row]:
                self._planned[row] = plan
                self._believed[row] = believed
                self._fields[row] = oracle.field_between(believed, rows, cols, _place(target, size))
            if self.to_goal[row]:
                goals[row] = 100 * (target % cols) + 50, 100 * (target // cols) + 50
        index = np.arange(self.num_envs, dtype=np.int32)
        velocity = env.observation["velocity"]
        agents = oracle.Agents(index, index, facts["position"], facts["heading"], velocity, goals)
        steer(self._actions, self._believed, self._fields, agents, Gaze(self.facing, GAZE), env.task.action_repeat)
        actions = self._actions.astype(np.int64)
        # Where the frontier is a side of the own cell, only looking helps.
        for row in range(self.num_envs):
            if self.target[row] == _place(int(facts["cell"][row]), size) and not self.to_goal[row]:
                turn = (float(self.facing[row]) - float(facts["heading"][row]) + 180) % 360 - 180
                actions[row] = LOOK_LEFT if turn > 0 else LOOK_RIGHT
        return actions


class Searcher(InformedPolicy):
    """Explores systematically: goes to the frontier of the known that costs the least time, and to the goal once it is seen.

    Args:
        remembers: whether the map and the goal's place are kept through respawns; else every trip begins with nothing.
    """

    def __init__(self, num_envs: int, remembers: bool) -> None:
        super().__init__(num_envs)
        self.remembers = remembers

    def _begin_trips(
        self, started: npt.NDArray[np.bool_], respawned: npt.NDArray[np.bool_], heading: npt.NDArray[np.float32]
    ) -> None:
        self._forget(started if self.remembers else started | respawned)

    def _decide(self, row: int, place: int, goal: int, heading: float) -> None:
        steps, first, last, queue = self._paths
        search.paths(steps, first, last, queue, self.known[row], place, self.size)
        self.to_goal[row] = goal >= 0 and steps[goal] >= 0
        if self.to_goal[row]:
            self.target[row], self.facing[row] = goal, np.nan
            return
        found, way = self._frontier[row], (steps, first, last)
        search.frontier(found, way, self.known[row], self.seen[row], goal, heading, self.size, PRICES)
        target, side = found.tolist()
        # Everything known and no goal: stand and look around.
        self.target[row] = place if target == search.NOWHERE else target
        self.facing[row] = heading + 90 if side < 0 else 90 * side


class WallFollower(InformedPolicy):
    """Keeps a wall on its left: at every cell it takes the first open side from the left on; goes to the goal once it sees it."""

    def _prepare(self, env: BatchEnv) -> None:
        super()._prepare(env)
        self._side = np.zeros(self.num_envs, np.int64)

    def _begin_trips(
        self, started: npt.NDArray[np.bool_], respawned: npt.NDArray[np.bool_], heading: npt.NDArray[np.float32]
    ) -> None:
        rows = started | respawned
        self._forget(rows)
        self.target[rows] = search.NOWHERE
        self._side[rows] = np.round(heading[rows] / 90).astype(np.int64) % 4

    def _decide(self, row: int, place: int, goal: int, heading: float) -> None:
        assert self._walls is not None
        own = self._walls[self._maze[row], place * 4 : place * 4 + 4]
        # It feels the walls beside it.
        for side in range(4):
            self.known[row, place * 4 + side] = WALL if own[side] else OPEN
            other = opposite(place, side, *self.size)
            if other >= 0:
                self.known[row, other] = WALL if own[side] else OPEN
        steps, first, last, queue = self._paths
        search.paths(steps, first, last, queue, self.known[row], place, self.size)
        self.to_goal[row] = goal >= 0 and steps[goal] >= 0
        if self.to_goal[row]:
            self.target[row], self.facing[row] = goal, np.nan
            return
        if self.target[row] in (search.NOWHERE, place):
            came = self._side[row]
            self._side[row] = next(side for side in ((came + turn) % 4 for turn in (1, 0, 3, 2)) if not own[side])
            self.target[row] = opposite(place, int(self._side[row]), *self.size) // 4
        self.facing[row] = 90 * self._side[row]


def _place(cell: int, size: tuple[int, int]) -> int:
    """The place of a cell, counted from the bottom, and the cell of a place."""
    rows, cols = size
    return (rows - 1 - cell // cols) * cols + cell % cols


INFORMED = {
    "wall follower": WallFollower,
    "forgetting searcher": lambda num_envs: Searcher(num_envs, remembers=False),
    "remembering searcher": lambda num_envs: Searcher(num_envs, remembers=True),
}
"""Policy factories by name."""

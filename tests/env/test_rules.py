"""Rewards, respawns, fruit, spawns and time, against a slow plain statement of the rules."""

from typing import Any

import numpy as np
import pytest

from env.engine.engine import Engine
from env.engine.frame_engine import FrameEngine
from env.navigation import ACTION_FRAMES, NUM_ACTIONS, STRAWBERRY_FLAG
from env.task import Rewards, Task
from maze_gen.errors import InputError
from maze_gen.maze import Maze
from maze_gen.paths import distances
from maze_gen.text import read_maze

HALL = """
*********
*  A    *
* * * * *
*A   S  *
* * * * *
*    G A*
*********
"""


def hall(text: str = HALL) -> Maze:
    return read_maze(text.strip("\n"), "thin")


def task_of(maze: Maze, **rules: Any) -> Task:
    defaults: dict[str, Any] = {"name": "hall", "mazes": (maze,), "episode_seconds": 60, "spawn_distance": 2}
    return Task(**(defaults | rules))


class SlowRules:
    """What lies where and what is paid, told the agent's positions frame by frame; one world."""

    def __init__(self, maze: Maze, rewards: Rewards, goal: tuple[int, int], fruit: dict[tuple[int, int], float]) -> None:
        self.maze, self.rewards, self.goal, self.fruit = maze, rewards, goal, fruit
        self.there = dict(fruit)
        self.goal_there = True
        self.owed = 0.0
        self.owes_goal = False
        self.respawns_next = False

    def start(self, x: float, y: float) -> None:
        self.there = {cell: pay for cell, pay in self.there.items() if not self._touches(cell, x, y)}

    def frame(self, x: float, y: float) -> tuple[float, bool]:
        """The reward of the frame that ended at (x, y), and whether the agent was put elsewhere in it."""
        respawned = self.respawns_next
        if respawned:
            self.there, self.goal_there, self.respawns_next = dict(self.fruit), True, False
        paid, self.owed = self.owed, 0.0
        if self.owes_goal:
            self.owes_goal, self.respawns_next = False, True
        for cell in list(self.there):
            if self._touches(cell, x, y):
                self.owed += self.there.pop(cell)
        if self.goal_there and self._touches(self.goal, x, y):
            self.goal_there, self.owes_goal = False, True
            self.owed += self.rewards.goal
        return paid, respawned

    def _touches(self, cell: tuple[int, int], x: float, y: float) -> bool:
        item_x, item_y = self.maze.center(cell)
        return -50 <= x - item_x <= 44 and abs(y - item_y) <= 36


@pytest.mark.parametrize("fruit", ["fixed", "episode"])
def test_rewards_and_respawns(fruit: str) -> None:
    """Every frame of 40 worlds pays what the rules say, fruit vanishes and comes back, and goals send elsewhere."""
    maze = hall()
    rewards = Rewards(apple=1.0, strawberry=2.5, goal=7.0)
    task = task_of(maze, rewards=rewards, goal="episode", fruit=fruit)
    rng = np.random.default_rng(3)
    n, frames = 40, 4000
    paid = goals = taken = 0.0
    with FrameEngine(task, n, observe={"velocity"}) as engine:
        engine.reset(7)
        facts = engine.privileged
        laid = engine._world.state.homes.copy()
        kinds = engine._world.state.kinds.copy()
        slow = []
        for row in range(n):
            places = {}
            for place, kind in zip(laid[row, 1:], kinds[row, 1:], strict=True):
                if place >= 0:
                    cell = (maze.rows - 1 - int(place) // maze.cols, int(place) % maze.cols)
                    places[cell] = rewards.strawberry if kind == 2 else rewards.apple
            goal = divmod(int(facts["goal_cell"][row]), maze.cols)
            slow.append(SlowRules(maze, rewards, goal, places))
            slow[row].start(*facts["position"][row])
        actions = rng.integers(0, NUM_ACTIONS, n)
        before = facts["position"].copy()
        for _ in range(frames):
            actions = np.where(rng.random(n) < 0.05, rng.integers(0, NUM_ACTIONS, n), actions)
            look, move, strafe = np.array(ACTION_FRAMES)[actions].T
            engine.play_frame(look, move, strafe)
            for row in range(n):
                x, y = facts["position"][row].astype(float)
                reward, respawned = slow[row].frame(x, y)
                assert engine.outcome.reward[row] == reward
                paid += reward
                taken += 0 < reward < rewards.goal
                leap = np.abs(facts["position"][row] - before[row]).max() > 20
                assert respawned or not leap
                if respawned:
                    goals += 1
                    cell = divmod(int(facts["cell"][row]), maze.cols)
                    assert (x, y) == maze.center(cell)
                    assert distances(maze, slow[row].goal)[cell] >= task.spawn_distance
                    assert not engine.observation["velocity"][row].any()
                left = {divmod(int(cell) & 0xFFFF, maze.cols) for cell in facts["fruit_cells"][row] if cell >= 0}
                assert left == set(slow[row].there)
            before[:] = facts["position"]
    assert goals > 20
    assert taken > 40


def test_step_sums_frames_and_counts_goals() -> None:
    task = task_of(hall())
    rng = np.random.default_rng(0)
    n = 50
    with Engine(task, n, observe={"velocity"}) as coarse, FrameEngine(task, n, observe={"velocity"}) as fine:
        coarse.reset(5)
        fine.reset(5)
        actions = rng.integers(0, NUM_ACTIONS, n)
        total = 0
        for _ in range(600):
            actions = np.where(rng.random(n) < 0.1, rng.integers(0, NUM_ACTIONS, n), actions)
            coarse.step(actions)
            look, move, strafe = np.array(ACTION_FRAMES)[actions].T
            reward = np.zeros(n)
            goals = np.zeros(n, dtype=int)
            for _ in range(task.action_repeat):
                fine.play_frame(look, move, strafe)
                reward += fine.outcome.reward
                goals += fine.outcome.reward == task.rewards.goal
            np.testing.assert_array_equal(coarse.outcome.reward, reward)
            np.testing.assert_array_equal(coarse.outcome.statistics["goals"], goals)
            np.testing.assert_array_equal(coarse.privileged["position"], fine.privileged["position"])
            total += goals.sum()
        assert total > 5


def test_frame_repeat_equivalence() -> None:
    """An action held for four frames is the same as four steps of one frame."""
    maze = hall()
    rng = np.random.default_rng(1)
    with (
        Engine(task_of(maze, action_repeat=4), 30, observe={"velocity"}) as held,
        Engine(task_of(maze, action_repeat=1), 30, observe={"velocity"}) as single,
    ):
        held.reset(2)
        single.reset(2)
        for _ in range(300):
            actions = rng.integers(0, NUM_ACTIONS, 30)
            held.step(actions)
            spin = np.zeros(30)
            reward = np.zeros(30)
            for _ in range(4):
                single.step(actions)
                spin += single.observation["velocity"][:, 4] / 4
                reward += single.outcome.reward
            np.testing.assert_array_equal(held.privileged["position"], single.privileged["position"])
            np.testing.assert_array_equal(held.privileged["heading"], single.privileged["heading"])
            np.testing.assert_array_equal(held.observation["velocity"][:, :3], single.observation["velocity"][:, :3])
            np.testing.assert_allclose(held.observation["velocity"][:, 4], spin, rtol=1e-6)
            np.testing.assert_array_equal(held.outcome.reward, reward)


@pytest.mark.parametrize(("seconds", "repeat", "steps"), [(1, 4, 15), (1, 7, 9), (2, 60, 2)])
def test_time_limit(seconds: int, repeat: int, steps: int) -> None:
    """The episode is truncated after exactly 60 frames a second; the last step may be cut short."""
    task = task_of(hall(), episode_seconds=seconds, action_repeat=repeat)
    assert task.episode_steps == steps
    with Engine(task, 3, observe={"velocity"}) as engine:
        engine.reset(0)
        for step in range(steps):
            assert engine.privileged["seconds"][0] == np.float32(min(step * repeat, 60 * seconds) / 60)
            engine.step([0, 1, 2])
            np.testing.assert_array_equal(engine.outcome.truncated, step == steps - 1)
        assert engine.privileged["seconds"][0] == seconds
        with pytest.raises(InputError, match=r"row 0.*reset_rows"):
            engine.step([0, 1, 2])
        engine.reset_rows([True, False, True])
        with pytest.raises(InputError, match=r"row 1.*reset_rows"):
            engine.step([0, 1, 2])
        engine.reset_rows([False, True, False])
        engine.step([0, 1, 2])
        assert engine.privileged["seconds"][0] == np.float32(min(repeat, 60 * seconds) / 60)


def test_velocity_is_the_agents_own() -> None:
    """Turning left on the spot reads 20 x 0.1056 degrees a frame; running forward reaches 320 units/s along the heading."""
    text = "\n".join(["*" * 61, "*" + " " * 58 + "G*", "*" * 61])
    task = task_of(read_maze(text, "thin"), spawn_distance=10)
    with Engine(task, 1, observe={"velocity"}) as engine:
        engine.reset(1)
        np.testing.assert_array_equal(engine.observation["velocity"], np.zeros((1, 6)))
        start = engine.privileged["heading"][0]
        engine.step([0])
        assert engine.observation["velocity"][0, 4] == pytest.approx(20 * 0.1056 * 60, rel=1e-3)
        turned = (engine.privileged["heading"][0] - start) % 360
        assert turned == pytest.approx(4 * 20 * 0.1056, abs=0.01)
        engine.step([1])
        assert engine.observation["velocity"][0, 4] == pytest.approx(-20 * 0.1056 * 60, rel=1e-3)
    with FrameEngine(task, 1, observe={"velocity"}) as engine:
        engine.reset(1)
        engine.put([[150.0, 50.0]], [0], [[0.0, 0.0]])
        speeds = []
        for _ in range(10):
            engine.play_frame(0, 1, 0)
            speeds.append(int(engine.observation["velocity"][0, 0]))
        # DeepMind Lab's own first frames along the x axis, as recorded.
        assert speeds == [45, 89, 133, 167, 204, 238, 268, 295, 319, 320]


def test_spawn_rule() -> None:
    """Spawns are uniform over the cells far enough from the goal, and headings over the circle."""
    maze = hall()
    task = task_of(maze, spawn_distance=3)
    n = 20_000
    field = distances(maze, maze.goals[0])
    allowed = np.flatnonzero((field >= 3).ravel() & maze.open.ravel())
    with Engine(task, n, observe={"velocity"}) as engine:
        engine.reset(11)
        np.testing.assert_array_equal(engine.goal_distance[5], field)
        cells, counts = np.unique(engine.privileged["cell"], return_counts=True)
        np.testing.assert_array_equal(cells, allowed)
        expected = n / len(allowed)
        assert ((counts - expected) ** 2 / expected).sum() < 2.5 * len(allowed)
        quarters = np.histogram(engine.privileged["heading"], bins=16, range=(0, 360))[0]
        assert ((quarters - n / 16) ** 2 / (n / 16)).sum() < 45
        np.testing.assert_array_equal(engine.privileged["goal_cell"], maze.goals[0][0] * maze.cols + maze.goals[0][1])


def test_spawn_cells_of_the_maze_count() -> None:
    maze = hall(HALL.replace("*  A    *", "*P A P P*", 1))
    with Engine(task_of(maze, spawn_distance=3), 500, observe={"velocity"}) as engine:
        engine.reset(0)
        field = distances(maze, maze.goals[0])
        allowed = {row * maze.cols + col for row, col in maze.spawns if field[row, col] >= 3}
        assert set(engine.privileged["cell"].tolist()) == allowed


def test_drawn_goals_and_fruit() -> None:
    """Goals and apples are drawn anew every episode, uniformly, never on one cell, and as many as the levels have."""
    text = "\n".join(["*" * 13, *[f"*{' ' * 11}*"] * 9, "*" * 13])
    maze = read_maze(text, "thin")
    count = int(0.1 * (maze.rows * maze.cols - 1) + 0.5)
    n = 3000
    with Engine(task_of(maze, goal="episode", fruit="episode", spawn_distance=1), n, observe={"velocity"}) as engine:
        engine.reset(1)
        goals, apples = np.zeros(maze.open.size), np.zeros(maze.open.size)
        for _ in range(3):
            facts = engine.privileged
            for row in range(n):
                cells = facts["fruit_cells"][row][facts["fruit_cells"][row] >= 0]
                # One apple may have been taken at the start, by an agent that spawned on it.
                assert len(cells) == len(set(cells.tolist()))
                assert count - 1 <= len(cells) <= count
                assert facts["goal_cell"][row] not in cells
                assert facts["cell"][row] not in cells
                np.add.at(apples, cells, 1)
            np.add.at(goals, facts["goal_cell"], 1)
            engine.reset_rows(np.ones(n, dtype=bool))
        expected = 3 * n / maze.open.size
        assert ((goals - expected) ** 2 / expected).sum() < 2 * maze.open.size
        assert np.abs(apples / apples.mean() - 1).max() < 0.25


def test_strawberries_are_flagged() -> None:
    maze = hall()
    with Engine(task_of(maze), 1, observe={"velocity"}) as engine:
        engine.reset(0)
        cells = engine.privileged["fruit_cells"][0]
        flagged = [int(cell) & 0xFFFF for cell in cells if cell >= 0 and cell & STRAWBERRY_FLAG]
        assert flagged == [row * maze.cols + col for row, col in maze.strawberries]


@pytest.mark.parametrize(
    ("text", "rules", "message"),
    [
        (HALL.replace("G", " "), {}, "no goal"),
        (HALL, {"spawn_distance": 30}, "30 cells of path"),
        ("*****\n* *G*\n*****", {"spawn_distance": 0}, "cannot be reached"),
        ("*****\n* * *\n*****", {"spawn_distance": 0, "goal": "episode"}, "cannot be reached"),
        ("***\n*A*\n***", {"spawn_distance": 0, "goal": "episode"}, "without fruit"),
    ],
)
def test_unplayable_mazes_are_refused(text: str, rules: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Engine(task_of(hall(text), **rules), 1, observe={"velocity"})


def test_mazes_of_a_task_are_equally_large() -> None:
    with pytest.raises(InputError, match="equally large"):
        Engine(Task("two", (hall(), read_maze("*****\n*  G*\n*****", "thin")), 60), 1, observe={"velocity"})
    with pytest.raises(InputError, match="no maze"):
        Engine(Task("none", (), 60), 1, observe={"velocity"})

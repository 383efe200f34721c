"""The real DeepMind Lab against the engine: the same episodes look, move, reward and end alike."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from env.engine.engine import Engine
from env.lab import adapter
from env.lab.adapter import LabBatch
from env.lab.compare import Comparison, Options, tasks_of
from env.lab.simulator import Simulator
from env.navigation import NUM_ACTIONS
from env.registry import make_task
from env.task import Rewards, Task
from maze_gen.maze import Geometry
from maze_gen.text import read_maze

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("real_lab")]

MAZE = """\
*********
*A  *   *
* * * * *
* *   * *
* ***** *
*S   G A*
*********
"""
EVERYTHING = ("rgb", "velocity", "depth", "depth_target")
RELEASED_LAYOUTS = Path(__file__).parents[4] / "shared" / "reference" / "lab_mazes"
LOOK_LEFT, LOOK_RIGHT, FORWARD = 0, 1, 2


def task_of(geometry: Geometry = "thin", text: str = MAZE, **rules: Any) -> Task:
    defaults: dict[str, Any] = {"name": "test", "mazes": (read_maze(text, geometry),), "episode_seconds": 60}
    defaults["spawn_distance"] = 2
    return Task(**(defaults | rules))


def random_actions(steps: int, rows: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(7).integers(NUM_ACTIONS, size=(steps, rows))


@pytest.mark.parametrize("geometry", ["thin", "block"])
def test_frames_agree_in_a_generated_maze(geometry: Geometry) -> None:
    (task,) = tasks_of(Options(mazes=1, geometry=geometry, rows=4, cols=5, seconds=25))
    comparison = Comparison(task, seed=3, stream=1, guided=0.8)
    try:
        found = comparison.play()
    finally:
        comparison.close()
    assert found.good(), found
    assert found.goals >= 2
    assert found.compared > 0.95 * found.frames
    assert found.depth_bytes > 5 * 84 * 84


@pytest.mark.parametrize("geometry", ["thin", "block"])
def test_steps_agree_with_the_engine(geometry: Geometry) -> None:
    task = task_of(geometry, rewards=Rewards(apple=0.5, strawberry=-1.0, goal=7.0), episode_seconds=6)
    with (
        LabBatch(task, 2, observe=EVERYTHING) as lab,
        Engine(task, 2, observe=EVERYTHING) as engine,
    ):
        for batch in (lab, engine):
            batch.reset(4, [5, 6])
        assert np.array_equal(lab.privileged["goal_cell"], engine.privileged["goal_cell"])
        for _ in range(2):
            assert np.array_equal(lab.privileged["position"], engine.privileged["position"])
            for step, actions in enumerate(random_actions(90, 2)):
                lab.step(actions)
                engine.step(actions)
                if engine.outcome.statistics["goals"].any():
                    break
                assert lab.outcome.reward.tolist() == engine.outcome.reward.tolist()
                assert np.abs(lab.privileged["position"] - engine.privileged["position"]).max() < 0.01
                assert lab.privileged["heading"] == pytest.approx(engine.privileged["heading"], abs=1e-3)
                assert lab.privileged["cell"].tolist() == engine.privileged["cell"].tolist()
                assert lab.privileged["seconds"] == pytest.approx(engine.privileged["seconds"])
                assert lab.outcome.truncated.tolist() == engine.outcome.truncated.tolist() == [step == 89] * 2
                assert lab.observation["velocity"] == pytest.approx(engine.observation["velocity"], abs=0.1)
                assert lab.observation["depth_target"] == pytest.approx(engine.observation["depth_target"], rel=1e-2)
            for batch in (lab, engine):
                batch.reset_rows(np.array([True, True]))


def walk_to_the_goal(task: Task, batch: LabBatch | Engine, others: list[Any], steps: int) -> list[list[float]]:
    """Walks a corridor towards its goal, by what `batch` says; the rewards of each step in all batches."""
    rewards = []
    for _ in range(steps):
        facts, maze = batch.privileged, task.mazes[0]
        goal = np.array(maze.center(divmod(int(facts["goal_cell"][0]), maze.cols)))
        to_goal = np.degrees(np.arctan2(*(goal - facts["position"][0])[::-1]))
        turn = (to_goal - float(facts["heading"][0]) + 180) % 360 - 180
        action = FORWARD if abs(turn) < 10 else LOOK_LEFT if turn > 0 else LOOK_RIGHT
        for each in (batch, *others):
            each.step([action])
        rewards.append([float(each.outcome.reward[0]) for each in (batch, *others)])
    return rewards


def test_goals_respawn_as_in_the_engine() -> None:
    corridor = "***********\n*    A   G*\n***********\n"
    task = task_of(text=corridor, spawn_distance=3)
    with LabBatch(task, 1) as lab, Engine(task, 1) as engine:
        lab.reset(0)
        engine.reset(0)
        rewards = np.array(walk_to_the_goal(task, engine, [lab], 120))
        # The clock slips at a respawn: rewards may come a step apart after it, but they come.
        assert rewards[:, 0].sum() == rewards[:, 1].sum()
        assert (rewards[:, 0] == 10).sum() >= 2
        first = int(np.argmax(rewards[:, 0] == 10))
        assert np.array_equal(rewards[: first + 1, 0], rewards[: first + 1, 1])
        assert lab.privileged["fruit_cells"].tolist() == engine.privileged["fruit_cells"].tolist()


def test_the_same_episode_is_the_same_whatever_the_batch() -> None:
    task = task_of()
    actions = random_actions(40, 1)[:, 0]

    def seen(rows: int, streams: list[int], row: int) -> list[npt.NDArray[Any]]:
        with LabBatch(task, rows, observe=EVERYTHING) as batch:
            batch.reset(9, streams)
            views = []
            for action in actions:
                batch.step(np.full(rows, action))
                views.append(np.concatenate([batch.observation["rgb"][row].ravel(), batch.observation["depth"][row].ravel()]))
            return views

    assert all(np.array_equal(*pair) for pair in zip(seen(1, [3], 0), seen(2, [8, 3], 1), strict=True))


def test_first_observations_of_later_episodes_are_their_own() -> None:
    task = task_of(episode_seconds=1)
    with LabBatch(task, 1) as lab, Engine(task, 1) as engine:
        lab.reset(1)
        engine.reset(1)
        own, stale = [], []
        for _ in range(6):
            for batch in (lab, engine):
                for _ in range(15):
                    batch.step([FORWARD])
            last = lab.observation["rgb"][0].astype(float)
            for batch in (lab, engine):
                batch.reset_rows(np.array([True]))
            first = lab.observation["rgb"][0].astype(float)
            own.append(np.abs(first - engine.observation["rgb"][0]).mean())
            stale.append(np.abs(first - last).mean())
            assert not lab.observation["velocity"].any()
        assert np.median(own) < 0.7 * np.median(stale), (own, stale)


def test_many_resets_without_a_step_do_not_abort() -> None:
    with LabBatch(task_of(), 1) as lab:
        lab.reset(0)
        for _ in range(4):
            lab.reset_rows(np.array([True]))
        for seed in range(2):
            lab.reset(seed)
        lab.step([FORWARD])
        assert lab.restarts.tolist() == [0]


def test_no_display_lies_over_the_picture_or_its_depth() -> None:
    task = task_of("block", rewards=Rewards(0.0, 0.0, 0.0), text="*****\n*   *\n*   *\n*G  *\n*****\n", spawn_distance=1)
    with (
        LabBatch(task, 1, observe=EVERYTHING) as lab,
        Engine(task, 1, observe=EVERYTHING) as engine,
    ):
        lab.reset(2)
        engine.reset(2)
        for _ in range(40):
            # Away from the goal, whose looks differ.
            for batch in (lab, engine):
                batch.step([LOOK_LEFT])
            place = np.array(task.mazes[0].center((3, 1))) - engine.privileged["position"][0]
            angle = np.degrees(np.arctan2(place[1], place[0])) - float(engine.privileged["heading"][0])
            if abs((angle + 180) % 360 - 180) > 75 and lab.privileged["seconds"][0] > 0.5:
                off = np.abs(lab.observation["depth"].astype(int) - engine.observation["depth"])
                assert (off <= 1).mean() > 0.99
                return
        pytest.fail("the agent never looked away from the goal")


def test_a_picture_is_the_right_way_round() -> None:
    task = make_task("static-small")
    with LabBatch(task, 1) as lab, Engine(task, 1) as engine:
        lab.reset(6)
        engine.reset(6)
        errors, mirrored = [], []
        for actions in random_actions(30, 1):
            lab.step(actions)
            engine.step(actions)
            ours, theirs = engine.observation["rgb"][0].astype(float), lab.observation["rgb"][0].astype(float)
            errors.append(np.abs(ours - theirs).mean())
            mirrored.append(np.abs(ours - theirs[:, ::-1]).mean())
        assert np.median(errors) < 0.5 * np.median(mirrored)


def test_maps_of_a_pool_are_compiled_when_they_are_drawn(compiled_maps: Path) -> None:
    task = make_task("procedural-small", mazes=40)
    before = len(list(compiled_maps.glob("*.pk3")))
    with LabBatch(task, 2) as lab:
        lab.reset(0)
        drawn = set(lab.privileged["maze"].tolist())
    assert len(list(compiled_maps.glob("*.pk3"))) - before == len(drawn)


def test_released_levels_are_tasks() -> None:
    task = make_task("lab:nav_maze_static_01")
    assert (task.mazes[0].rows, task.mazes[0].cols, task.episode_seconds) == (5, 10, 60)
    layout = RELEASED_LAYOUTS / "static_01.txt"
    if layout.is_file():
        assert task.mazes[0].layout_digest == read_maze(layout.read_text()).layout_digest
        assert set(task.mazes[0].apples) == set(read_maze(layout.read_text()).apples)
    with LabBatch(task, 2, observe=EVERYTHING) as lab:
        lab.reset(0)
        starts = lab.privileged["position"].copy()
        assert lab.privileged["goal_cell"].tolist() == [44, 44]
        assert (starts[0] != starts[1]).any()
        assert sorted(cell for cell in lab.privileged["fruit_cells"][0].tolist()) == sorted(
            row * 10 + col for row, col in task.mazes[0].apples
        )
        for _ in range(30):
            lab.step([FORWARD, FORWARD])
        assert (np.abs(lab.privileged["position"] - starts).max(axis=1) > 15).all()
        assert not lab.outcome.truncated.any()
        lab.reset(0)
        assert np.array_equal(lab.privileged["position"], starts)


def test_random_goals_of_released_levels_are_known() -> None:
    task = make_task("lab:nav_maze_random_goal_01")
    with LabBatch(task, 3) as lab:
        lab.reset(1)
        goals = lab.privileged["goal_cell"].tolist()
        assert len(set(goals)) > 1
        assert all(0 <= goal < 50 for goal in goals)
        assert ((lab.privileged["fruit_cells"] >= 0).sum(axis=1) >= 4).all()
        assert not np.isin(lab.privileged["fruit_cells"], goals).all()


def test_a_failed_map_compiler_is_an_error_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "map_name", lambda maze: "unknown")
    task = task_of()
    with LabBatch(task, 1) as lab:
        lab.reset(0)
        episode = lab._episode_of(0, lab._plans[0], 0)
    broken = {**episode.settings, "faces": "zz" * len(episode.settings["faces"]), "rows": "0", "mapName": "broken"}
    simulator = Simulator(replace(episode, settings=broken))
    try:
        with pytest.raises(Exception, match="DeepMind Lab's process"):
            simulator.wait(None)
    finally:
        simulator.close()


def test_the_command_prints_a_line_a_maze(tmp_path: Path) -> None:
    options = ["--mazes", "1", "--seconds", "2", "--rows", "4", "--cols", "5", "--speed-steps", "5"]
    run = subprocess.run(
        [sys.executable, "-m", "env.lab.compare", *options], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert len(lines) == 2
    assert '"good": true' in lines[1]
    assert "steps_per_second_2" in lines[1]

"""What is decoded in mazes that change: labels against a plain loop, features that hold them, and ones that don't."""

import math

import numpy as np
import pytest

from env.registry import make_task
from experiments.analysis import relative
from experiments.analysis.decoders import decode
from experiments.analysis.intervals import value_of
from experiments.analysis.items import Number
from experiments.analysis.relative import decode_relative, questions, relative_items
from experiments.analysis.trajectories import LAYER, Trajectories
from tests.experiments.synthetic import random_walks
from tests.mutants import Mutant, assert_caught, by_name

EPISODES, STEPS = 10, 120


def strolled(places):
    """[STEPS / 3, 2] positions of a walk over places [11, 2], four steps from one to the next."""
    share = np.arange(STEPS // 3)[:, None] % 4 / 4
    before = places[np.arange(STEPS // 3) // 4]
    return ((1 - share) * before + share * places[np.arange(STEPS // 3) // 4 + 1]).astype(np.float32)


def walks():
    """Walks in ten mazes, looking anywhere, put elsewhere after each of two goals."""
    random = np.random.default_rng(0)
    task = make_task("procedural-small", mazes=EPISODES, observation_size=42)
    places = np.array(
        [task.mazes[0].center(divmod(number, task.mazes[0].cols)) for number in range(task.cells)], dtype=np.float32
    )
    position = np.stack(
        [np.concatenate([strolled(places[random_walks(1, 11, maze, seed)[0]]) for seed in range(3)]) for maze in task.mazes]
    )
    position += random.uniform(-5, 5, position.shape).astype(np.float32)
    rows, cols = task.mazes[0].rows, task.mazes[0].cols
    cell = ((rows - 1 - position[..., 1] // 100) * cols + position[..., 0] // 100).astype(np.int32)
    goals = np.zeros(cell.shape, dtype=np.uint8)
    goals[:, STEPS // 3 - 1] = goals[:, 2 * STEPS // 3 - 1] = 1
    return Trajectories(
        task=task,
        seed=0,
        position=position,
        heading=random.uniform(0, 360, cell.shape).astype(np.float32),
        cell=cell,
        goal_cell=np.repeat(cell[:, STEPS // 3 - 1 : STEPS // 3], STEPS, axis=1),
        maze=np.arange(EPISODES, dtype=np.int32),
        action=np.zeros(cell.shape, np.uint8),
        reward=10.0 * goals.astype(np.float32),
        goals=goals,
    )


def check_labels(module):
    """Step after step, with angles and cells written out."""
    played = walks()
    asked = {question.name: question for question in module.questions(played)}
    assert list(asked) == [
        "direction of the spawn",
        "distance of the spawn",
        "direction of the goal, once it was reached",
        "distance of the goal, once it was reached",
        "wall 1 cell behind, rear side",
        "wall 1 cell behind, left side",
        "wall 1 cell behind, right side",
        "wall 2 cells behind, rear side",
    ]
    rows, cols = played.task.mazes[0].rows, played.task.mazes[0].cols
    for episode in range(EPISODES):
        maze, been, reached, spawn = played.task.mazes[episode], set(), False, played.position[episode, 0]
        for step in range(STEPS):
            at, heading = played.position[episode, step], math.radians(played.heading[episode, step])
            if step and math.dist(at, played.position[episode, step - 1]) > 40 and played.goals[episode, step - 1]:
                spawn = at
            been.add(int(played.cell[episode, step]))
            goal = maze.center(divmod(int(played.goal_cell[episode, step]), cols))
            for target, name, there in ((spawn, "the spawn", True), (goal, "the goal, once it was reached", reached)):
                away = math.dist(at, target) / 100
                direction, distance = asked[f"direction of {name}"], asked[f"distance of {name}"]
                assert distance.known[episode, step] == there
                assert distance.labels[episode, step] == sum(away >= edge for edge in (1.0, 2.0, 3.5, 5.5))
                assert direction.known[episode, step] == (there and away > 0.5)
                if direction.known[episode, step]:
                    turn = math.degrees(math.atan2(target[1] - at[1], target[0] - at[0]) - heading)
                    assert direction.labels[episode, step] == round(turn / 30) % 12
            reached = reached or bool(played.goals[episode, step])
            ahead = [(0, 1), (-1, 0), (0, -1), (1, 0)]
            looks = round(math.degrees(heading) / 90) % 4
            row, col = divmod(int(played.cell[episode, step]), cols)
            for far, side, name in ((1, 2, "1 cell behind, rear"), (1, 1, "1 cell behind, left"), (2, 2, "2 cells behind, rear")):
                there = row - far * ahead[looks][0], col - far * ahead[looks][1]
                inside = 0 <= there[0] < rows and 0 <= there[1] < cols
                question = asked[f"wall {name} side"]
                assert question.known[episode, step] == (inside and there[0] * cols + there[1] in been)
                if question.known[episode, step]:
                    assert question.labels[episode, step] == maze.walls[there][(looks + side) % 4]


MUTANTS = by_name(
    [
        Mutant(name, relative, old, new, check_labels)
        for name, old, new in (
            ("goals are known before they are reached", "- trajectories.goals > 0", "> 0"),
            ("the first spawn stays", "np.where(trajectories.spawned, steps, 0)", "np.where(trajectories.spawned, 0, 0)"),
            ("walls ahead", "(looks + 2) % 4", "looks"),
            ("cells that were never entered count", "inside & visited[", "inside | visited["),
        )
    ]
)


def test_labels_are_those_of_a_plain_loop():
    check_labels(relative)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)


def test_steps_without_a_label_are_neither_fitted_nor_counted():
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, (10, 200))
    known = random.random(labels.shape) < 0.4
    features = np.where(known, labels, 2 - labels)[..., None] == np.arange(3)
    found = decode("labels", features.astype(np.float32), labels, 3, known=known)
    assert value_of(found.figures()["accuracy"]) == 1
    assert found.accuracy < 0.8


def test_features_that_hold_the_answer_are_read_and_others_not(monkeypatch):
    played = walks()
    asked = questions(played)[3]
    monkeypatch.setattr(relative, "questions", lambda _: [asked])
    played.signals[LAYER + "noise"] = np.random.default_rng(0).normal(size=(*played.cell.shape, 4)).astype(np.float16)
    played.signals[LAYER + "answer"] = (asked.labels[..., None] == np.arange(asked.classes)).astype(np.float16)
    results = decode_relative(played)
    figures = {result.name: result.figures() for result in results}
    assert value_of(figures[f"{asked.name} from answer"]["accuracy"]) > 0.98
    noise = figures[f"{asked.name} from noise"]
    assert abs(value_of(noise["accuracy"]) - value_of(noise["chance"])) < 0.2
    items = relative_items(played, results)
    numbers = {item.name: item for item in items if isinstance(item, Number)}
    number = numbers[f"accuracy: {asked.name}"]
    assert value_of(number.value) > 0.98
    assert "from the encoder" in number.beside


def test_too_few_episodes_give_nothing(monkeypatch):
    played = walks()
    played.goals[:] = 0
    asked = questions(played)[1:3]
    monkeypatch.setattr(relative, "questions", lambda _: asked)
    played.signals[LAYER + "one"] = np.zeros((*played.cell.shape, 1), np.float16)
    assert [result.name for result in decode_relative(played)] == ["distance of the spawn from one"]

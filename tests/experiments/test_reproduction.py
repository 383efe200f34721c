"""What the table is made of: learning curves, their first crossings, and the paper's figures and order."""

import json
from pathlib import Path

import numpy as np
import pytest

from agents.config import TrainConfig
from experiments.analysis.statistics import Estimate
from experiments.reproduction import grid, paper
from experiments.reproduction.grid import Budget, Conditions
from experiments.reproduction.learning_curves import Curve, reached, read_curve, together
from experiments.reproduction.summary import Improvement
from maze_gen.errors import InputError

PAPER = Path(__file__).parents[3] / "shared" / "reference" / "paper.md"


def test_a_curve_is_read_and_its_first_crossing_is_found(tmp_path: Path) -> None:
    entries = [
        {"frames": 100, "seconds": 1.0, "episodes": 0},
        {"frames": 200, "seconds": 2.0, "episodes": 3, "episode/return": 30.0},
        {"frames": 300, "seconds": 3.0, "episodes": 120, "episode/return": 4.0},
        {"frames": 400, "seconds": 6.0, "episodes": 140, "episode/return": 11.0},
        {"frames": 500, "seconds": 9.0, "episodes": 160, "episode/return": 5.0},
        {"frames": 600, "seconds": 12.0, "episodes": 180, "episode/return": 20.0},
    ]
    lines = [json.dumps(entry) for entry in entries]
    damaged = [*lines[:4], json.dumps(entries[4] | {"episode/return": None}), "[1]", "", *lines[4:], lines[5][:20], "\0" * 9]
    (tmp_path / "progress.jsonl").write_bytes("\n".join(damaged).encode() + b"\xff")
    curve = read_curve(tmp_path)
    assert curve.frames.tolist() == [200, 300, 400, 500, 600]
    nothing = read_curve(tmp_path / "nowhere")
    # Three lucky episodes at 200 frames are no mean over a hundred.
    found = reached([curve, nothing], 10.0)
    assert (found.frames, found.minutes, found.runs) == ([400.0], [0.1], 2)
    assert reached([curve], 20.0).frames == [600.0]
    assert reached([curve], 20.5).frames == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "[" * 5000,
        '{"runs": 3}',
        '{"runs": [[1, 2]]}',
        '{"runs": [], "conditions": {"settings": []}}',
        "\xff",
        "{}",
    ],
)
def test_a_description_of_a_grid_that_is_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "grid.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"grid\.json: not the description of a grid"):
        grid._read(path)
    path.write_text(
        json.dumps({"runs": [["a", "ff", 1]], "conditions": Conditions(Budget(), "fast", TrainConfig(), 1, 1, False).as_json()})
    )
    for tasks in (3, [], {"a": 3}, {"a": {}}, {"a": ROW | {"mazes": "1"}}, {"a": ROW | {"pool": 3}}):
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"tasks": tasks, "commands": []}))
        with pytest.raises(InputError, match=r"grid\.json: not the description of a grid"):
            grid._read(path)
    path.write_text(json.dumps(content | {"tasks": {"a": ROW}, "commands": ["one"]}))
    assert grid._read(path).tasks == {"a": ROW}


ROW = {"label": "a", "task": "b", "mazes": 1, "pool": None, "split": "fixed", "paper_task": None, "digest": "c"}


def test_curves_together_are_their_mean_and_range_where_all_are_known() -> None:
    first, second = np.array([0.0, 10.0]), np.array([5.0, 20.0])
    found = together([first, second], [first * 2, second * 0 + 4])
    assert found is not None
    x, middle, low, high = found
    assert (x[0], x[-1]) == (5, 10)
    assert middle == pytest.approx((2 * x + 4) / 2)
    assert low == pytest.approx(np.full(len(x), 4.0))
    assert high == pytest.approx(2 * x)
    assert together([first, np.array([])], [first, np.array([])]) is None
    assert together([first, second + 6], [first, second]) is None
    lone = together([np.array([1.0, 2.0, 3.0])], [np.array([5.0, 9.0, 2.0])])
    assert lone is not None
    assert lone[1][np.searchsorted(lone[0], 2.0)] == 9.0


@pytest.mark.parametrize(
    ("chance", "printed", "verdict"),
    [
        (Estimate(0.8, 0.7, 0.9), (98.0, 79.0), "holds"),
        (Estimate(0.2, 0.1, 0.3), (98.0, 79.0), "reversed"),
        (Estimate(0.2, 0.1, 0.3), (79.0, 98.0), "holds"),
        (Estimate(0.6, 0.4, 0.8), (98.0, 79.0), "open"),
        (Estimate(0.8, 0.7, 0.9), (101.0, 101.0), None),
        (Estimate(0.8, 0.7, 0.9), None, None),
    ],
)
def test_whether_the_papers_order_holds(chance: Estimate, printed: tuple[float, float] | None, verdict: str | None) -> None:
    assert Improvement("fixed", "ours", "theirs", chance, printed).verdict == verdict


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("static-small", "static-small"),
        ("static_01", "static-small"),
        ("lab:nav_maze_static_02", "static-large"),
        ("random_goal_01", "random-goal-small"),
        ("static_03", None),
        ("static-huge", None),
        ("procedural-small", None),
    ],
)
def test_which_task_of_the_paper_a_name_stands_for(name: str, task: str | None) -> None:
    assert paper.paper_task(name) == task


@pytest.mark.skipif(not PAPER.exists(), reason="the paper's facts lie in ../shared/reference, which is not here")
def test_the_papers_figures_are_those_of_its_tables() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAPER.read_text().splitlines() if "|" in line]
    table = {row[0]: row[1:] for row in rows}
    columns = ["static-small", "static-large", "i-maze", "random-goal-small", "random-goal-large"]
    for agent, name in paper.NAMES.items():
        assert [paper.SCORES[task, agent] for task in columns] == [float(text) for text in table[name]]
    human = {task: float(text) for task, text in zip(columns, table["human expert"], strict=True) if text != "–"}
    assert human == paper.HUMAN
    for name, task in (("I-maze", "i-maze"), *((task.replace("-", " "), task) for task in columns if task != "i-maze")):
        row = next(row for row in rows if row[0] == name and len(row) == 4)
        for agent, text in zip(("ff", "lstm", "nav-d1l"), row[1:], strict=True):
            _, goals, position, latency = text.split(", ")
            first, later = latency.split(":")
            expected = paper.Details(float(goals) / 100, float(position) / 100, float(first), float(later))
            assert paper.DETAILS[task, agent] == expected


def test_no_curve_is_no_error() -> None:
    nothing = np.zeros(0)
    assert together([nothing], [nothing]) is None
    assert reached([Curve(nothing, nothing, nothing, nothing)], 1.0).frames == []

"""The figures of a grid's table against runs made by hand, and the page that shows them."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.checkpoint_formats import HISTORY
from agents.config import PRESETS, TrainConfig
from experiments.analysis.memory import MemoryWorth
from experiments.analysis.metrics import Result
from experiments.analysis.statistics import Estimate
from experiments.reproduction.grid import Budget, Conditions, Grid, Run, open_grid, present_conditions
from experiments.reproduction.markdown import (
    Trainings,
    as_json,
    budget_text,
    generalisation_file,
    markdown,
    pool_groups,
    title_of,
)
from experiments.reproduction.run import EVALUATION, FinishedRun, read_baselines, read_finished
from experiments.reproduction.summary import TaskSummary, over_tasks, score_of, summarise
from experiments.tables import MISSING
from maze_gen.errors import InputError

ROW = {"label": "static-small", "task": "static-small", "mazes": 1, "pool": None, "split": "fixed", "paper_task": "static-small"}
CONDITIONS = Conditions(Budget(frames=4000), "fast", PRESETS["fast"], 2, 4, False)


def result(returns: list[float], split: str = "fixed", **changes: Any) -> Result:
    values: dict = {
        "goals": 2.0,
        "goal_episodes": 0.5,
        "latency_first_s": None,
        "latency_later_s": 3.0,
        "position_accuracy": None,
    }
    return Result("static-small", split, np.array(returns), **(values | changes))


def curve(folder: Path, *points: tuple[int, float, float]) -> Path:
    """A run's folder with (frames, seconds, return) entries of more than 100 episodes."""
    folder.mkdir(parents=True)
    entries = [{"frames": f, "seconds": s, "episodes": 200, "episode/return": r} for f, s, r in points]
    (folder / "progress.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return folder


BASELINES = {"random": [result([0.0, 2.0])], "oracle": [result([100.0, 102.0])]}


@pytest.fixture
def summary(tmp_path: Path) -> TaskSummary:
    """Two agents with two and one seeds; the better one reaches 10 points with both seeds, the human's 95 with one."""
    runs = [
        ("ff", 1, [10.0, 20.0, 30.0, 40.0], ((1_000_000, 60.0, 5.0), (2_000_000, 120.0, 20.0)), 0.5),
        ("nav-d1d2l", 2, [90.0, 91.0, 92.0, 93.0], ((1_000_000, 60.0, 12.0), (3_000_000, 180.0, 96.0)), None),
        ("nav-d1d2l", 1, [50.0, 60.0, 70.0, 80.0], ((1_500_000, 90.0, 11.0), (3_000_000, 180.0, 80.0)), 0.25),
    ]
    finished = [
        FinishedRun(
            Run("static-small", agent, seed),
            curve(tmp_path / f"{agent}{seed}", *points),
            seed * 1_000_000,
            seed * 60.0,
            "a machine",
            [result(returns, position_accuracy=accuracy)],
        )
        for agent, seed, returns, points, accuracy in runs
    ]
    return summarise(ROW, ["ff", "lstm", "nav-d1d2l"], finished, BASELINES)


def test_every_agent_with_a_finished_run_has_a_row(summary: TaskSummary) -> None:
    ff, nav = summary.agents
    assert (ff.agent, nav.agent) == ("ff", "nav-d1d2l")
    assert nav.seeds == [1, 2]
    assert (nav.frames, nav.minutes) == (1_500_000, 1.5)


def test_scores_are_over_seeds_and_episodes(summary: TaskSummary) -> None:
    score = summary.agents[1].scores[0]
    values = sorted([90, 91, 92, 93, 50, 60, 70, 80])
    assert score.returns.shape == (2, 4)
    assert score.iqm.value == pytest.approx(np.mean(values[2:6]))
    assert score.mean == pytest.approx(np.mean(values))
    assert score.of_oracle == pytest.approx(np.mean(values) / 101)
    # The interval contains what either seed alone would say: runs are resampled too.
    assert score.iqm.low <= 65
    assert score.iqm.high >= 91.5


def test_figures_that_a_seed_lacks_are_means_of_the_others(summary: TaskSummary) -> None:
    score = summary.agents[1].scores[0]
    assert score.position_accuracy == 0.25
    assert score.latency_first_s is None
    assert score.latency_later_s == 3.0
    assert score.memory_worth is None
    worth = MemoryWorth(Estimate(4.0, 1, 7), Estimate(0, 0, 0), None)
    assert score_of([result([1.0], memory_worth=worth), result([1.0])], None).memory_worth == 4.0
    assert score_of([result([1.0])], None).of_oracle is None


def test_first_crossings_are_those_of_the_curves(summary: TaskSummary) -> None:
    ff, nav = summary.agents
    assert (ff.first_points.frames, ff.first_points.minutes) == ([2_000_000], [2.0])
    assert nav.first_points.frames == [1_500_000, 1_000_000]
    assert summary.human == 95
    assert nav.human is not None
    assert (nav.human.frames, nav.human.runs) == ([3_000_000], 2)


def test_improvement_is_counted_over_pairs_and_compared_with_the_paper(summary: TaskSummary) -> None:
    (found,) = summary.improvements
    assert (found.agent, found.other, found.chance.value, found.paper) == ("nav-d1d2l", "ff", 1.0, (116, 79))
    assert found.verdict == "holds"


def test_all_tasks_together_count_each_on_its_own_scale(summary: TaskSummary) -> None:
    easy = summarise(
        ROW | {"label": "other"},
        ["ff"],
        [FinishedRun(Run("other", "ff", 1), Path("nowhere"), 1, 1.0, "", [result([1.0, 1.0])])],
        {"random": [result([0.0, 0.0])], "oracle": [result([2.0, 2.0])]},
    )
    found = over_tasks([summary, easy])
    assert set(found) == {"ff"}
    scaled = sorted([0.5, 0.5, *((value - 1) / 100 for value in (10, 20, 30, 40))])
    assert found["ff"].value == pytest.approx(np.mean(scaled[1:5]))
    useless = summarise(ROW, ["ff"], [], {"random": [result([5.0])], "oracle": [result([5.0])]})
    assert over_tasks([useless]) == {}


def rows(page: str, heading: str) -> list[list[str]]:
    """Cells of the table whose header begins so."""
    lines = page.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading}"))
    table = [line for line in lines[start : start + 20] if line.startswith("| ")]
    return [[text.strip() for text in line.strip("|").split("|")] for line in table]


def test_the_page_shows_every_figure(summary: TaskSummary) -> None:
    conditions = CONDITIONS.as_json()
    page = markdown([summary], conditions, ["python -m experiments.reproduce"], Trainings(["a machine"], 1, ["room, ff, seed 2"]))
    assert "1 of the grid's trainings is not done yet" in page
    assert "figures are of the last finite checkpoint: room, ff, seed 2." in page
    scores = {line[0]: line for line in rows(page, "agent") if len(line) == 9}
    assert scores["nav-d1d2l"][1:5] == ["training", "2", "1.50 M", "1.5"]
    assert scores["nav-d1d2l"][6:] == ["78.2", "77 %", "116"]
    assert scores["oracle"][2:5] == [MISSING] * 3
    assert scores["human"][-1] == "95"
    assert "| 1 of 2 |" in re.sub(" +", " ", page)
    assert (
        f"`--loss-weight {','.join(f'{name}={value}' for name, value in conditions['settings']['loss_weight'].items())}`" in page
    )
    form = as_json([summary], conditions, ["a command"], Trainings(["a machine"], 0))
    assert json.loads(json.dumps(form, allow_nan=False))["tasks"][0]["agents"][1]["seeds"] == [1, 2]
    assert form["over_tasks"] is None


@pytest.mark.parametrize(
    ("budget", "text"),
    [(Budget(frames=4000), "4,000 frames"), (Budget(minutes=30), "30 minutes"), (Budget(minutes=0.5), "0.5 minutes")],
)
def test_budgets_as_text(budget: Budget, text: str) -> None:
    assert budget_text({"frames": budget.frames, "minutes": budget.minutes}) == text


def test_pools_are_grouped_by_task_and_sorted() -> None:
    tasks = [TaskSummary(ROW | {"pool": pool, "mazes": int(pool)}, {}, [], []) for pool in ("10", "1")]
    tasks.append(TaskSummary(ROW, {}, [], []))
    (group,) = pool_groups(tasks).values()
    assert [task.row["mazes"] for task in group] == [1, 10]
    assert [title_of(task) for task in group] == ["static-small, 1 training maze", "static-small, 10 training mazes"]
    assert generalisation_file("a", ["a"]) == "generalisation.png"
    assert generalisation_file("a", ["a", "b"]) == "generalisation-a.png"


OLD_NAMES = {
    "unroll_length": "chunk",
    "gae_lambda": "advantage_decay",
    "max_grad_norm": "gradient_norm",
    "clip_range": "clip",
    "num_envs": "envs",
    "rmsprop_alpha": "optimizer_decay",
    "optimizer_eps": "optimizer_epsilon",
    "anneal_start_fraction": "annealing_start",
    "final_learning_rate_fraction": "final_learning_rate_share",
}


def old_form(conditions: dict) -> dict:
    """Conditions as the version before wrote them."""
    settings = dict(conditions["settings"])
    for name, weight in settings.pop("loss_weight").items():
        settings[f"{name.replace('-', '_')}_cost"] = weight
    for name in HISTORY[TrainConfig].added:
        del settings[name]
    return conditions | {"settings": {OLD_NAMES.get(name, name): value for name, value in settings.items()}}


def test_conditions_of_the_version_before_are_the_same_conditions() -> None:
    conditions = CONDITIONS.as_json()
    assert present_conditions(old_form(conditions), "a file") == conditions
    assert present_conditions(conditions, "a file") == conditions
    with pytest.raises(InputError, match="a file: settings"):
        present_conditions(conditions | {"settings": {"chunk": "many"}}, "a file")


def test_a_grid_of_the_version_before_is_resumed(tmp_path: Path) -> None:
    conditions = CONDITIONS.as_json()
    form = {"conditions": old_form(conditions), "tasks": {"ring": ROW}, "cells": [["ring", "ff", 1]], "commands": ["a command"]}
    (tmp_path / "grid.json").write_text(json.dumps(form))
    grid = open_grid(tmp_path, CONDITIONS, [], [Run("ring", "ff", 2)], "another")
    assert grid.runs == [Run("ring", "ff", 1), Run("ring", "ff", 2)]
    assert grid.commands == ["a command", "another"]
    again = open_grid(tmp_path, CONDITIONS, [], [], "another")
    assert (again.runs, again.conditions) == (grid.runs, conditions)
    assert isinstance(again, Grid)


def test_an_evaluation_of_the_version_before_is_read(tmp_path: Path) -> None:
    conditions, run = CONDITIONS.as_json(), Run("ring", "ff", 1)
    form = {key: value for key, value in result([1.0, 2.0]).as_json().items() if "memory" not in key and key != "trips"}
    content = {"frames": 4000, "seconds": 9.0, "machine": "m", "conditions": old_form(conditions), "results": [form]}
    (tmp_path / EVALUATION).write_text(json.dumps(content))
    done = read_finished(run, tmp_path, conditions)
    assert done is not None
    assert done.results[0].returns.tolist() == [1, 2]
    assert read_finished(run, tmp_path / "nowhere", conditions) is None
    with pytest.raises(InputError, match="other conditions"):
        read_finished(run, tmp_path, conditions | {"episodes": 5})
    (tmp_path / EVALUATION).write_text(json.dumps(content | {"results": [{}]}))
    with pytest.raises(InputError, match="not an evaluation"):
        read_finished(run, tmp_path, conditions)
    (tmp_path / "baselines.json").write_text('{"random": []}')
    with pytest.raises(InputError, match="not the results of random and oracle"):
        read_baselines(tmp_path)

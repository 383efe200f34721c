"""`evaluate` from the command line: its form, its repeatability, its comparisons, and its complaints."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.checkpoint import load_checkpoint
from env.registry import make_task
from experiments import evaluate
from experiments.analysis import evaluation
from experiments.analysis.comparison import AgentRuns, compare
from experiments.analysis.comparison_plot import comparison_plot
from experiments.analysis.metrics import Result
from experiments.analysis.playback import Playback
from experiments.options import TaskOptions
from tests.experiments.synthetic import ring_task, untrained


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("evaluate") / "agent.safetensors", task=ring_task(3))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["evaluate", *map(str, arguments)])
    return evaluate.main()


FIGURES = {
    "task",
    "split",
    "episodes",
    "return",
    "goals",
    "goal_episodes",
    "latency_first_s",
    "latency_later_s",
    "position_accuracy",
    "loop_closure_f1",
    "memory_worth",
    "memory_worth_goals",
    "memory_worth_trip_s",
    "trips",
    "returns",
}


def test_json_has_the_form_that_others_read(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figures.json"
    assert run(monkeypatch, "--checkpoint", checkpoint, "--episodes", 4, "--json", path, "--split", "fixed") == 0
    found = json.loads(path.read_text())
    assert set(found) == {"checkpoint", "agent", "results", "baselines"}
    assert (found["checkpoint"], found["agent"]) == (str(checkpoint), "nav-d1d2l")
    assert list(found["baselines"]) == ["random", "wall follower", "forgetting searcher", "remembering searcher", "oracle"]
    for result in [*found["results"], *(result for results in found["baselines"].values() for result in results)]:
        assert set(result) == FIGURES
        assert set(result["return"]) == {"mean", "iqm", "low", "high"}
        assert (result["task"], result["split"], result["episodes"]) == ("ring", "fixed", 4)
        assert result["return"]["low"] <= result["return"]["iqm"] <= result["return"]["high"]
    assert 0 <= found["results"][0]["position_accuracy"] <= 1
    assert found["baselines"]["oracle"][0]["position_accuracy"] is None
    assert found["baselines"]["oracle"][0]["loop_closure_f1"] is None
    for result in found["results"]:
        assert np.mean(result["returns"]) == pytest.approx(result["return"]["mean"])
        assert Result.from_json(result).as_json() == result
    assert found["baselines"]["oracle"][0]["goal_episodes"] == 1.0
    table = capsys.readouterr().out
    assert "oracle" in table
    assert "with a goal" in table
    returns = {name: results[0]["return"]["mean"] for name, results in found["baselines"].items()}
    share = returns["oracle"] / returns["remembering searcher"]
    assert re.search(rf"^oracle .* {share:.0%} *".replace("%", " ?%"), table, re.MULTILINE), table


def test_the_same_seed_is_the_same_evaluation_on_any_threads(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []
    for threads in (1, 2):
        path = tmp_path / f"{threads}.json"
        options = ("--episodes", 30, "--seed", 4, "--threads", threads, "--split", "fixed", "--json", path)
        assert run(monkeypatch, "--checkpoint", checkpoint, *options) == 0
        texts.append(path.read_text())
    assert texts[0] == texts[1]


def test_heldout_mazes_are_played_beside_the_own_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "figures.json"
    agent = untrained(tmp_path / "agent.safetensors", "ff")
    assert run(monkeypatch, "--checkpoint", agent, "--episodes", 1, "--json", path) == 0
    found = json.loads(path.read_text())
    assert [(result["task"], result["split"]) for result in found["results"]] == [
        ("static-small", "fixed"),
        ("static-small", "heldout"),
    ]


def test_a_maze_whose_size_leaves_no_heldout_mazes_is_played_alone(checkpoint: Path, tmp_path: Path) -> None:
    """In generated mazes of this size some goals have no cell that is far enough for a spawn."""
    winding = tmp_path / "winding.txt"
    winding.write_text("*********\n*G      *\n******* *\n*       *\n* *******\n*       *\n*********\n")
    tasks = evaluate.tasks_to_evaluate(load_checkpoint(checkpoint), TaskOptions(maze_file=winding))
    assert [(task.name, task.split) for task in tasks] == [("winding", "fixed")]


def test_a_runs_folder_stands_for_its_checkpoint(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.safetensors").write_bytes(checkpoint.read_bytes())
    path = tmp_path / "figures.json"
    assert run(monkeypatch, "--checkpoint", tmp_path / "run", "--episodes", 1, "--json", path) == 0
    assert json.loads(path.read_text())["results"]


def test_another_task_of_another_size_has_no_position_accuracy(checkpoint: Path) -> None:
    task = replace(make_task("static-small", observation_size=42), episode_seconds=2)
    found = evaluation.evaluate(load_checkpoint(checkpoint), Playback(task, 1), baselines=False)
    assert found.results[0].position_accuracy is None
    assert found.baselines == {}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "which agent?"),
        (["--checkpoint", "nothing.safetensors"], "nothing.safetensors: no such file"),
        (["--checkpoint", "."], "checkpoint.safetensors: no such file"),
        (["--checkpoint", "TEXT"], "not a checkpoint"),
        (["--checkpoint", "TRUNCATED"], "not a checkpoint, or a truncated one"),
        (["--checkpoint", "AGENT", "--task", "labyrinth"], "task 'labyrinth'"),
        (["--checkpoint", "AGENT", "--episodes", "0"], "episodes 0: expected a whole number"),
        (["--checkpoint", "AGENT", "--json", "TEXT/figures.json"], "cannot write"),
        (["--checkpoint", "AGENT", "--split", "train"], "--split train: task ring has the splits"),
        (["--compare", "AGENT"], "at least two"),
        (["--compare", "AGENT", "AGENT", "--checkpoint", "AGENT"], "exclude each other"),
        (["--compare", "AGENT", "AGENT", "--figure", "a.jpg"], ".png"),
    ],
)
def test_complaints(
    arguments: list[str],
    complaint: str,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text, truncated = tmp_path / "text.safetensors", tmp_path / "truncated.safetensors"
    text.write_text("no checkpoint")
    truncated.write_bytes(checkpoint.read_bytes()[:5000])
    for name, path in (("TEXT", text), ("TRUNCATED", truncated), ("AGENT", checkpoint)):
        arguments = [argument.replace(name, str(path)) for argument in arguments]
    assert run(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert complaint in error.lower() or complaint in error


def test_comparing_two_agents(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = untrained(tmp_path / "other.safetensors", "ff", ring_task(3))
    paths = tmp_path / "compared.json", tmp_path / "compared.png"
    options = ("--episodes", 3, "--split", "fixed", "--json", paths[0], "--figure", paths[1])
    assert run(monkeypatch, "--compare", checkpoint, other, *options) == 0
    found = json.loads(paths[0].read_text())
    assert [agent["agent"] for agent in found["agents"]] == ["nav-d1d2l", "ff"]
    assert len(found["probability_of_improvement"]) == 1
    assert paths[1].read_bytes().startswith(b"\x89PNG")
    assert "95 % intervals" in capsys.readouterr().out


def test_several_runs_of_one_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "seeds"
    folder.mkdir()
    for seed in (1, 2):
        untrained(folder / f"{seed}.safetensors", "ff", ring_task(3))
    found = tmp_path / "compared.json", tmp_path / "compared.png"
    options = ("--compare", folder, "--episodes", 3, "--split", "fixed", "--json", found[0], "--figure", found[1])
    assert run(monkeypatch, *options) == 0
    (agent,) = json.loads(found[0].read_text())["agents"]
    assert len(agent["checkpoints"]) == len(agent["tasks"][0]["runs"]) == 2
    assert "beats" not in capsys.readouterr().out


def result(task: str, split: str, returns: list[float]) -> Result:
    return Result(task, split, np.array(returns), 0.0, 0.0, None, None, None)


def test_figures_of_a_comparison_by_hand() -> None:
    """Random gets 10, the oracle 110; one agent gets halfway at home and nowhere outside, the other a tenth everywhere."""
    baselines = {
        "random": [result("a", "fixed", [10.0]), result("a", "heldout", [10.0])],
        "oracle": [result("a", "fixed", [110.0]), result("a", "heldout", [110.0])],
    }
    good = AgentRuns("good", ["1"], [[result("a", "fixed", [60.0] * 8)], [result("a", "heldout", [10.0] * 8)]])
    poor = AgentRuns("poor", ["2"], [[result("a", "fixed", [20.0] * 8)], [result("a", "heldout", [20.0] * 8)]])
    found = compare([good, poor], baselines)
    assert [task.value for task in found.by_task["good"]] == [0.5, 0.0]
    assert found.gap["good"].value == 0.5
    assert found.gap["poor"].value == 0.0
    assert found.middle["poor"].value == pytest.approx(0.1)
    assert found.improvement["good", "poor"].value == 0.5
    at_a_quarter = found.profiles["good"][0][np.searchsorted(np.linspace(0, 1.2, 61), 0.25)]
    assert at_a_quarter == 0.5
    assert comparison_plot(found).ndim == 3
    assert json.dumps(found.as_json(), allow_nan=False)

"""The paper's matrix from tables of grids: which figures it shows, and what it refuses."""

import json
from pathlib import Path

import pytest

from experiments import matrix
from experiments.reproduction import paper
from experiments.reproduction.matrix import read_cells
from maze_gen.errors import InputError

RESULTS = Path(__file__).parents[2] / "docs" / "results"


def table(agents, task="lab-static-01", pool=None, preset="paper"):
    """A grid's table; agents: name → (frames, mean return, seeds)."""
    rows = [
        {
            "agent": agent,
            "seeds": list(range(seeds)),
            "frames": frames,
            "scores": [
                {
                    "split": "fixed",
                    "iqm": {"value": mean, "low": mean - 1.5, "high": mean + 2.5},
                    "mean": mean,
                    "of_oracle": mean / 200,
                    "goal_episodes": 0.75,
                    "position_accuracy": None,
                    "latency_first_s": 4.26,
                    "latency_later_s": None,
                }
            ],
        }
        for agent, (frames, mean, seeds) in agents.items()
    ]
    return {"tasks": [{"task": task, "pool": pool, "agents": rows}], "conditions": {"preset": preset}}


def shown(monkeypatch, capsys, tmp_path, *tables):
    """The page's rows, by their first column: of the matrix, and of the figures."""
    folders = []
    for number, content in enumerate(tables):
        folder = tmp_path / f"grid{number}"
        folder.mkdir()
        (folder / "table.json").write_text(json.dumps(content))
        folders.append(str(folder))
    monkeypatch.setattr("sys.argv", ["matrix", "--grids", *folders])
    assert matrix.main() == 0
    lines = [
        [text.strip() for text in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines() if "|" in line
    ]
    return {line[0]: line[1:] for line in lines if len(line) == 6}, [line for line in lines if len(line) == 12][2:]


def test_returns_stand_beside_the_papers(monkeypatch, capsys, tmp_path):
    scores, figures = shown(
        monkeypatch, capsys, tmp_path, table({"nav": (2e7, 61.4, 3)}), table({"nav-r": (1e7, 50.0, 1)}, "random_goal_02")
    )
    assert scores["nav"] == ["61 (20 M) / 94", "– / 157", "– / 244", "– / 73", "– / 56"]
    assert scores["nav-r"] == ["– / –"] * 4 + ["50 (10 M) / –"]
    assert scores["human"] == ["– / 95", "– / 172", "– / –", "– / 106", "– / 172"]
    assert figures == [
        ["nav", "lab-static-01", "grid0", "paper", "3", "20.0", "61.4", "59.9 to 63.9", "31 %", "75 %", "–", "4.3 : – s"],
        ["nav-r", "random_goal_02", "grid1", "paper", "1", "10.0", "50.0", "48.5 to 52.5", "25 %", "75 %", "–", "4.3 : – s"],
    ]


def test_the_longest_training_counts_and_of_as_long_ones_more_seeds(monkeypatch, capsys, tmp_path):
    few, long, many = ({"ff": row} for row in ((1e7, 11, 9), (2e7, 22, 1), (2e7, 33, 3)))
    scores, _ = shown(monkeypatch, capsys, tmp_path, table(many), table(few), table(long, preset="fast"))
    assert scores["ff"][0] == "33 (20 M) / 79"


def test_other_tasks_and_numbers_of_mazes_are_left_out(monkeypatch, capsys, tmp_path):
    scores, figures = shown(
        monkeypatch, capsys, tmp_path, table({"ff": (1e7, 9, 1)}, "mine"), table({"ff": (1e7, 9, 1)}, "static-small", pool="10")
    )
    assert figures == []
    assert set(scores) == {"agent", "human", *paper.NAMES} | {key for key in scores if key.startswith("-")}


def test_what_is_no_table_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["matrix", "--grids", str(tmp_path)])
    assert matrix.main() == 2
    assert "expected folders with a table.json" in capsys.readouterr().err
    (tmp_path / "table.json").write_text('{"tasks": [{}], "conditions": 3}')
    with pytest.raises(InputError, match=r"table\.json: not the table of a grid"):
        read_cells(tmp_path / "table.json")


def test_the_published_page_is_what_the_command_makes(monkeypatch, capsys):
    grids = [RESULTS / "order", *sorted(RESULTS.glob("static_01*")), *sorted(RESULTS.glob("random*"))]
    monkeypatch.setattr("sys.argv", ["matrix", "--grids", *map(str, grids)])
    assert matrix.main() == 0
    assert capsys.readouterr().out == (RESULTS / "matrix.md").read_text()

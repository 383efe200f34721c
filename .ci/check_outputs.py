"""Checks what a run of the whole job left behind: .ci/check_outputs.py RUN_FOLDER"""

import json
import math
import sys
from pathlib import Path

RESULT_KEYS = {
    "task",
    "split",
    "episodes",
    "return",
    "goals",
    "goal_episodes",
    "latency_first_s",
    "latency_later_s",
    "position_accuracy",
}


def main() -> None:
    folder = Path(sys.argv[1])
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["frames"] > 10_000, summary
    config = json.loads((folder / "config.json").read_text())
    assert config["agent"] == "nav-d1d2l", config
    assert config["versions"]["torch"], config
    found = json.loads((folder / "evaluation.json").read_text())
    splits = [result["split"] for result in found["results"]]
    assert splits == ["fixed", "heldout"], splits
    for result in [*found["results"], *found["baselines"]["random"], *found["baselines"]["oracle"]]:
        assert set(result) >= RESULT_KEYS, result
        assert all(math.isfinite(value) for value in result["return"].values()), result
    random_return, oracle_return = (found["baselines"][name][0]["return"]["mean"] for name in ("random", "oracle"))
    assert oracle_return > 60 > 20 > random_return, (random_return, oracle_return)
    assert list(folder.glob("events.out.tfevents.*")), "no curves"
    assert list((folder / "analysis").rglob("events.out.tfevents.*")), "no analysis"
    assert {place.name for place in (folder / "evaluation").iterdir()} == {"agent", "random", "oracle"}, (
        "no scalars of the evaluation"
    )
    figures = json.loads((folder / "report.json").read_text())["figures"]
    assert any(figure["name"] == "position accuracy" and figure["low"] <= figure["value"] for figure in figures), figures
    assert "<html" in (folder / "report.html").read_text()[:500].lower()
    print(f"{folder} holds all that a run leaves: {summary['frames']} frames, oracle {oracle_return:.0f}")


if __name__ == "__main__":
    main()

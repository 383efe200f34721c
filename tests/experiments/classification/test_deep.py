"""The whole command, small; and tables of results that are known."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from experiments import deep
from experiments.classification import compare, costs, pictures
from experiments.classification import methods as methods_module
from experiments.classification.compare import Comparison
from experiments.classification.methods import BN, TANH, Method
from experiments.classification.summary import final_level, markdown, optimizer_lines, reach, summarise, target
from experiments.classification.training import Job, Settings
from maze_gen.errors import InputError
from tests.experiments.classification.small import small_pictures

SETTINGS = Settings(steps=100, evaluations=4)


def write_result(out, job, accuracy, final, diverged=False):
    folder = job.folder(out)
    folder.mkdir(parents=True)
    steps = [25, 50, 75, 100][: len(accuracy)]
    result = {
        "steps": steps, "accuracy": accuracy, "seconds": [0.1 * step for step in steps],
        "final": final, "parameters": 7, "diverged": diverged,
    }  # fmt: skip
    settings = {name: getattr(SETTINGS, name) for name in SETTINGS.__dataclass_fields__}
    (folder / "result.json").write_text(json.dumps({"settings": settings, "result": result}))


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """BN best at .1, with finals .2 and .3; DKS best at .01, the grid's first, which reaches .25 after 60 steps."""
    monkeypatch.setitem(methods_module.RATES, "sgd", (0.01, 0.1, 1.0))
    for rate, final in ((0.01, 0.1), (0.1, 0.2), (1.0, 0.15)):
        write_result(tmp_path, Job(BN, rate, 0), [0.0, 0.1, 0.15, final], final)
    write_result(tmp_path, Job(BN, 0.1, 1), [0.1, 0.1, 0.15, 0.3], 0.3)
    write_result(tmp_path, Job(TANH, 0.01, 0), [0.1, 0.2, 0.3, 0.4], 0.4)
    write_result(tmp_path, Job(TANH, 0.1, 0), [0.0], 0.0, diverged=True)
    write_result(tmp_path, Job(TANH, 1.0, 0), [], 0.0, diverged=True)
    return Comparison((BN, TANH), SETTINGS, 2, tmp_path)


def test_jobs_come_method_by_method_and_each_once(finished):
    missing = Job(TANH, 0.01, 1)
    assert finished.next_job(set()) == missing
    assert finished.next_job({missing}) is None
    assert (finished.best(BN), finished.best(TANH)) == (0.1, 0.01)
    other = Comparison((Method("dks", "sigmoid"), *finished.methods), SETTINGS, 2, finished.out)
    assert other.next_job(set()) == Job(Method("dks", "sigmoid"), 0.01, 0)
    assert other.repeats(other.methods[0]) == []


def test_rows_and_steps_to_the_reference(finished):
    assert [row.method for row in summarise(finished)] == [BN]
    write_result(finished.out, Job(TANH, 0.01, 1), [0.1, 0.2, 0.2, 0.2], 0.4)
    bn, tanh = summarise(finished, {BN.key: 0.1, TANH.key: 0.2})
    assert (bn.mean, bn.edge, tanh.rate, tanh.edge) == (pytest.approx(0.25), False, 0.01, True)
    assert target([bn, tanh], tanh) is bn
    np.testing.assert_allclose(tanh.accuracy, [0.1, 0.2, 0.25, 0.3])
    np.testing.assert_allclose(bn.low, [0.0, 0.1, 0.15, 0.2])
    assert final_level(bn) == pytest.approx(0.25)
    # Half-way between 50 and 75 the mean curve has .225.
    assert reach(tanh, 0.225) == (pytest.approx(62.5), pytest.approx(12.5))
    assert reach(tanh, 0.05) == (pytest.approx(12.5), pytest.approx(2.5))
    assert reach(bn, 0.5) is None
    # The 95 % interval of .2 and .3 by Student's t with one degree of freedom.
    assert bn.interval == pytest.approx(12.71 * 0.05, rel=1e-3)
    text = markdown([bn, tanh], "Title", "0.005", "command", 1)
    assert "| plain DKS tanh, depth 50, sgd | 0.01 (edge) | 0.100 / 0.200 / 0.300 | 0.400 ± 0.000 | 75 (75%) | 15.0 |" in text
    assert "1 methods are not finished" in text


def test_optimisers_of_one_network_are_compared(finished):
    kfac = replace(TANH, optimizer="kfac")
    write_result(finished.out, Job(TANH, 0.01, 1), [0.1, 0.2, 0.2, 0.2], 0.4)
    for rate in methods_module.RATES["kfac"]:
        write_result(finished.out, Job(kfac, rate, 0), [0.2, 0.4, 0.4, 0.5], 0.5)
    write_result(finished.out, Job(kfac, methods_module.RATES["kfac"][0], 1), [0.2, 0.4, 0.4, 0.5], 0.5)
    comparison = replace(finished, methods=(BN, TANH, kfac))
    lines = optimizer_lines(summarise(comparison, {BN.key: 0.1, TANH.key: 0.1, kfac.key: 0.2}))
    # Half-way between 25 and 50 K-FAC has .3, SGD's last accuracy.
    assert lines == [
        "- plain DKS tanh, depth 50, to 0.300, the last accuracy of the better of SGD and Adam: "
        "sgd 100 steps, 10.0 CPU s; kfac 38 steps, 7.5 CPU s."
    ]


def test_the_whole_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(methods_module, "RATES", {"sgd": (0.003, 0.01)})
    for module in ("compare", "costs", "summary"):
        monkeypatch.setattr(f"experiments.classification.{module}.RATES", {"sgd": (0.003, 0.01)})
    monkeypatch.setattr(costs, "ROUNDS", 1)
    monkeypatch.setattr(pictures, "KERNEL_DEPTHS", (1, 2))
    monkeypatch.setattr(pictures, "WIDTH", 16)
    monkeypatch.setattr(pictures, "FRAMES", 10)
    out = tmp_path / "out"
    arguments = {"methods": ("bn", "dks"), "activations": ("tanh",), "depths": (20,), "seeds": 1, "steps": 2, "batch": 8}
    options = deep.DeepOptions(**arguments, frames=64, test_frames=20, workers=1, out=out)
    assert deep.deep(options, "the command")
    made = {path.name for path in out.iterdir()}
    assert made >= {"table.md", "table.json", "curves.png", "kernels.png", "features.png", "costs.json"}
    rows = json.loads((out / "table.json").read_text())["rows"]
    assert [row["title"] for row in rows] == ["ResNet BN relu, depth 20, sgd", "plain DKS tanh, depth 20, sgd"]
    before = (out / "table.md").read_text()
    # Nothing is left to be done, and nothing is trained again.
    assert deep.deep(options, "the command")
    assert (out / "table.md").read_text() == before
    capsys.readouterr()


def test_a_deadline_leaves_the_rest_for_later(tmp_path):
    options = deep.DeepOptions(minutes=0.0, methods=("dks",), depths=(20,), frames=64, test_frames=20, out=tmp_path)
    assert not deep.deep(options, "the command")
    assert not list(tmp_path.glob("*.md"))


def die(_):
    os._exit(9)


def test_a_killed_process_is_told_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "_work", die)
    options = deep.DeepOptions(methods=("dks",), depths=(20,), frames=64, test_frames=20, workers=1, out=tmp_path)
    with pytest.raises(InputError, match="process was killed"):
        deep.deep(options, "the command")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 0}, "--seeds 0"),
        ({"batch": 500, "frames": 64}, "--batch 500: there are 64"),
        ({"depths": (7,)}, "--depths 7"),
        ({"task": "nowhere"}, "nowhere"),
    ],
)
def test_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        deep.deep(deep.DeepOptions(out=tmp_path, minutes=0.0, test_frames=10, **changes), "the command")


def test_feature_cosines_tell_shaped_from_unshaped():
    few = small_pictures()
    shaped, q = pictures.feature_cosines(Method("dks", "tanh", 20), few)
    plain, q_plain = pictures.feature_cosines(Method("none", "tanh", 20), few)
    assert q > 10 * q_plain
    assert shaped.shape == plain.shape == (40 * 39 // 2,)

"""The whole command, small; and tables of results that are known."""

import json
import math
import os
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from experiments import deep, run_folder
from experiments.classification import compare, costs, pictures
from experiments.classification import methods as methods_module
from experiments.classification.compare import Comparison
from experiments.classification.methods import BN, TANH, Method
from experiments.classification.summary import final_level, markdown, optimizer_lines, reach, summarise, target
from experiments.classification.training import Job, Settings, read_result, train
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
        ({"minutes": math.nan}, "--minutes nan"),
        ({"minutes": -1.0}, "--minutes -1"),
        ({"steps": 10**12}, "--steps 1000000000000"),
        ({"workers": 10**6}, "--workers 1000000"),
        ({"frames": 10**15}, "--frames 1000000000000000"),
        ({"frames": 10**6, "workers": 1024}, "GB of memory"),
        ({"shortcuts": (math.nan,)}, "--shortcuts nan"),
        ({"shortcuts": (1.0,)}, "--shortcuts 1.0"),
        ({"activations": ("nothing",)}, "--activations nothing: activation 'nothing': expected one of"),
    ],
)
def test_refused(tmp_path, changes, message, capsys):
    with pytest.raises(InputError, match=message):
        deep.deep(deep.DeepOptions(out=tmp_path, **{"minutes": 0.0, "test_frames": 10, **changes}), "the command")
    # Nothing was begun that could be gone on with.
    assert "go on" not in capsys.readouterr().err
    assert not (tmp_path / "pictures.json").exists()


def test_a_folder_is_of_one_comparison_and_one_process(tmp_path):
    options = deep.DeepOptions(minutes=0.0, methods=("dks",), depths=(20,), frames=64, test_frames=20, out=tmp_path)
    deep.deep(options, "the command")
    deep.deep(options, "the command")
    for changes in ({"question": "heading"}, {"frames": 80}):
        with pytest.raises(InputError, match=r"its trainings are of other pictures .*choose another folder"):
            deep.deep(replace(options, **changes), "the command")
    with run_folder.alone(tmp_path), pytest.raises(InputError, match="another process is at work in this folder"):
        deep.deep(options, "the command")
    (tmp_path / "pictures.json").write_text("[")
    with pytest.raises(InputError, match=r"pictures\.json is not JSON"):
        deep.deep(options, "the command")
    with pytest.raises(InputError, match="cannot write"):
        deep.deep(replace(options, out=tmp_path / "pictures.json"), "the command")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("\xff", "not a text"),
        ("[]", "trained with None"),
        ('{"settings": 3}', "trained with 3"),
        ('{"settings": SETTINGS}', "its result is None"),
        ('{"settings": SETTINGS, "result": {"steps": "x"}}', "steps is 'x', expected a list"),
        ('{"settings": SETTINGS, "result": {"steps": [1], "accuracy": [], "seconds": [], "final": 0, "parameters": 1, '
         '"diverged": false}}', "1 steps, 0 accuracies"),
    ],
)  # fmt: skip
def test_a_damaged_result_is_named(tmp_path, text, message):
    settings = json.dumps({name: getattr(SETTINGS, name) for name in SETTINGS.__dataclass_fields__})
    (tmp_path / "result.json").write_bytes(text.replace("SETTINGS", settings).encode("latin-1"))
    with pytest.raises(InputError, match=message):
        read_result(tmp_path, SETTINGS)


def test_damaged_costs_are_measured_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(costs, "ROUNDS", 1)
    path = tmp_path / "costs.json"
    method = Method("none", "tanh", 20)
    for text in (b"\xff", b"[", b"[1]", b'{"none-tanh-w0-20-sgd": "x"}', b'{"none-tanh-w0-20-sgd": -1}'):
        path.write_bytes(text)
        found = costs.measured_costs(path, [method], small_pictures(), 4, lambda _: None)
        assert found == json.loads(path.read_text())
        assert found[method.key] > 0


def test_a_damaged_checkpoint_is_named(tmp_path):
    job = Job(Method("none", "tanh", 20), 0.01, 0)
    for content in (b"", b"PK", b"\x80\x04."):
        (tmp_path / "checkpoint.pt").write_bytes(content)
        with pytest.raises(InputError, match=r"checkpoint\.pt: damaged; remove it"):
            train(job, small_pictures(), SETTINGS, tmp_path)
    torch.save({"settings": asdict(SETTINGS), "network": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match=r"checkpoint\.pt: of another network"):
        train(job, small_pictures(), SETTINGS, tmp_path)


def test_feature_cosines_tell_shaped_from_unshaped():
    few = small_pictures()
    shaped, q = pictures.feature_cosines(Method("dks", "tanh", 20), few)
    plain, q_plain = pictures.feature_cosines(Method("none", "tanh", 20), few)
    assert q > 10 * q_plain
    assert shaped.shape == plain.shape == (40 * 39 // 2,)

"""Trainings that are stopped and go on, optimisers, and what is given up."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from experiments.classification.methods import PLAN, RATES, Method, product, reference_of
from experiments.classification.optimizers import Muon, accuracy_of, loss_of, schedule
from experiments.classification.training import CHECKPOINT, Job, Settings, evaluate, make_network, read_result, train
from maze_gen.errors import InputError
from tests.experiments.classification.small import small_pictures

SETTINGS = Settings(steps=6, batch=16, evaluations=3, glimpse=20)


class Stopper:
    """True from the given call on."""

    def __init__(self, calls):
        self.left = calls

    def __call__(self):
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "kfac", "muon"])
def test_a_stopped_training_ends_like_one_that_was_not(tmp_path, optimizer):
    torch.set_num_threads(1)
    job = Job(Method("dks", "tanh", 20, optimizer), RATES[optimizer][1], 0)
    pictures = small_pictures()
    whole = train(job, pictures, SETTINGS, tmp_path / "whole")
    assert train(job, pictures, SETTINGS, tmp_path / "parts", Stopper(4)) is None
    assert (tmp_path / "parts" / CHECKPOINT).exists()
    assert read_result(tmp_path / "parts", SETTINGS) is None
    parts = train(job, pictures, SETTINGS, tmp_path / "parts")
    assert whole is not None
    assert parts is not None
    assert (parts.steps, parts.accuracy, parts.final) == (whole.steps, whole.accuracy, whole.final)
    assert parts.steps == [2, 4, 6]
    assert not (tmp_path / "parts" / CHECKPOINT).exists()
    assert list((tmp_path / "parts").glob("events.out.tfevents.*"))
    # What is done isn't done again.
    assert train(job, pictures, SETTINGS, tmp_path / "whole", Stopper(0)) == whole


def test_other_settings_are_refused(tmp_path):
    job = Job(Method("none", "relu", 20), 0.003, 0)
    train(job, small_pictures(), Settings(steps=1, batch=8, evaluations=1), tmp_path)
    with pytest.raises(InputError, match="choose another --out"):
        read_result(tmp_path, SETTINGS)


def test_learns_and_gives_up(tmp_path):
    """A shaped network learns which quarter is brighter; at a hundred times the rate it is given up, not averaged away."""
    torch.set_num_threads(1)
    settings = Settings(steps=40, batch=32, evaluations=4)
    method = Method("dks", "tanh", 20)
    good = train(Job(method, 0.01, 0), small_pictures(), settings, tmp_path / "good")
    assert good is not None
    assert good.final > 0.7
    bad = train(Job(method, 3.0, 0), small_pictures(), settings, tmp_path / "bad")
    assert bad is not None
    assert (bad.diverged, bad.final) == (True, 0.0)
    assert json.loads((tmp_path / "bad" / "result.json").read_text())["job"]["rate"] == 3.0


def test_muon_steps_are_orthogonal():
    torch.manual_seed(0)
    middle = nn.Linear(8, 12)
    network = nn.Sequential(nn.Linear(16, 8), middle, nn.Linear(12, 12))
    before = middle.weight.detach().clone()
    optimizer = Muon(network, 0.5)
    network(torch.randn(30, 16)).square().sum().backward()
    optimizer.step()
    step = (middle.weight.detach() - before) / (0.5 * (12 / 8) ** 0.5)
    singular = torch.linalg.svdvals(step)
    assert singular.min() > 0.5
    assert singular.max() < 1.4


def test_losses_of_several_labels():
    logits, labels = torch.randn(5, 3 * 7), torch.randint(3, (5, 7))
    slow = np.mean(
        [[float(functional.cross_entropy(logits[n].view(3, 7)[:, p], labels[n, p])) for p in range(7)] for n in range(5)]
    )
    assert float(loss_of(logits, labels, 3)) == pytest.approx(slow, rel=1e-5)
    right = np.mean([[int(logits[n].view(3, 7)[:, p].argmax()) == int(labels[n, p]) for p in range(7)] for n in range(5)])
    assert accuracy_of(logits, labels, 3) == pytest.approx(right)


def test_kfac_with_several_labels(tmp_path):
    job = Job(Method("dks", "tanh", 20, "kfac"), 0.03, 0)
    assert train(job, small_pictures(labels=(3,)), Settings(steps=3, batch=8, evaluations=1), tmp_path) is not None


def test_schedule_is_a_cosine():
    assert [schedule(step, 100) for step in (0, 50, 100)] == pytest.approx([1, 0.5, 0])


def test_evaluation_uses_running_statistics():
    pictures = small_pictures()
    network = make_network(Method("bn", "relu", 20, shortcut=None), pictures, 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = evaluate(network, pictures, pictures.scale())
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    network.eval()
    inputs = torch.from_numpy(pictures.test).float().sub(pictures.scale()[0]).mul(pictures.scale()[1]).permute(0, 3, 1, 2)
    with torch.no_grad():
        assert found == pytest.approx(accuracy_of(network(inputs), torch.from_numpy(pictures.test_labels), 4))


def test_the_plan_and_its_references():
    assert len({method.key for method in PLAN}) == len(PLAN)
    for method in PLAN:
        reference = reference_of(method)
        assert reference in PLAN
        assert (reference.depth, reference.optimizer) == (method.depth, method.optimizer)
    assert all(len(grid) >= 4 and list(grid) == sorted(grid) for grid in RATES.values())


def test_products_and_what_is_refused():
    methods = product(("bn", "dks"), ("tanh", "sigmoid"), (20, 50), ("sgd",), (0.0, 0.5))
    assert len(methods) == 2 * (1 + 4)
    assert math.isclose(sum(method.shortcut or 0 for method in methods), 2.0)
    with pytest.raises(InputError, match="--depths 30"):
        product(("dks",), ("tanh",), (30,), ("sgd",), (0.0,))
    with pytest.raises(InputError, match="plain TAT relu, depth 20"):
        make_network(Method("tat", "relu", 20), small_pictures(), 0)

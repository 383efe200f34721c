"""Comparisons of the modules of auxiliary losses, or of mutants of them, with the reference."""

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from auxiliary.loss import AuxiliaryLoss, HeadContext
from tests.agents.worlds import counting_task
from tests.auxiliary import reference

F = 6
CONTEXT = HeadContext(counting_task().spec(), F, F)
"""Five cells, episodes of 15 steps."""
RANDOM = np.random.default_rng
Reference = Callable[[Any, Any, Any], reference.Loss]


def compare(head: AuxiliaryLoss, formula: Reference, rows: int, target: npt.NDArray) -> None:
    """Loss, metrics, and slopes along random directions of features and parameters, in double precision."""
    random = RANDOM(0)
    head.double()
    weights = {}
    for name, part in head.named_parameters():
        weights[name] = random.normal(size=tuple(part.shape)) * 0.5
        part.data = torch.from_numpy(weights[name].copy())
    features = random.normal(size=(rows, F))
    read = torch.from_numpy(features.copy()).requires_grad_()
    loss, sums = head.loss(read, torch.from_numpy(target))
    expected, metrics = formula(weights, features, target)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-10)
    assert head.metrics({name: float(value) for name, value in sums.items()}) == pytest.approx(metrics, rel=1e-10)
    assert not any(value.requires_grad for value in sums.values())
    loss.backward()
    assert (read.grad is None) == head.detached
    gradients = {name: part.grad for name, part in head.named_parameters()}
    arrays = dict(weights)
    if read.grad is not None:
        gradients["features"], arrays["features"] = read.grad, features
    for name, array in arrays.items():
        direction, step = random.normal(size=array.shape), 1e-6
        array += step * direction
        above = formula(weights, features, target)[0]
        array -= 2 * step * direction
        below = formula(weights, features, target)[0]
        array += step * direction
        gradient = gradients[name]
        assert gradient is not None, name
        assert float((gradient.numpy() * direction).sum()) == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-8)


def check_depth_classes(module: Any) -> None:
    target = RANDOM(1).integers(8, size=(4, 64)).astype(np.uint8)
    compare(module.DepthLoss(F, "core"), reference.depth_classes, 4, target)


def check_depth_regression(module: Any) -> None:
    compare(module.DepthRegressionLoss(F, "core", 42), reference.depth_regression, 4, RANDOM(1).random((4, 128)))


def check_loop_closure(module: Any) -> None:
    compare(module.LoopClosureLoss(CONTEXT), reference.loop_closure, 12, np.resize(np.array([0, 1, 1], np.uint8), 12))


def check_reward_prediction(module: Any) -> None:
    compare(module.RewardPredictionLoss(CONTEXT), reference.reward_prediction, 15, np.array([0, 1, 2, 1, 0]))


def check_position(module: Any) -> None:
    compare(module.PositionLoss(CONTEXT), reference.position, 7, np.array([0, 1, 2, 3, 4, 2, 2]))
    compare(module.OwnCellLoss(CONTEXT), reference.position, 7, np.array([0, 1, 2, 3, 4, 2, 2]))
    for kind, expected in ((module.PositionLoss, False), (module.OwnCellLoss, True)):
        features = torch.randn(4, F, requires_grad=True)
        kind(CONTEXT).loss(features, torch.tensor([0, 1, 2, 3]))[0].backward()
        assert (features.grad is not None) == expected


def _recorded(recorder: Any, worlds: Any, num_envs: int, starts: npt.ArrayLike = False) -> torch.Tensor:
    out = torch.zeros(num_envs, *recorder.shape, dtype=recorder.dtype)
    recorder.record(worlds, torch.from_numpy(np.broadcast_to(starts, num_envs).copy()), out)
    return out


def check_depth_labels(module: Any) -> None:
    """Distances from the near plane on, to beyond the far one, and the edges themselves, which belong to the farther class."""
    distance = np.geomspace(4, 1500, 3 * 64).astype(np.float32)
    worlds = SimpleNamespace(observation={"depth_target": torch.from_numpy(distance).view(3, 4, 16)})
    made = _recorded(module.DepthLoss(F, "core").recorder(3), worlds, 3)
    assert made.flatten().tolist() == [reference.depth_class(float(value)) for value in distance]
    edges = torch.from_numpy(np.resize(module.distance_edges(), 64))
    made = _recorded(module.ClassRecorder(), SimpleNamespace(observation={"depth_target": edges.view(1, 4, 16)}), 1)
    assert made[0, :7].tolist() == [1, 2, 3, 4, 5, 6, 7]


def check_depth_values(module: Any) -> None:
    for size in (42, 84):
        depth = RANDOM(size).integers(256, size=(2, size, size)).astype(np.uint8)
        recorder = module.DepthRegressionLoss(F, "core", size).recorder(2)
        made = _recorded(recorder, SimpleNamespace(observation={"depth": torch.from_numpy(depth)}), 2)
        for row in range(2):
            np.testing.assert_allclose(made[row].numpy(), reference.depth_values(depth[row]), rtol=1e-6)


def random_path(random: np.random.Generator, steps: int) -> npt.NDArray[np.float32]:
    """A walk with momentum in a box of 5 x 10 cells, with a few teleports, as respawns are. [steps, 2] in units."""
    position, velocity, path = random.uniform(0, 500, 2), np.zeros(2), []
    for _ in range(steps):
        velocity = 0.9 * velocity + random.normal(size=2) * 12
        position = np.clip(position + velocity, 0, [1000, 500])
        if random.random() < 0.01:
            position = random.uniform(0, 1, 2) * [1000, 500]
        path.append(position)
    return np.array(path, np.float32)


def _check_loop_labels(module: Any, masked: bool) -> None:
    """Two rows on the same path, of which the second one starts a new episode on its way."""
    steps, second = 150, 70
    path = random_path(RANDOM(7), steps)
    head = module.LoopClosureLoss(CONTEXT)
    head.episode_steps = steps
    recorder = head.recorder(2, masked=masked)
    made = []
    for t in range(steps):
        worlds = SimpleNamespace(privileged={"position": torch.from_numpy(np.stack((path[t], path[t])))})
        made.append(_recorded(recorder, worlds, 2, [t == 0, t in (0, second)]).tolist())
    rows = np.array(made).T.tolist()
    assert rows[0] == reference.loop_labels(path)
    assert rows[1] == reference.loop_labels(path[:second]) + reference.loop_labels(path[second:])
    assert 0.1 < np.mean(rows[1]) < np.mean(rows[0]) < 0.9


def check_loop_labels(module: Any) -> None:
    _check_loop_labels(module, masked=False)


def check_masked_loop_labels(module: Any) -> None:
    _check_loop_labels(module, masked=True)


def check_windows(module: Any) -> None:
    """Pictures that show their row and time: every window there is comes up, in its order, with its label, and half are paid."""
    T, N = 14, 3
    random = RANDOM(3)
    reward = np.where(random.random((T, N)) < 0.25, random.normal(size=(T, N)), 0).astype(np.float32)
    starts = random.random((T, N)) < 0.12
    labels = reference.reward_windows(reward.astype(np.float64), starts)
    paid = {window for window, label in labels.items() if label}
    images = torch.zeros(T, N, 2, 2, 3, dtype=torch.uint8)
    images[..., 0] = torch.arange(N).view(1, N, 1, 1)
    images[..., 1] = torch.arange(T).view(T, 1, 1, 1)
    memory = module.RewardPredictionLoss(CONTEXT).memory(N)
    memory.add(images, torch.from_numpy(reward), torch.from_numpy(starts))
    drawn: Counter = Counter()
    for _ in range(60):
        pictures, classes = memory.draw(torch.from_numpy(random.random(memory.draws, dtype=np.float32)))
        for window, label in zip(pictures.view(-1, 3, 2, 2, 3), classes.tolist(), strict=True):
            n, t = int(window[2, 0, 0, 0]), int(window[2, 0, 0, 1])
            assert window[:, 0, 0, 0].tolist() == [n] * 3
            assert window[:, 0, 0, 1].tolist() == [t - 2, t - 1, t]
            assert label == labels.get((n, t))
            drawn[n, t] += 1
    assert set(drawn) == set(labels)
    assert {1, 2} <= set(labels.values())
    # Each as likely as the others of its kind.
    for kind in (paid, set(labels) - paid):
        counts = np.array([drawn[window] for window in kind])
        assert counts.sum() == sum(drawn.values()) / 2
        assert counts.min() > counts.mean() / 3
        assert counts.max() < counts.mean() * 2


def check_cells(module: Any) -> None:
    worlds = SimpleNamespace(privileged={"cell": torch.tensor([3, 0]), "goal_cell": torch.tensor([4, 4])})
    assert _recorded(module.PositionLoss(CONTEXT).recorder(2), worlds, 2).tolist() == [3, 0]

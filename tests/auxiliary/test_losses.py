"""Every auxiliary loss and its labels against slow NumPy versions, and errors in them that the comparison must notice."""

import pytest

from auxiliary import depth, loop_closure, position, reward_prediction
from tests.auxiliary import checks
from tests.mutants import Mutant, assert_caught, by_name

CHECKS = {
    "depth classes": (depth, checks.check_depth_classes),
    "depth regression": (depth, checks.check_depth_regression),
    "depth labels": (depth, checks.check_depth_labels),
    "depth values": (depth, checks.check_depth_values),
    "loop closure": (loop_closure, checks.check_loop_closure),
    "loop labels": (loop_closure, checks.check_loop_labels),
    "masked loop labels": (loop_closure, checks.check_masked_loop_labels),
    "reward prediction": (reward_prediction, checks.check_reward_prediction),
    "reward windows": (reward_prediction, checks.check_windows),
    "position": (position, checks.check_position),
    "cells": (position, checks.check_cells),
}


@pytest.mark.parametrize("name", CHECKS)
def test_it_is_the_formulas(name):
    module, check = CHECKS[name]
    check(module)


MEAN_OF_PIXELS = "functional.cross_entropy(logits, classes)"
HALVES = "_draw(before, others, uniforms[:half])"

TABLE = {
    "depth classes": (
        ("a sum over pixels", MEAN_OF_PIXELS, 'functional.cross_entropy(logits, classes, reduction="sum")'),
        ("labels are shifted", "classes = target.long()", "classes = (target.long() + 1) % CLASSES"),
        ("classes and pixels are confused", "view(-1, CLASSES, PIXELS)", "view(-1, PIXELS, CLASSES).transpose(1, 2)"),
        ("no rectifier", "functional.relu(self.hidden(features))).view", "self.hidden(features)).view"),
        ("the accuracy counts the least likely", ">= logits.amax(", "<= logits.amin("),
    ),
    "depth regression": (
        ("an absolute error", "functional.mse_loss(", "functional.l1_loss("),
        ("no gradient", "functional.mse_loss(values, target)", "functional.mse_loss(values, target).detach() + 0 * values.sum()"),
        ("variance that isn't explained", '1 - ratio(sums["error"], sums["spread"])', 'ratio(sums["error"], sums["spread"])'),
    ),
    "depth labels": (
        ("an edge belongs to the nearer class", "out_int32=True, right=True", "out_int32=True, right=False"),
        ("another power", "POWER = 10.0", "POWER = 9.0"),
        ("another near plane", "NEAR, FAR = 4.0", "NEAR, FAR = 5.0"),
    ),
    "depth values": (
        ("rows and columns are confused", "rows[:, None] * size + cols", "rows[:, None] + cols * size"),
        ("tiles are read at their corners", "np.arange(COLS) + 0.5", "np.arange(COLS)"),
        ("nothing is cropped", "height, width = size - 2 * (16 * size // 84)", "height, width = size - (16 * size // 84)"),
    ),
    "loop closure": (
        ("the odds are reversed", "logits[:, 1] - logits[:, 0]", "logits[:, 0] - logits[:, 1]"),
        ("labels are reversed", "actual = target.to(odds.dtype)", "actual = 1 - target.to(odds.dtype)"),
        (
            "precision is recall",
            '"precision": ratio(sums["true_positives"], sums["predicted"])',
            '"precision": ratio(sums["true_positives"], sums["actual"])',
        ),
    ),
    "loop labels": (
        ("near and far are confused", "excursion = squared > far * far", "excursion = squared > near * near"),
        ("whatever is far closes", "elif squared <= near * near", "elif squared >= near * near"),
        ("episodes are one", "self.length[starts] = 0", "self.length[starts] += 0"),
        ("another far distance", "FAR_CELLS = 2.0", "FAR_CELLS = 1.8"),
    ),
    "masked loop labels": (
        ("what comes after the excursion closes", "(self.times < last_away)", "(self.times > last_away)"),
        (
            "the first excursion counts",
            "torch.where(away, self.times, self.never).amax",
            "torch.where(away, self.times, 999).amin",
        ),
        ("episodes are one", "self.length.masked_fill_(starts.unsqueeze(1), 0)", "starts.unsqueeze(1)"),
    ),
    "reward prediction": (
        ("labels are shifted", "cross_entropy(logits, target)", "cross_entropy(logits, (target + 1) % 3)"),
        (
            "pictures of one window are those of all",
            "features.reshape(-1, ",
            "features.reshape(FRAMES, -1, features.shape[1]).transpose(0, 1).reshape(-1, ",
        ),
    ),
    "reward windows": (
        ("the pictures of a step earlier", "torch.arange(1 - FRAMES, 1,", "torch.arange(-FRAMES, 0,"),
        ("the reward of the step before", "self.reward.flatten()[chosen]", "self.reward.flatten()[chosen - N]"),
        ("above is below zero", "(reward > 0) * POSITIVE + (reward < 0)", "(reward < 0) * POSITIVE + (reward > 0)"),
        ("windows end at starts", "ends = ~starts", "ends = torch.ones_like(starts)"),
        ("windows cross starts", "range(1, FRAMES - 1)", "range(1, 1)"),
        ("few windows are paid", HALVES, "_draw(others, before, uniforms[:half])"),
        ("the first windows are preferred", "(uniforms.double() * counts[-1])", "(uniforms.double() ** 3 * counts[-1])"),
    ),
    "position": (
        ("the agent is changed", "features.detach()", "features"),
        ("cells are shifted", "cross_entropy(logits, target)", "cross_entropy(logits.roll(1, 1), target)"),
        ("the accuracy counts the least likely", "logits.argmax(1)", "logits.argmin(1)"),
    ),
    "cells": (("the goal's cell", 'privileged["cell"]', 'privileged["goal_cell"]'),),
}
MUTANTS = by_name(
    [
        Mutant(f"{what}: {name}", CHECKS[what][0], old, new, CHECKS[what][1])
        for what, rows in TABLE.items()
        for name, old, new in rows
    ]
)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)

"""A training that is stopped and resumed ends, bit for bit, as one that goes straight on (serial mode, a budget in frames)."""

import dataclasses
from collections.abc import Callable

import pytest
import torch

from agents.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from agents.config import AGENTS, PRESETS
from agents.runtime.worker import Report
from agents.trainer import Budget, Callback, Trainer, Training
from env.registry import make_task
from maze_gen.errors import InputError

SHORT = dataclasses.replace(PRESETS["fast"], num_envs=4, unroll_length=20, precision="float32")
FRAMES = 2 * 12 * 4 * 20 * 4
"""Twelve rounds of each of two workers: rows end episodes of 30 steps at different times."""


class Tape(Callback):
    """Keeps what the workers report."""

    def __init__(self) -> None:
        self.reports: list[tuple] = []

    def report(self, trainer: Trainer, report: Report) -> None:
        figures = sorted(report.metrics.means.items()), [dataclasses.astuple(episode) for episode in report.episodes]
        self.reports.append((report.worker, report.steps, *figures))


def training(agent: str, earlier: Checkpoint | None = None, **changes) -> Training:
    task = dataclasses.replace(make_task("random-goal-small", observation_size=42), episode_seconds=2)
    config = dataclasses.replace(SHORT, **changes)
    return Training(agent, AGENTS[agent], config, "fast", task, "embedded", 5, 2, serial=True, earlier=earlier)


def after(rounds: int, tape: Tape) -> Callable[[], bool]:
    return lambda: len(tape.reports) >= rounds


@pytest.mark.parametrize(
    ("agent", "changes"),
    [
        ("nav-d1d2l", {}),
        ("nav-rd2", {"objective": "actor-critic", "optimizer": "rmsprop"}),
        ("ff", {}),
        # With a slot, an odometer and places, slow units, a privileged critic, and pairs of steps that are drawn.
        ("nav-mhv", {"slow_units": 0.5, "critic_sees": ("goal_distance",)}),
        # With places and votes for the goal.
        ("nav-v", {}),
    ],
)
def test_it_goes_on_where_it_was(agent, changes, tmp_path):
    straight = Tape()
    whole = Trainer(training(agent, **changes), Budget(frames=FRAMES), [straight])
    whole.train()
    halves = Tape()
    first = Trainer(training(agent, **changes), Budget(frames=FRAMES), [halves])
    # Not a multiple of the workers: the turn is saved too.
    first.train(after(11, halves))
    save_checkpoint(tmp_path / "a", first.checkpoint(with_workers=True))
    earlier = load_checkpoint(tmp_path / "a")
    assert set(earlier.workers) == {0, 1}
    second = Trainer(training(agent, earlier, **changes), Budget(frames=FRAMES), [halves])
    second.train()
    assert len(straight.reports) == len(halves.reports) == 24
    assert sum(len(report[3]) for report in straight.reports) > 10
    assert halves.reports == straight.reports
    expected, got = whole.checkpoint(), second.checkpoint()
    assert got.frames == expected.frames
    for group in ("parameters", "statistics"):
        mine, theirs = getattr(got, group), getattr(expected, group)
        assert all(torch.equal(part, theirs[name]) for name, part in mine.items())


def test_other_worlds_begin_their_next_episodes(tmp_path):
    tape = Tape()
    first = Trainer(training("ff"), Budget(frames=FRAMES), [tape])
    first.train(after(3, tape))
    save_checkpoint(tmp_path / "a", first.checkpoint(with_workers=True))
    earlier = load_checkpoint(tmp_path / "a")
    second = Trainer(training("ff", earlier, num_envs=6), Budget(frames=FRAMES))
    second.train()
    assert second.checkpoint().frames >= FRAMES


def test_a_state_of_another_agent_is_refused(tmp_path):
    tape = Tape()
    first = Trainer(training("nav"), Budget(frames=FRAMES), [tape])
    first.train(after(2, tape))
    earlier = first.checkpoint(with_workers=True)
    broken = {
        index: {name: part for name, part in state.items() if "core 0" not in name} for index, state in earlier.workers.items()
    }
    trainer = Trainer(training("nav", dataclasses.replace(earlier, workers=broken)), Budget(frames=FRAMES))
    with pytest.raises(InputError, match=r"state 'core 0' is missing"):
        trainer.train()

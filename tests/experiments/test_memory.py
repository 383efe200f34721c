"""Erasing the state: when it happens, what it leaves, and what the worth of memory makes of two playbacks."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from agents.checkpoint import Checkpoint, load_checkpoint
from env.backends import make_batch
from env.batch import BatchEnv
from experiments import evaluate as command
from experiments.analysis.activations import ActivationProbe
from experiments.analysis.evaluation import evaluate, has_state
from experiments.analysis.memory import ErasedAgent, Erasure, erased_agent, memory_worth, parse_erasure
from experiments.analysis.playback import Playback, acting, to_numpy
from experiments.analysis.recorder import record
from experiments.analysis.trajectories import Trajectories
from experiments.policies import AgentPlayer, player_of
from maze_gen.errors import InputError
from tests.experiments.synthetic import ring_task, trajectories_of, untrained


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load_checkpoint(untrained(tmp_path_factory.mktemp("memory") / "agent.safetensors", "lstm", ring_task(4)))


@pytest.mark.parametrize(("text", "erasure"), [("respawn", "respawn"), ("always", "always"), ("1", 1), ("50", 50)])
def test_when_to_erase(text: str, erasure: Erasure) -> None:
    assert parse_erasure(text) == erasure


@pytest.mark.parametrize("text", ["", "0", "-3", "1.5", "never", "respawns"])
def test_nothing_else_is_a_time_to_erase(text: str) -> None:
    with pytest.raises(InputError, match=r"--erase .*: expected respawn, always, or a number of steps"):
        parse_erasure(text)


def erased_steps(checkpoint: Checkpoint, erasure: Erasure, steps: int) -> tuple[npt.NDArray, npt.NDArray]:
    """([T, N] whether the state was erased before each step, [T, N] respawns of the step before)."""
    policy = ErasedAgent(checkpoint, 3, erasure)
    erased, respawns = np.zeros((steps, 3), dtype=bool), np.zeros((steps, 3), dtype=bool)
    inner = policy.policy.erase_state

    def note(rows: npt.NDArray[np.bool_]) -> None:
        erased[policy._step] = rows
        inner(rows)
        state = policy.policy.state[0]
        assert not state[torch.from_numpy(rows)].any()
        assert state[torch.from_numpy(~rows)].any() or rows.all()

    policy.policy.erase_state = note  # type: ignore[method-assign]
    with make_batch(checkpoint.task, 3, observe=policy.observe) as env:
        for step, actions in acting(env, policy, 5, np.arange(3), steps):
            env.step(actions)
            if step + 1 < steps:
                respawns[step + 1] = to_numpy(env.outcome.statistics["respawns"]) > 0
    return erased, respawns


def test_every_nth_step_and_every_step(checkpoint: Checkpoint) -> None:
    assert np.flatnonzero(erased_steps(checkpoint, 4, 10)[0].all(axis=1)).tolist() == [4, 8]
    assert np.flatnonzero(erased_steps(checkpoint, "always", 4)[0].any(axis=1)).tolist() == [1, 2, 3]


def test_erasing_at_respawns_and_only_there(checkpoint: Checkpoint) -> None:
    erased, respawns = erased_steps(checkpoint, "respawn", 60)
    assert respawns.any()
    np.testing.assert_array_equal(erased, respawns)


class Stateless(AgentPlayer):
    """An agent that begins every step with an initial state."""

    def act(self, env: BatchEnv, uniforms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        self.policy.state = self.policy.model.network.initial_state(env.num_envs)
        return super().act(env, uniforms)


def test_always_is_an_agent_without_memory(checkpoint: Checkpoint) -> None:
    playback = Playback(checkpoint.task, 3, seed=2, threads=1)
    # Activations are compared: actions of an untrained agent hardly depend on its state.
    policies = erased_agent(checkpoint, "always"), lambda rows: Stateless(checkpoint, rows), player_of(checkpoint)
    found, expected, as_is = (record(playback, make, probe=ActivationProbe()).layers["LSTM"] for make in policies)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found[:, 0], as_is[:, 0])
    assert (found[:, 1:] != as_is[:, 1:]).any(axis=(1, 2)).all()


def with_returns(goals: list[list[int]]) -> Trajectories:
    return trajectories_of(np.zeros((len(goals), 60), dtype=int), ring_task(), _goal_array(goals))


def _goal_array(goals: list[list[int]]) -> npt.NDArray[np.int64]:
    found = np.zeros((len(goals), 60), dtype=np.int64)
    for episode, steps in enumerate(goals):
        found[episode, steps] = 1
    return found


def test_the_worth_of_memory_is_paired_by_episode() -> None:
    """Episodes differ by far more than the two playbacks do: unpaired, the interval would cover 0."""
    as_is = with_returns([list(range(k + 1)) for k in range(20)])
    erased = with_returns([list(range(k)) for k in range(20)])
    worth = memory_worth(as_is, erased)
    assert (worth.returns.value, worth.returns.low, worth.returns.high) == (10, 10, 10)
    assert (worth.goals.value, worth.goals.low, worth.goals.high) == (1, 1, 1)
    assert memory_worth(erased, as_is).returns.value == -10


def test_an_agent_that_loses_nothing_has_a_worth_of_about_zero() -> None:
    random = np.random.default_rng(3)
    one, other = (with_returns([sorted(random.choice(60, random.integers(9), replace=False)) for _ in range(40)]) for _ in "ab")
    worth = memory_worth(one, other).returns
    assert worth.low < 0 < worth.high
    assert memory_worth(one, one).returns.value == 0


def test_evaluations_measure_it_where_there_is_a_state(checkpoint: Checkpoint, tmp_path: Path) -> None:
    playback = Playback(checkpoint.task, 2, threads=1)
    found = evaluate(checkpoint, playback, baselines=False).results[0]
    assert found.memory_worth is not None
    assert found.as_json()["memory_worth"]["low"] <= found.as_json()["memory_worth"]["mean"]
    feedforward = load_checkpoint(untrained(tmp_path / "ff.safetensors", "ff", checkpoint.task))
    assert not has_state(feedforward)
    assert evaluate(feedforward, playback, baselines=False).results[0].memory_worth is None
    erased = evaluate(checkpoint, playback, baselines=False, erase="respawn").results[0]
    assert erased.memory_worth is None
    difference = found.returns.mean() - erased.returns.mean()
    assert found.memory_worth.returns.value == pytest.approx(difference)


def test_the_command_says_what_it_can_not_erase(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, complaint in (
        (["--checkpoint", "a", "--erase", "never"], "--erase never: expected respawn"),
        (["--compare", "a", "b", "--erase", "5"], "--erase 5 and --compare exclude each other"),
    ):
        monkeypatch.setattr("sys.argv", ["evaluate", *arguments])
        assert command.main() == 2
        assert complaint in capsys.readouterr().err

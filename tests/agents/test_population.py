"""Populations: whose parameters a worker reads and changes, who is replaced by whom, and that trainings repeat and go on."""

import dataclasses
from pathlib import Path

import pytest
import torch

from agents.averaging import AVERAGED, AveragedWeights
from agents.checkpoint import CHECKPOINT, Checkpoint, load_checkpoint, save_checkpoint
from agents.config import AGENTS, PRESETS
from agents.learning.population_store import STEPS, PopulationStore
from agents.population import Evolution
from agents.runtime.runtime import make_population
from agents.trainer import Budget, Callback, Trainer, Training
from env.painting.registry import make_painting
from experiments.painting.evaluation import evaluate_painter
from maze_gen.errors import InputError

M = 3
CONFIG = dataclasses.replace(
    PRESETS["painter"], num_envs=8, minibatches=2, epochs=1, population=M, precision="float32", final_learning_rate_fraction=1.0
)
TASK = make_painting("doodle-digits")
AGENT = AGENTS["painter-canvas"]
ROUND = 8 * CONFIG.num_envs


def training(earlier: Checkpoint | None = None, workers: int = M, serial: bool = True, agent: str = "painter-canvas") -> Training:
    row, task = AGENTS[agent], TASK if agent == "painter-canvas" else make_painting("redraw-digits")
    return Training(agent, row, CONFIG, "painter", task, "embedded", 1, workers, serial=serial, earlier=earlier)


@pytest.fixture
def store() -> PopulationStore:
    return make_population(AGENT, TASK.spec(), CONFIG, 1)


def of_trainer(trainer: Trainer) -> PopulationStore:
    assert isinstance(trainer.store, PopulationStore)
    return trainer.store


def test_a_worker_reads_and_changes_its_member_and_the_discriminator_alone(store):
    agent, size = store.agent_size, len(store.parameters)
    store.statistics["learning_rate"][:] = torch.tensor([1e-3, 2e-3, 4e-3])
    before, judge = store.statistics["members"].clone(), store.parameters[agent:].clone()
    assert not torch.equal(before[0], before[1])
    # Worker 4 of three members is the second one's.
    mine = store.of_worker(4)
    mine.push(torch.full((size,), 1e-3))
    after = store.statistics["members"]
    assert torch.equal(after[0], before[0])
    assert torch.equal(after[2], before[2])
    # Adam's first step is the learning rate, whatever the gradient's size is.
    torch.testing.assert_close(before[1] - after[1], torch.full((agent,), 2e-3), rtol=0.02, atol=0)
    change = judge - store.parameters[agent:]
    torch.testing.assert_close(change, torch.full_like(change, CONFIG.decoder_learning_rate), rtol=0.02, atol=1e-8)
    pulled = torch.empty(size)
    mine.pull(pulled)
    assert torch.equal(pulled, torch.cat((after[1], store.parameters[agent:])))
    store.statistics["entropy_cost"][1] = 0.5
    assert (mine.tuned(CONFIG).entropy_cost, store.of_worker(0).tuned(CONFIG).entropy_cost) == (0.5, CONFIG.entropy_cost)
    assert store.updates == 1


def test_the_first_member_is_the_agent_of_a_training_without_others(store):
    alone = Trainer(dataclasses.replace(training(), config=dataclasses.replace(CONFIG, population=1)), Budget(frames=1))
    assert torch.equal(store.statistics["members"][0], alone.store.parameters[: store.agent_size])
    for name in ("learning_rate", "entropy_cost"):
        values = store.statistics[name].tolist()
        assert values[0] == getattr(CONFIG, name)
        assert len(set(values)) == M
        assert all(0.5 <= value / values[0] <= 2 for value in values)


@pytest.mark.parametrize(
    ("scores", "entropies", "best", "replaced"),
    [
        ([-1, -3, -2], [8, 8, 8], 0, [1]),
        ([-1, -3, -0.5], [8, 8, 8], 2, [1]),
        # Collapsed members are replaced whatever their score is.
        ([-1, 5, -2], [8, 0.5, 8], 0, [1]),
        ([-1, 5, 6], [8, 0.5, 0.1], 0, [1, 2]),
        # Nobody is left to copy.
        ([1, 2, 3], [0.1, 0.1, 0.1], None, []),
    ],
)
def test_who_is_replaced_by_whom(store, scores, entropies, best, replaced):
    for index in range(M):
        for offset in (-0.1, 0.1):
            store.score(index, scores[index] + offset, entropies[index])
    for number, optimizer in enumerate(store._optimizers):
        optimizer.statistics["mean"].fill_(number + 1)
    before = {name: part.clone() for name, part in store.statistics.items()}
    assert store.evolve() == [(index, best) for index in replaced]
    after = store.statistics
    for index in range(M):
        source = best if index in replaced else index
        assert torch.equal(after["members"][index], before["members"][source])
        assert float(after[f"member {index} mean"][0]) == source + 1
        assert int(after["generation"][index]) == (index in replaced)
        for name in ("learning_rate", "entropy_cost"):
            factor = float(after[name][index] / before[name][source])
            assert min(abs(factor - step) for step in (STEPS if index in replaced else (1.0,))) < 1e-9
    assert float(after["reports"].sum()) == 0
    if best is not None:
        parameters, _ = store.snapshot()
        assert torch.equal(parameters[: store.agent_size], after["members"][best])


class Stop(Callback):
    def __init__(self, reports: int) -> None:
        self.left = reports

    def report(self, trainer, report) -> None:
        self.left -= 1


def run(folder: Path, frames: int, earlier: Checkpoint | None = None, reports: int = 10**6) -> Trainer:
    """Members are compared after eight updates of each: twice in twelve rounds."""
    stop = Stop(reports)
    trainer = Trainer(training(earlier), Budget(frames=frames), [Evolution(8), stop, AveragedWeights(folder / AVERAGED, 10)])
    trainer.train(lambda: stop.left <= 0)
    return trainer


def test_trainings_repeat_and_go_on_where_they_were(tmp_path):
    frames = 12 * M * ROUND
    whole = run(tmp_path / "whole", frames).checkpoint()
    assert int(whole.statistics["evolutions"]) == 3
    assert int(whole.statistics["generation"].sum()) >= 3
    assert torch.equal(run(tmp_path / "again", frames).checkpoint().statistics["members"], whole.statistics["members"])
    first = run(tmp_path / "halves", frames, reports=17)
    path = tmp_path / "halves" / CHECKPOINT
    save_checkpoint(path, first.checkpoint(with_workers=True))
    second = run(tmp_path / "halves", frames, load_checkpoint(path)).checkpoint()
    for group in ("parameters", "statistics"):
        mine, theirs = getattr(second, group), getattr(whole, group)
        assert set(mine) == set(theirs)
        assert all(torch.equal(part, theirs[name]) for name, part in mine.items())
    # The means, too, but for rounding: a mean is taken once more where the training was stopped.
    means = [load_checkpoint(tmp_path / name / AVERAGED).statistics["members"] for name in ("whole", "halves")]
    torch.testing.assert_close(means[1], means[0], rtol=1e-3, atol=1e-5)


def test_members_are_kept_averaged_and_evaluated_side_by_side(tmp_path):
    trainer = run(tmp_path, 3 * M * ROUND)
    save_checkpoint(tmp_path / CHECKPOINT, trainer.checkpoint())
    for name in (CHECKPOINT, AVERAGED):
        found = load_checkpoint(tmp_path / name)
        members = found.members
        assert len(members) == M
        best = int(trainer.checkpoint().statistics["best"])
        assert all(torch.equal(part, members[best].parameters[name]) for name, part in found.parameters.items())
        assert not torch.equal(members[0].parameters["network.value.weight"], members[1].parameters["network.value.weight"])
    rows = evaluate_painter(load_checkpoint(tmp_path / AVERAGED), 40, 1)
    assert list(rows.rows)[: M + 1] == ["painter-canvas", "member 1", "member 2", "member 3"]
    assert rows.rows[f"member {best + 1}"] == rows.rows["painter-canvas"]
    assert len(rows.members) == M
    with pytest.raises(InputError, match="lacks the optimiser"):
        Trainer(training(load_checkpoint(tmp_path / AVERAGED)), Budget(frames=1))


def test_the_mean_of_a_member_that_was_replaced_begins_anew(tmp_path):
    trainer = Trainer(training(), Budget(frames=1))
    store, averaged = of_trainer(trainer), AveragedWeights(tmp_path / AVERAGED, 10)
    averaged.start(trainer)
    store.statistics["updates"] += 5 * M
    store.statistics["members"] += 1
    store.statistics["generation"][1] += 1
    before = store.statistics["members"].clone()
    averaged.tick(trainer)
    means = averaged.averaged(trainer.checkpoint()).statistics["members"]
    assert torch.equal(means[1], before[1])
    torch.testing.assert_close(means[0], before[0] - 0.9**5, rtol=1e-5, atol=1e-6)


def test_members_learn_in_processes_of_their_own():
    trainer = Trainer(training(serial=False), Budget(minutes=2), [Evolution(10**6)])
    before, store = of_trainer(trainer).statistics["members"].clone(), of_trainer(trainer)
    # Processes begin at different times.
    trainer.train(lambda: bool((store.statistics["reports"] > 0).all()))
    assert ((store.statistics["members"] - before).abs().sum(1) > 0).all()
    assert (store.statistics["reports"] > 0).all()
    assert {"population/score 1", "population/learning_rate 3", "population/generation 2"} <= set(trainer.figures())


def test_what_no_population_can_be_made_of():
    with pytest.raises(InputError, match="expected 3 workers or more, one for each member, not 2"):
        Trainer(training(workers=2), Budget(frames=1))
    with pytest.raises(InputError, match="its members share a discriminator"):
        Trainer(training(agent="painter"), Budget(frames=1))
    with pytest.raises(InputError, match="population 0: expected a whole number"):
        dataclasses.replace(CONFIG, population=0)

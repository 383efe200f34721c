"""The discriminator: its norm, the sums of what it pays, its masks, and that it learns to tell canvases from pictures."""

import dataclasses

import numpy as np
import pytest
import torch

from agents.actor import Actor, ActorSettings
from agents.config import AGENTS, PRESETS, TrainConfig
from agents.learning.discriminator import CREDITS, Discriminator, DiscriminatorReward, halves, largest_singular_value
from agents.learning.learner import Learner
from agents.learning.parameter_store import ParameterStore
from agents.model import AgentModel, FlatParameters
from agents.rng import NumpyStream
from agents.rollout import Rollout
from env.backends import make_batch
from env.painting.registry import make_painting
from env.registry import make_task
from maze_gen.errors import InputError

CONFIG = dataclasses.replace(PRESETS["painter"], num_envs=12, precision="float32")
REDRAW, DOODLE = make_painting("redraw-digits"), make_painting("doodle-digits")
KINDS = {"painter-canvas": DOODLE, "painter-target": REDRAW, "painter-complement": REDRAW}


def stream(seed: int) -> NumpyStream:
    return NumpyStream(np.random.SeedSequence(seed))


def acted(name: str, config: TrainConfig = CONFIG, rollouts: int = 1) -> tuple[Actor, Rollout]:
    """An actor, and the last of some rollouts."""
    torch.manual_seed(0)
    task = KINDS[name]
    model = AgentModel(AGENTS[name], task.spec(), config)
    actor = Actor(make_batch(task, config.num_envs), model, ActorSettings(config.unroll_length, stagger=False), stream(1))
    actor.reset(3, 0)
    for _ in range(rollouts):
        actor.run()
    return actor, actor.rollout


def rewarder_of(actor: Actor) -> DiscriminatorReward:
    assert isinstance(actor.model.rewarder, DiscriminatorReward)
    return actor.model.rewarder


@pytest.mark.parametrize("shape", [(1, 40), (32, 36), (64, 512), (64, 8)])
def test_spectral_norms_are_torchs(shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found = largest_singular_value(weight)
    assert float(found.detach()) == pytest.approx(float(torch.linalg.matrix_norm(weight.detach(), 2)), rel=2e-3)
    (gradient,) = torch.autograd.grad(found, weight)
    u, _, v = torch.linalg.svd(weight.detach(), full_matrices=False)
    torch.testing.assert_close(gradient, torch.outer(u[:, 0], v[0]), rtol=0.1, atol=0.05)


@pytest.mark.parametrize(("side", "channels"), [(16, 1), (32, 2), (64, 6), (128, 1)])
def test_every_layer_has_norm_one(side, channels):
    torch.manual_seed(0)
    judge = Discriminator(side, channels)
    assert judge(torch.zeros(2, channels, side, side)).shape == (2,)
    for layer in judge.layers:
        weight = layer.weight.detach().flatten(1)  # type: ignore[union-attr, operator]
        normalised = (weight / largest_singular_value(weight)).detach()
        assert float(torch.linalg.matrix_norm(normalised, 2)) == pytest.approx(1, abs=0.02)
    # Scores scale with no weight but the last bias.
    before = judge(torch.ones(1, channels, side, side))
    with torch.no_grad():
        for layer in judge.layers:
            layer.weight.mul_(3)  # type: ignore[union-attr, operator]
    torch.testing.assert_close(judge(torch.ones(1, channels, side, side)), before, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("length", [8, 5])
def test_credits_of_an_episode_sum_to_its_last_score_less_that_of_a_blank_canvas(name, length):
    config = dataclasses.replace(CONFIG, unroll_length=length)
    actor, _ = acted(name, config, 0)
    rewarder = rewarder_of(actor)
    total, episodes = torch.zeros(config.num_envs), 0
    for _ in range(8):
        rollout, _ = actor.run()
        paid, images = rewarder.rewards(rollout), rollout.inputs.image
        for t in range(length):
            total += paid[t]
            for row in torch.nonzero(rollout.ended[t]).flatten().tolist():
                target = images[t, row : row + 1][..., 1:] if name != "painter-canvas" else None
                index = torch.tensor([row])
                with torch.no_grad():
                    last = rewarder.judge(rewarder._pictures(rollout.recorded["result"][t, index], target, index))
                    blank = rewarder.judge(rewarder._pictures(torch.full_like(images[t, index][..., :1], 255), target, index))
                assert float(total[row]) == pytest.approx(float(last - blank), abs=1e-4)
                total[row] = 0
                episodes += 1
    assert episodes > 20


def test_a_move_earns_nothing():
    actor, rollout = acted("painter-canvas")
    paid = rewarder_of(actor).rewards(rollout)
    moved = (rollout.action[..., 0] == 0) | rollout.starts
    assert moved.any()
    assert float(paid[moved].abs().max()) < 1e-5
    assert float(paid[~moved].abs().max()) > 1e-4


def test_the_final_credit_is_the_last_score():
    actor, rollout = acted("painter-canvas", dataclasses.replace(CONFIG, credit="final"))
    paid = rewarder_of(actor).rewards(rollout)
    assert (paid[:-1] == 0).all()
    with torch.no_grad():
        expected = rewarder_of(actor).judge(rollout.recorded["result"][-1].permute(0, 3, 1, 2) / 127.5 - 1)
    torch.testing.assert_close(paid[-1], expected)


def test_the_complement_never_sees_what_it_could_compare():
    """Of each place it sees the canvas or the target: what the other shows there changes nothing."""
    actor, _ = acted("painter-complement")
    rewarder, generator = rewarder_of(actor), torch.Generator().manual_seed(0)
    canvas, target, noise = (torch.randint(0, 256, (8, 32, 32, 1), dtype=torch.uint8, generator=generator) for _ in range(3))
    row = torch.arange(8)
    mask = halves(32, canvas.device)[row % 4].bool().unsqueeze(-1)
    seen = rewarder._pictures(canvas, target, row)
    torch.testing.assert_close(seen, rewarder._pictures(torch.where(mask, canvas, noise), torch.where(mask, noise, target), row))
    assert (seen != rewarder._pictures(noise, target, row)).any()
    assert (seen != rewarder._pictures(canvas, noise, row)).any()
    assert torch.equal(halves(32, canvas.device).sum(0), torch.full((32, 32), 2.0))
    assert len({tuple(half.flatten().tolist()) for half in halves(8, canvas.device)}) == 4


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("regulariser", ["spectral", "gradient-penalty"])
def test_it_learns_to_tell_canvases_from_pictures(name, regulariser):
    actor, rollout = acted(name, dataclasses.replace(CONFIG, regulariser=regulariser, num_envs=32))
    rewarder = rewarder_of(actor)
    adam = torch.optim.Adam(rewarder.parameters(), 3e-3)
    rows = torch.arange(32)
    for _ in range(25):
        adam.zero_grad()
        loss, metrics = rewarder.loss(rollout, rows)
        loss.backward()
        adam.step()
    assert float(metrics["score_real"]) > float(metrics["score_fake"]) + 0.5


def test_a_learner_is_paid_by_it_and_trains_it():
    actor, rollout = acted("painter-canvas")
    flat = FlatParameters(actor.model)
    store = ParameterStore(CONFIG, flat)
    learner = Learner(actor.model, flat, store, CONFIG, stream(2))
    assert flat.agent_size < len(flat.values)
    before = flat.values.clone()
    targets = learner._make_targets(rollout)
    expected = torch.zeros(8, 12)
    following = torch.zeros(12)
    with torch.no_grad():
        paid = rewarder_of(actor).rewards(rollout)
    for t in reversed(range(8)):
        next_value = rollout.next_value[t] * (t < 7)
        following = paid[t] + CONFIG.discount * next_value - rollout.value[t] + CONFIG.discount * CONFIG.gae_lambda * following
        expected[t] = following
    torch.testing.assert_close(targets.advantage, expected, rtol=1e-4, atol=1e-5)
    metrics = learner.learn(rollout).metrics()
    assert {"discriminator_loss", "score_real", "score_fake"} <= set(metrics.means)
    store.pull(flat.values)
    changed = {name.partition(".")[0] for name, part in flat.named(flat.values - before).items() if part.abs().sum() > 0}
    assert changed == {"network", "rewarder"}


def test_the_discriminators_loss_reaches_no_part_of_the_painter():
    actor, rollout = acted("painter-canvas")
    loss, _ = rewarder_of(actor).loss(rollout, torch.arange(12))
    loss.backward()
    assert all(parameter.grad is None for parameter in actor.model.network.parameters())
    assert all(parameter.grad is not None for parameter in rewarder_of(actor).parameters())


def test_worlds_that_it_cannot_judge():
    with pytest.raises(InputError, match="these worlds have none"):
        AgentModel(dataclasses.replace(AGENTS["lstm"], reward="canvas"), make_task("static-small").spec(), PRESETS["fast"])
    with pytest.raises(InputError, match="have no target"):
        AgentModel(AGENTS["painter-complement"], DOODLE.spec(), CONFIG)
    with pytest.raises(InputError, match="expected one of canvas, target, complement"):
        AgentModel(dataclasses.replace(AGENTS["painter"], reward="critics"), DOODLE.spec(), CONFIG)
    assert CREDITS == ("steps", "final")

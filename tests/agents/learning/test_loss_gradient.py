"""The gradient of the whole loss against finite differences, in double precision; the decoder's must not reach the agent."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.config import PRESETS, AgentConfig, LossWeights, TrainConfig
from agents.learning.learner import Learner
from agents.learning.losses import Targets
from agents.learning.parameter_store import ParameterStore
from agents.model import AgentModel, FlatParameters
from agents.rng import NumpyStream
from agents.rollout import Rollout, allocate
from env.batch import ActionPart, ActionSpec
from tests.agents.worlds import counting_task

T, N = 4, 3


def make(agent: AgentConfig, config: TrainConfig, action: ActionSpec | None = None):
    spec = counting_task().spec()
    torch.manual_seed(0)
    model = AgentModel(agent, replace(spec, action=action or spec.action), config).double()
    flat = FlatParameters(model)
    learner = Learner(model, flat, ParameterStore(config, flat), config, NumpyStream(np.random.SeedSequence(0)))
    return model, flat, learner


def random_rollout(model: AgentModel) -> tuple[Rollout, Targets]:
    generator = torch.Generator().manual_seed(1)
    normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    state = tuple(normal(*p.shape) for p in model.network.initial_state(N))
    made = {name: loss.recorder(N) for name, loss in model.auxiliary.items()}
    recorders = {name: recorder for name, recorder in made.items() if recorder is not None}
    rollout = allocate(T, model.network, state, recorders, "cpu", N)
    rollout.inputs.image.random_(0, 256, generator=generator)
    rollout.inputs.vector = normal(T, N, 6) * 100
    rollout.inputs.reward = normal(T, N)
    sizes = model.spec.action.sizes
    rollout.inputs.action = normal(T, N, sum(sizes))
    rollout.starts[2, 1] = rollout.starts[0, 0] = True
    for name, target in rollout.targets.items():
        if target.is_floating_point():
            rollout.targets[name] = torch.rand(target.shape, generator=generator, dtype=torch.float64)
        else:
            target.random_(0, 2 if name == "loop-closure" else 5, generator=generator)
    action = torch.stack([torch.randint(size, (T, N), generator=generator) for size in sizes], -1)
    action = action.view(rollout.action.shape)
    targets = Targets(action, -2 + 0.1 * normal(T, N), normal(T, N), normal(T, N))
    return rollout, targets


HEADS = ("depth-encoder", "depth-core", "loop-closure")


@pytest.mark.parametrize("objective", ["actor-critic", "clipped"])
@pytest.mark.parametrize("core", ["feedforward", "lstm", "nav"])
@pytest.mark.parametrize("depth_form", ["classes", "regression"])
def test_the_gradient_is_the_losss_slope(objective, core, depth_form):
    config = TrainConfig(objective=objective, num_envs=N, unroll_length=T, entropy_cost=0.1, depth_form=depth_form)
    assert_gradient_is_slope(*make(AgentConfig(core, HEADS), config))


@pytest.mark.parametrize("objective", ["actor-critic", "clipped"])
@pytest.mark.parametrize("autoregressive", [False, True])
def test_actions_of_several_parts_have_gradients_too(objective, autoregressive):
    """Rollout, learner and losses take whatever distribution the policy head makes."""
    config = TrainConfig(objective=objective, num_envs=N, unroll_length=T, entropy_cost=0.1)
    action = ActionSpec((ActionPart("where", 5), ActionPart("what", 3), ActionPart("whether", 2)), autoregressive)
    assert_gradient_is_slope(*make(AgentConfig("nav", HEADS), config, action))


def assert_gradient_is_slope(model: AgentModel, flat: FlatParameters, learner: Learner) -> None:
    rollout, targets = random_rollout(model)

    def loss() -> torch.Tensor:
        return learner._loss(rollout, targets, torch.arange(N))[0]

    flat.gradients.zero_()
    loss().backward()
    start, step = flat.values.clone(), 1e-6
    generator = torch.Generator().manual_seed(7)
    for _ in range(4):
        # A direction that moves every parameter, each by its own scale.
        direction = torch.randn(start.shape, generator=generator, dtype=torch.float64) * (start.abs() + 1e-3)
        with torch.no_grad():
            flat.values.copy_(start + step * direction)
            above = float(loss())
            flat.values.copy_(start - step * direction)
            below = float(loss())
            flat.values.copy_(start)
        assert float(flat.gradients @ direction) == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("core", ["feedforward", "nav"])
def test_the_decoder_sends_no_gradient_to_the_agent(core):
    config = TrainConfig(num_envs=N, unroll_length=T)
    model, flat, _ = make(AgentConfig(core), config)
    rollout, _ = random_rollout(model)
    outputs = model.network.unroll(rollout.inputs, rollout.state, rollout.starts)
    loss, _ = model.auxiliary["position"].loss(outputs.core.flatten(0, 1), rollout.targets["position"].flatten())
    loss.backward()
    assert flat.gradients[: flat.agent_size].abs().max() == 0
    assert flat.gradients[flat.agent_size :].abs().max() > 0
    assert flat.agent_size == sum(p.numel() for p in model.network.parameters())


def test_the_weights_count():
    """Each auxiliary loss enters the sum with its own weight."""
    config = TrainConfig(num_envs=N, unroll_length=T)
    model, _, learner = make(AgentConfig("nav", (*HEADS, "position")), config)
    rollout, targets = random_rollout(model)
    loss, metrics = learner._loss(rollout, targets, torch.arange(N))
    whole = float(loss.detach())
    for name in HEADS:
        weights = LossWeights(config.loss_weight | {name: config.weight(name) + 2})
        learner.config = replace(config, loss_weight=weights)
        more = float(learner._loss(rollout, targets, torch.arange(N))[0].detach())
        assert more - whole == pytest.approx(2 * float(metrics["", f"{name} loss"].detach()), rel=1e-6)


def test_rewards_are_scaled_and_clipped_before_anything_is_learned():
    """With values of 0 and one-step returns, advantages are the rewards themselves."""
    config = TrainConfig(num_envs=N, unroll_length=T, gae_lambda=0.0, reward_scale=0.3, reward_clip=1.0)
    model, _, learner = make(AgentConfig("lstm"), config)
    rollout, _ = random_rollout(model)
    rollout.reward = torch.tensor([[10.0, 2.0, -10.0]] * T, dtype=torch.float64)
    targets = learner._make_targets(rollout)
    torch.testing.assert_close(targets.advantage, torch.tensor([[1.0, 0.6, -1.0]] * T, dtype=torch.float64))


def test_each_gradient_of_the_papers_preset_is_of_one_world():
    config = PRESETS["paper"]
    _, _, learner = make(AgentConfig("lstm"), replace(config, observation_size=42))
    assert [len(rows) for _, rows in learner._minibatches()] == [1] * config.num_envs

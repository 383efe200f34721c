"""State, first frames and episode ends line up at chunk edges and inside chunks, shown by worlds that only count."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from agents.actor import Actor, ActorSettings, StoppedError
from agents.config import AGENTS, AgentConfig, TrainConfig
from agents.learning.returns import generalised_advantages, step_discounts
from agents.model import AgentModel
from agents.networks.distributions import Categorical
from agents.networks.encoder import BYTE_SCALE, MIDDLE_BYTE
from agents.networks.encoders import ConvolutionalEncoder
from agents.rng import NumpyStream
from tests.agents.worlds import CountingEnv, counting_task

STEPS = 15


def make_actor(chunk, num_envs=4, shorter: npt.ArrayLike = 0, stagger=False, agent="nav-d1d2l"):
    task = counting_task()
    assert task.episode_steps == STEPS
    torch.manual_seed(0)
    model = AgentModel(AGENTS[agent], task.spec(), TrainConfig())
    env = CountingEnv(task, num_envs, observe=model.observe, shorter=shorter)
    actor = Actor(env, model, ActorSettings(chunk, stagger), NumpyStream(np.random.SeedSequence(0)))
    actor.reset(0, 0)
    return actor, env, model


@pytest.mark.parametrize("chunk", [1, 4, 5, 15, 40])
def test_every_step_is_recorded_once_and_in_its_place(chunk):
    shorter = np.array([0, 3, 7, 14])
    actor, env, _ = make_actor(chunk, shorter=shorter)
    last_action = np.full(4, -1)
    for number in range(60 // chunk):
        rollout, _ = actor.run()
        for t in range(chunk):
            total = number * chunk + t + shorter
            time = total % STEPS
            first = (time == 0) if number or t else np.ones(4, bool)
            image = rollout.inputs.image[t].numpy()
            assert (image[..., 2] == time[:, None, None]).all()
            assert (image[..., 1] == (total // STEPS)[:, None, None]).all()
            assert (image[..., 0] == (10 + np.arange(4))[:, None, None]).all()
            assert (rollout.inputs.vector[t].numpy() == time[:, None]).all()
            assert (rollout.starts[t].numpy() == first).all()
            # The last reward and action are those of the step that led here, and none at a start.
            assert (rollout.inputs.reward[t].numpy() == np.where(first, 0, time)).all()
            told = rollout.inputs.action[t].numpy()
            assert (told.sum(1) == np.where(first, 0, 1)).all()
            assert (told.argmax(1)[~first] == last_action[~first]).all()
            last_action = rollout.action[t].numpy().copy()
            assert (rollout.reward[t].numpy() == time + 1).all()
            assert (rollout.ended[t].numpy() == (time + 1 == STEPS)).all()
            assert (env.actions[number * chunk + t] == last_action).all()
            assert (rollout.targets["position"][t].numpy() == time % 5).all()


@pytest.mark.parametrize("chunk", [4, 5, 20])
def test_values_and_memory_are_those_of_a_sequence_over_whole_episodes(chunk):
    """What was stored while acting is what the sequence computes from the stored first state, chunk after chunk."""
    actor, _, model = make_actor(chunk, shorter=np.array([0, 3, 7, 14]))
    previous = None
    for _ in range(40 // chunk):
        rollout, _ = actor.run()
        with torch.no_grad():
            outputs = model.network.unroll(rollout.inputs, rollout.state, rollout.starts)
        torch.testing.assert_close(outputs.value, rollout.value, rtol=1e-4, atol=1e-5)
        chosen = outputs.policy.log_softmax(-1).gather(-1, rollout.action.unsqueeze(-1)).squeeze(-1)
        torch.testing.assert_close(chosen, rollout.log_prob, rtol=1e-4, atol=1e-5)
        going_on = ~rollout.ended[:-1]
        torch.testing.assert_close(rollout.next_value[:-1][going_on], rollout.value[1:][going_on])
        if previous is not None:
            on, ended = previous
            torch.testing.assert_close(on[~ended], rollout.value[0][~ended])
        previous = rollout.next_value[-1].clone(), rollout.ended[-1].clone()
        for part in rollout.state:
            assert part[rollout.starts[0]].abs().sum() == 0
            assert part[~rollout.starts[0]].abs().sum() > 0 or rollout.starts[0].all()


def test_a_truncation_inside_a_chunk_bootstraps_from_its_last_observation():
    """A value that reads the clock off the picture tells which observation it was asked about."""
    actor, _, model = make_actor(chunk=10, shorter=np.array([0, 3, 7, 14]), agent="ff")
    with torch.no_grad():
        for part in model.network.parameters():
            part.zero_()
        encoder = model.network.encoder
        assert isinstance(encoder, ConvolutionalEncoder)
        # Only the third channel counts, and it passes the encoder unchanged.
        encoder.first.weight[0, 2, 0, 0] = 1 / BYTE_SCALE
        assert encoder.first.bias is not None
        encoder.first.bias[0] = MIDDLE_BYTE
        encoder.second.weight[0, 0, 0, 0] = 1
        encoder.linear.weight[0, 0] = 1
        model.network.value.weight[0, 0] = 1
    for _ in range(6):
        rollout, _ = actor.run()
        time = rollout.inputs.image[:, :, 0, 0, 2].float()
        torch.testing.assert_close(rollout.value, time)
        torch.testing.assert_close(rollout.next_value, time + 1)
        assert (rollout.next_value[rollout.ended].round() == STEPS).all()
        discount = step_discounts(0.9, torch.zeros_like(rollout.ended))
        advantage = generalised_advantages(rollout.reward, rollout.value, rollout.next_value, discount, rollout.ended, 0.0)
        torch.testing.assert_close(advantage, time + 1 + 0.9 * (time + 1) - time)


def test_staggered_starts_fall_on_chunk_ends_and_report_whole_episodes_only():
    actor, _, _ = make_actor(chunk=5, num_envs=6, stagger=True)
    starts, finished = [], []
    for _ in range(12):
        rollout, ended = actor.run()
        starts.append(rollout.starts.numpy().copy())
        finished += ended
    assert all(not chunk[1:].any() for chunk in starts)
    # From the second episode on, a third of the rows starts at every chunk.
    assert [int(chunk[0].sum()) for chunk in starts[3:]] == [2] * 9
    assert {episode.episode_return for episode in finished} == {STEPS * (STEPS + 1) / 2}
    assert len(finished) == 2 * 4 + 2 * 3 + 2 * 3


def test_stopping_ends_a_chunk():
    actor, env, _ = make_actor(chunk=15)
    asked = iter([False, False, True])
    with pytest.raises(StoppedError):
        actor.run(lambda: next(asked))
    assert len(env.actions) == 2


def test_actions_follow_their_probabilities():
    policy = torch.tensor([0.5, 0.2, 0.0, 0.05, 0.05, 0.1, 0.1, 0.0])
    uniforms = torch.linspace(0, 1, 20001)[:-1].unsqueeze(1)
    drawn = Categorical(policy.log().expand(len(uniforms), -1)).sample(uniforms)
    share = torch.bincount(drawn, minlength=8) / len(uniforms)
    torch.testing.assert_close(share, policy, rtol=0, atol=1e-3)
    assert int(Categorical(torch.full((1, 8), -100.0)).sample(torch.tensor([[0.9999999]]))) == 7


def test_depth_is_the_fourth_channel_of_an_agent_that_sees_it():
    task = counting_task()
    model = AgentModel(AgentConfig("nav", depth_input=True), task.spec(), TrainConfig())
    env = CountingEnv(task, 2, observe=("rgb", "velocity", "depth"))
    env.observation["depth"][:] = 77
    actor = Actor(env, model, ActorSettings(3), NumpyStream(np.random.SeedSequence(0)))
    actor.reset(0, 0)
    rollout, _ = actor.run()
    assert rollout.inputs.image.shape == (3, 2, 42, 42, 4)
    assert (rollout.inputs.image[..., 3] == 77).all()


def test_depth_is_shown_as_depth_losses_ask_for_it():
    task = counting_task()
    model = AgentModel(AGENTS["nav-rgbd"], task.spec(), TrainConfig())
    env = CountingEnv(task, 2, observe=("rgb", "velocity", "depth"))
    env.observation["depth"][:] = np.arange(42) * 6
    actor = Actor(env, model, ActorSettings(3), NumpyStream(np.random.SeedSequence(0)))
    actor.reset(0, 0)
    rollout, _ = actor.run()
    expected = np.rint(255 * (np.arange(42) * 6 / 255) ** 10)
    assert (rollout.inputs.image[..., 3].numpy() == expected).all()
    assert expected.max() > 150

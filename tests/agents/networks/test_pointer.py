"""Pointer heads and conditions of parts: against enumeration of a small action, and against definitions written out."""

import itertools

import numpy as np
import pytest
import torch

from agents.config import AGENTS, PRESETS
from agents.model import AgentModel
from agents.networks.autoregressive import AutoregressivePolicyHead
from agents.networks.painter import KEY_CHANNELS, CanvasEncoder
from agents.networks.pointer import PointerPolicyHead
from env.batch import ActionPart, ActionSpec
from env.painting.registry import make_painting
from maze_gen.errors import InputError

SPEC = ActionSpec(
    (
        ActionPart("flag", 2),
        ActionPart("end", 4, grid=(2, 2)),
        ActionPart("control", 4, grid=(2, 2), only_if=(0, 1)),
        ActionPart("size", 3, only_if=(0, 1)),
    ),
    autoregressive=True,
)
D = 5
FEATURES = 7


def head(scale: float = 0.3) -> PointerPolicyHead:
    torch.manual_seed(0)
    made = PointerPolicyHead(SPEC, FEATURES, D).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, 0, scale)
    return made


def features(*leading: int) -> torch.Tensor:
    return torch.randn(*leading, FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def keys(*leading: int) -> torch.Tensor:
    return torch.randn(*leading, 4, D, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_probabilities_of_all_effects_sum_to_one():
    distribution = head().distribution(head()(features(3)), keys(3))
    # Parts without an effect stand for one action, whatever they are.
    moves = [(0, end, 0, 0) for end in range(4)]
    paints = [(1, *rest) for rest in itertools.product(range(4), range(4), range(3))]
    actions = torch.tensor(moves + paints).unsqueeze(1).expand(-1, 3, -1)
    total = sum(distribution.log_prob(action.contiguous()).exp() for action in actions)
    torch.testing.assert_close(total, torch.ones(3, dtype=torch.float64))


def test_what_has_no_effect_changes_no_loss():
    made = head()
    parameters = made(features(5, 6))
    action = torch.stack(
        [torch.randint(0, size, (5, 6), generator=torch.Generator().manual_seed(size)) for size in SPEC.sizes], -1
    )
    other = action.clone()
    idle = action[..., 0] == 0
    other[..., 2][idle] = (other[..., 2][idle] + 1) % 4
    other[..., 3][idle] = (other[..., 3][idle] + 1) % 3
    assert (other != action).any()
    gradients = []
    for one in (action, other):
        distribution = made.distribution(parameters, keys(5, 6))
        made.zero_grad()
        loss = distribution.log_prob(one).sum() + distribution.entropy(one).sum()
        loss.backward(retain_graph=True)
        gradients.append(
            (loss.detach(), [parameter.grad.clone() for parameter in made.parameters() if parameter.grad is not None])
        )
    torch.testing.assert_close(gradients[0], gradients[1])


def test_logits_are_those_of_the_formula():
    made, given, places = head(), features(2), keys(2)
    parts = made.distribution(made(given), places).conditionals(torch.tensor([[1, 2, 0, 1], [1, 1, 1, 1]]))  # type: ignore[attr-defined]
    z = made.input(given)
    flag = made.outputs[0](z.relu())
    torch.testing.assert_close(parts[0].log_policy, flag.log_softmax(-1))
    z = z + made.updates[0](z.relu()) + made.embeddings[0].weight[:, 1]  # type: ignore[operator]
    query = made.queries[0](z.relu())
    pointed = torch.stack([(query * places[:, cell]).sum(1) for cell in range(4)], 1) / D**0.5
    torch.testing.assert_close(parts[1].log_policy, (made.outputs[1](z.relu()) + pointed).log_softmax(-1))


def test_samples_follow_the_probabilities():
    made = head(0.1)
    given, places = features(1).expand(20000, -1), keys(1).expand(20000, -1, -1)
    uniforms = torch.rand(20000, 4, generator=torch.Generator().manual_seed(3))
    distribution = made.distribution(made(given), places)
    action = distribution.sample(uniforms)
    log_prob, entropy = distribution.log_prob(action).detach(), distribution.entropy(action).detach()
    assert torch.equal(log_prob, made.distribution(made(given), places).log_prob(action).detach())
    # E[1 / π] counts the effects: 4 moves and 48 strokes.
    assert abs(float((-log_prob).exp().mean()) - 52) < 4
    assert float((-log_prob).mean()) == pytest.approx(float(entropy.mean()), abs=0.05)


def test_a_head_without_conditions_is_as_before():
    torch.manual_seed(0)
    plain = AutoregressivePolicyHead((3, 2), 4).double()
    action = torch.tensor([[1, 1], [2, 0]])
    distribution = plain.distribution(plain(torch.randn(2, 4, dtype=torch.float64)))
    parts = distribution.conditionals(action)  # type: ignore[attr-defined]
    expected = parts[0].log_prob(action[:, 0]) + parts[1].log_prob(action[:, 1])
    torch.testing.assert_close(distribution.log_prob(action), expected)


@pytest.mark.parametrize(("side", "grid"), [(32, 16), (64, 16), (64, 32), (32, 8)])
def test_keys_see_their_own_places(side, grid):
    torch.manual_seed(0)
    encoder = CanvasEncoder(side, 2, grid)
    image = torch.zeros(1, side, side, 2, dtype=torch.uint8)
    _, before = encoder.encode(image)
    assert before.shape == (1, grid * grid, KEY_CHANNELS)
    changed = image.clone()
    cell, row, col = side // grid, grid // 2, grid // 4
    changed[0, row * cell, col * cell] = 255
    difference = (encoder.encode(changed)[1] - before)[0].view(grid, grid, KEY_CHANNELS).abs().sum(2)
    found = difference.nonzero()
    assert difference[row, col] > 0
    assert (found - torch.tensor([row, col])).abs().max() <= 2


@pytest.mark.parametrize(("side", "grid"), [(32, 16), (64, 16), (32, 8)])
def test_features_are_those_of_two_convolutions(side, grid):
    torch.manual_seed(0)
    encoder = CanvasEncoder(side, 3, grid)
    images = torch.randint(0, 256, (5, side, side, 3), dtype=torch.uint8)
    features, keys = encoder.encode(images)
    pixels = (images.permute(0, 3, 1, 2).float() - 128) / 64
    first = encoder.first(pixels).relu()
    torch.testing.assert_close(keys, first.flatten(2).transpose(1, 2))
    torch.testing.assert_close(features, encoder.linear(encoder.second(first).relu().flatten(1)).relu(), rtol=1e-4, atol=1e-4)


def test_a_pointer_head_takes_keys():
    with pytest.raises(InputError, match="expected the keys of the places"):
        head().distribution(head()(features(3)))


def test_grids_that_do_not_fit():
    for side, grid in ((32, 15), (30, 16), (32, 0)):
        with pytest.raises(InputError, match="encoder 'painter'"):
            CanvasEncoder(side, 1, grid)


@pytest.mark.parametrize("task", ["doodle-digits", "parse-digits", "redraw-views"])
def test_steps_and_unrolls_agree(task):
    torch.manual_seed(0)
    spec = make_painting(task).spec()
    network = AgentModel(AGENTS["painter"], spec, PRESETS["painter"]).network
    inputs = network.perception.allocate((3, 2))
    generator = np.random.default_rng(0)
    inputs.image.copy_(torch.from_numpy(generator.integers(0, 256, tuple(inputs.image.shape))))
    inputs.vector.copy_(torch.from_numpy(generator.random(tuple(inputs.vector.shape))))
    starts = torch.tensor([[True, True], [False, False], [False, True]])
    whole = network.unroll(inputs, network.initial_state(2), starts)
    state = network.initial_state(2)
    for t in range(3):
        state = tuple(part * (~starts[t]).unsqueeze(1) for part in state)
        now, state = network.step(type(inputs)(*(part[t] for part in inputs.parts())), state)
        torch.testing.assert_close(now.policy, whole.policy[t], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(now.value, whole.value[t], rtol=1e-4, atol=1e-5)

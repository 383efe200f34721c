"""Action distributions against sums over all actions, and against what published agents do."""

from typing import Any

import numpy as np
import pytest
import torch

from agents.networks import distributions
from agents.networks.autoregressive import AutoregressiveDistribution
from agents.networks.distributions import Categorical, IndependentCategoricals, write_one_hot
from agents.networks.policy_heads import LinearPolicyHead, make_policy_head
from env.batch import ActionPart, ActionSpec
from maze_gen.errors import InputError
from tests.mutants import Mutant, assert_caught, by_name

POLICY = (0.5, 0.2, 0.0, 0.05, 0.05, 0.1, 0.1, 0.0)
OTHER = (0.1, 0.3, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05)
LOW = -1e4
"""A logit of probability 0 whose product with it is 0, not undefined."""


def spec_of(*sizes: int, autoregressive: bool = False) -> ActionSpec:
    return ActionSpec(tuple(ActionPart(f"part {k}", size) for k, size in enumerate(sizes)), autoregressive)


def logits_of(policy: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(policy, dtype=torch.float64).log().clamp(min=LOW)


def check_categorical(module: Any) -> None:
    """One choice of eight, at 20000 evenly spaced uniforms: frequencies, log-probabilities, entropy and divergence."""
    uniforms = torch.linspace(0, 1, 20001)[:-1].unsqueeze(1)
    # A constant added to all logits changes nothing.
    mine, other = module.Categorical(logits_of(POLICY) + 3), module.Categorical(logits_of(OTHER))
    many = module.Categorical(logits_of(POLICY).expand(len(uniforms), -1))
    drawn = many.sample(uniforms)
    frequency = np.bincount(drawn.numpy(), minlength=8) / len(uniforms)
    np.testing.assert_allclose(frequency, POLICY, atol=1e-4)
    assert (drawn.diff() >= 0).all()
    for action, probability in enumerate(POLICY):
        if probability:
            assert float(mine.log_prob(torch.tensor(action))) == pytest.approx(np.log(probability))
    assert float(mine.entropy()) == pytest.approx(-sum(p * np.log(p) for p in POLICY if p))
    expected = sum(p * np.log(p / q) for p, q in zip(POLICY, OTHER, strict=True) if p)
    assert float(mine.kl(other)) == pytest.approx(expected)
    # What has no probability is never chosen, also at the ends of the unit interval.
    ends = module.Categorical(logits_of((0.0, 0.5, 0.5, 0.0)).expand(2, -1))
    assert ends.sample(torch.tensor([[0.0], [1 - 2**-24]])).tolist() == [1, 2]


def test_a_categorical_is_its_table():
    check_categorical(distributions)


def test_rounding_chooses_no_action_that_is_not_there():
    below_one = torch.tensor([[0.999]])
    assert int(Categorical(torch.full((1, 8), 0.0)).sample(below_one * 0 + 1)) == 7


def check_independent(module: Any) -> None:
    """Three choices at once against all 24 combinations."""
    sizes = (2, 3, 4)
    random = np.random.default_rng(0)
    both = [torch.from_numpy(random.normal(size=9)) for _ in range(2)]
    tables = []
    for logits in both:
        parts = [part.exp().numpy() / part.exp().sum().item() for part in logits.split(sizes)]
        tables.append({(i, j, k): parts[0][i] * parts[1][j] * parts[2][k] for i, j, k in np.ndindex(*sizes)})
    mine, other = (module.IndependentCategoricals(logits, sizes) for logits in both)
    table, theirs = tables
    for action, probability in table.items():
        assert float(mine.log_prob(torch.tensor(action))) == pytest.approx(np.log(probability))
    assert float(mine.entropy()) == pytest.approx(-sum(p * np.log(p) for p in table.values()))
    assert float(mine.kl(other)) == pytest.approx(sum(p * np.log(p / theirs[a]) for a, p in table.items()))
    uniforms = torch.from_numpy(random.random((20000, 3), dtype=np.float32))
    drawn = module.IndependentCategoricals(both[0].expand(20000, -1), sizes).sample(uniforms)
    assert drawn.shape == (20000, 3)
    assert drawn.dtype == torch.int64
    for action, probability in table.items():
        assert float((drawn == torch.tensor(action)).all(1).double().mean()) == pytest.approx(probability, abs=0.012)


def test_independent_choices_are_the_product_of_their_tables():
    check_independent(distributions)


MUTANTS = by_name(
    [
        Mutant(name, distributions, old, new, check)
        for name, old, new, check in (
            ("what has no probability is chosen", "cumsum(-1) <= uniforms", "cumsum(-1) < uniforms", check_categorical),
            ("the draw is shifted", ".sum(-1).clamp_(max=self", ".sum(-1).add_(1).clamp_(max=self", check_categorical),
            ("log-probabilities aren't normalised", "functional.log_softmax(logits, -1)", "logits", check_categorical),
            ("the entropy has the opposite sign", "return -(self.log", "return (self.log", check_categorical),
            ("the divergence is reversed", "self.log_policy - other", "-self.log_policy + other", check_categorical),
            ("one uniform for all parts", "uniforms[..., k : k + 1]", "uniforms[..., :1]", check_independent),
            (
                "all parts score the first choice",
                "action[..., k]) for k, part",
                "action[..., 0] % len(part.log_policy)) for k, part",
                check_independent,
            ),
            ("parts are averaged", "torch.stack(parts).sum(0)", "torch.stack(parts).mean(0)", check_independent),
        )
    ]
)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)


def test_a_sequence_is_its_steps():
    """Leading axes [T, B] and [B] give the same numbers, for every head."""
    for spec in (spec_of(8), spec_of(2, 3), spec_of(2, 3, autoregressive=True)):
        torch.manual_seed(0)
        head = make_policy_head(spec, 16).double()
        features = torch.randn(4, 3, 16, dtype=torch.float64)
        uniforms = torch.rand(4, 3, len(spec.sizes))
        whole = head.distribution(head(features))
        action = whole.sample(uniforms)
        assert action.shape == ((4, 3) if len(spec.sizes) == 1 else (4, 3, len(spec.sizes)))
        for t in range(4):
            step = head.distribution(head(features[t]))
            assert torch.equal(step.sample(uniforms[t]), action[t])
            torch.testing.assert_close(step.log_prob(action[t]), whole.log_prob(action)[t])
            torch.testing.assert_close(step.entropy(action[t]), whole.entropy(action)[t])


def test_the_linear_head_draws_what_a_linear_layer_draws():
    """Published agents and their seeds: parameters by the names of a linear layer, drawn in its order."""
    torch.manual_seed(3)
    policy, value = torch.nn.Linear(32, 8), torch.nn.Linear(32, 1)
    torch.nn.init.orthogonal_(policy.weight, 0.01)
    torch.nn.init.zeros_(policy.bias)
    torch.manual_seed(3)
    head, other = make_policy_head(spec_of(8), 32), torch.nn.Linear(32, 1)
    head.initialise()
    assert list(head.state_dict()) == ["weight", "bias"]
    for name, part in policy.state_dict().items():
        assert torch.equal(head.state_dict()[name], part)
    assert torch.equal(other.weight, value.weight)
    features = torch.randn(5, 32)
    assert torch.equal(head(features), policy(features))
    assert isinstance(head.distribution(head(features)), Categorical)
    assert isinstance(head, LinearPolicyHead)


def test_heads_start_nearly_uniform():
    for spec in (spec_of(8), spec_of(4, 2), spec_of(4, 2, autoregressive=True)):
        torch.manual_seed(0)
        head = make_policy_head(spec, 32)
        head.initialise()
        distribution = head.distribution(head(torch.randn(50, 32)))
        path = distribution.sample(torch.rand(50, len(spec.sizes)))
        assert float(distribution.entropy(path).mean().detach()) == pytest.approx(np.log(8), abs=1e-2)


def test_a_specification_has_its_distribution():
    features = torch.randn(3, 16)
    kinds = {spec_of(5): Categorical, spec_of(2, 3): IndependentCategoricals, spec_of(5, autoregressive=True): Categorical}
    for spec, kind in (*kinds.items(), (spec_of(2, 3, autoregressive=True), AutoregressiveDistribution)):
        head = make_policy_head(spec, 16)
        assert type(head.distribution(head(features))) is kind
    for sizes in ((), (3, 0)):
        with pytest.raises(InputError, match="action sizes"):
            make_policy_head(spec_of(*sizes), 4)


def test_actions_are_written_part_after_part():
    out = torch.full((2, 5), 9.0)
    write_one_hot(torch.tensor([[1, 2], [0, 0]]), (2, 3), out)
    assert out.tolist() == [[0, 1, 0, 0, 1], [1, 0, 1, 0, 0]]
    one = torch.full((2, 3), 9.0)
    write_one_hot(torch.tensor([2, 0]), (3,), one)
    assert one.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("spec", [spec_of(8), spec_of(2, 3), spec_of(2, 3, autoregressive=True)])
def test_nothing_waits_for_a_device(spec):
    """Tensors of the device "meta" have no contents: whoever asks for them gets an error."""
    head = make_policy_head(spec, 16).to("meta")
    distribution = head.distribution(head(torch.zeros(4, 16, device="meta")))
    action = distribution.sample(torch.zeros(4, len(spec.sizes), device="meta"))
    parts = (distribution.log_prob(action), distribution.entropy(action), distribution.kl(distribution, action))
    torch.stack(parts).sum().backward()
    write_one_hot(action, spec.sizes, torch.zeros(4, sum(spec.sizes), device="meta"))
    assert all(part.shape == (4,) for part in parts)
    assert all(part.grad is not None for part in head.parameters())

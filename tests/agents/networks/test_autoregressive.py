"""Autoregressive distributions against enumeration of all actions of a small grid."""

from typing import Any

import numpy as np
import pytest
import torch

from agents.networks import autoregressive
from maze_gen.errors import InputError
from tests.mutants import Mutant, assert_caught, by_name

SIZES = (3, 2, 4)
ACTIONS = torch.tensor(list(np.ndindex(*SIZES)))
"""[24, 3], all of them."""


def make(module: Any, seed: int = 6, **options: Any):
    """A head with weights that make a difference, in double precision, and features [24, 6], the same for every action."""
    torch.manual_seed(seed)
    head = module.AutoregressivePolicyHead(SIZES, 6, width=5, **options).double()
    with torch.no_grad():
        for part in head.parameters():
            part.normal_(std=0.6)
    return head, torch.randn(6, dtype=torch.float64).expand(len(ACTIONS), 6)


def by_hand(head: Any, features: np.ndarray, action: tuple[int, ...]) -> list[np.ndarray]:
    """The conditional distributions along `action`, by the equations in the head's documentation."""
    w = {name: part.detach().numpy() for name, part in head.named_parameters()}
    z, tables = w["input.weight"] @ features + w["input.bias"], []
    for k, choice in enumerate(action):
        scores = w[f"outputs.{k}.weight"] @ np.maximum(z, 0) + w[f"outputs.{k}.bias"]
        tables.append(np.exp(scores) / np.exp(scores).sum())
        if k + 1 < len(action):
            update = w[f"updates.{k}.weight"] @ np.maximum(z, 0) + w[f"updates.{k}.bias"]
            z = z + update + w[f"embeddings.{k}.weight"][:, choice]
    return tables


def table_of(head: Any, features: torch.Tensor) -> np.ndarray:
    """[24], the probability of every action."""
    x = features[0].numpy()
    return np.array(
        [np.prod([p[a] for p, a in zip(by_hand(head, x, action), action, strict=True)]) for action in ACTIONS.numpy()]
    )


def check(module: Any) -> None:
    """Probabilities, entropy and divergence against sums over all actions; draws against their probabilities."""
    head, features = make(module)
    distribution = head.distribution(head(features))
    table = table_of(head, features)
    log_prob = distribution.log_prob(ACTIONS)
    assert table.sum() == pytest.approx(1)
    np.testing.assert_allclose(log_prob.detach().numpy(), np.log(table), atol=1e-10)
    # The mean over paths of the estimates is what they estimate.
    entropy, exact = distribution.entropy(ACTIONS).detach().numpy(), -(table * np.log(table)).sum()
    assert (table * entropy).sum() == pytest.approx(exact)
    other = make(module, seed=2)[0]
    theirs = table_of(other, features)
    kl = distribution.kl(other.distribution(other(features)), ACTIONS).detach().numpy()
    assert (table * kl).sum() == pytest.approx((table * np.log(table / theirs)).sum())
    assert (kl >= 0).all()
    uniforms = torch.from_numpy(np.random.default_rng(0).random((20000, len(SIZES)), dtype=np.float32))
    drawn = head.distribution(head(features[:1].expand(20000, -1))).sample(uniforms)
    codes = np.ravel_multi_index(tuple(drawn.numpy().T), SIZES)
    np.testing.assert_allclose(np.bincount(codes, minlength=24) / 20000, table, atol=0.012)


def test_it_is_the_product_of_its_conditionals():
    check(autoregressive)


def test_later_parts_depend_on_earlier_ones():
    """As they don't in independent choices: the table isn't the product of its marginals."""
    table = table_of(*make(autoregressive)).reshape(SIZES)
    marginals = [table.sum(axis=tuple(j for j in range(3) if j != k)) for k in range(3)]
    assert np.abs(table - np.einsum("i,j,k->ijk", *marginals)).max() > 0.05


@pytest.mark.parametrize("what", ["log_prob", "entropy", "kl"])
def test_gradients_are_slopes(what):
    """Along random directions of all parameters, by central differences."""
    head, features = make(autoregressive)
    other = make(autoregressive, seed=2)[0]
    weights = torch.linspace(-1, 1, len(ACTIONS), dtype=torch.float64)

    def value() -> torch.Tensor:
        distribution = head.distribution(head(features))
        if what == "kl":
            return distribution.kl(other.distribution(other(features)), ACTIONS) @ weights
        return getattr(distribution, what)(ACTIONS) @ weights

    parameters = list(head.parameters())
    gradients = torch.autograd.grad(value(), parameters)
    for seed in range(4):
        torch.manual_seed(seed)
        directions = [torch.randn_like(part) for part in parameters]
        found = []
        for step in (1e-6, -2e-6, 1e-6):
            with torch.no_grad():
                for part, direction in zip(parameters, directions, strict=True):
                    part.add_(direction, alpha=step)
                found.append(float(value()))
        slope = (found[0] - found[1]) / 2e-6
        expected = sum(float((gradient * direction).sum()) for gradient, direction in zip(gradients, directions, strict=True))
        assert slope == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_a_sampled_path_is_scored_without_its_networks_again():
    """The conditional distributions along the last path are kept, and made anew for another path."""
    head, features = make(autoregressive)
    distribution = head.distribution(head(features))
    action = distribution.sample(torch.rand(len(ACTIONS), 3))
    kept = distribution.conditionals(action)
    assert kept is distribution.conditionals(action)
    fresh = head.distribution(head(features))
    torch.testing.assert_close(distribution.log_prob(action), fresh.log_prob(action))
    torch.testing.assert_close(distribution.log_prob(ACTIONS), fresh.log_prob(ACTIONS))


def test_an_estimate_needs_a_path():
    head, features = make(autoregressive)
    distribution = head.distribution(head(features))
    with pytest.raises(InputError, match="expected the path"):
        distribution.entropy()
    with pytest.raises(InputError, match="expected the path"):
        distribution.kl(distribution)


def test_half_precision_around_it_rounds_nothing():
    """A policy is computed in its own precision, whatever the products of the body are computed in."""
    torch.manual_seed(0)
    head = autoregressive.AutoregressivePolicyHead(SIZES, 6)
    carry = head(torch.randn(24, 6))
    expected = head.distribution(carry).log_prob(ACTIONS)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head.distribution(carry).log_prob(ACTIONS), expected)


MUTANTS = by_name(
    [
        Mutant(name, autoregressive, old, new, check)
        for name, old, new in (
            ("choices have no influence", "self._embedded(k, choice)", "0"),
            ("the carry is forgotten", "return carry + self.updates", "return self.updates"),
            ("choices are shifted", "functional.embedding(choice, ", "functional.embedding(choice * 0, "),
            ("one uniform for all parts", "uniforms[..., k : k + 1]", "uniforms[..., :1]"),
            ("the carry stays where it was", "carry = head.advance(k, carry, choice)", "head.advance(k, carry, choice)"),
            ("logits read the carry without rectifier", "self.outputs[k](functional.relu(carry))", "self.outputs[k](carry)"),
            ("the divergence is reversed", "one.kl(another)", "another.kl(one)"),
        )
    ]
)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)

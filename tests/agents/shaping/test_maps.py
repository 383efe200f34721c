"""Maps of functions and networks against closed forms, derivatives by differences, and random networks."""

import numpy as np
import pytest
import torch

from agents.shaping import (
    FUNCTIONS,
    LocalMaps,
    ShapingError,
    Sum,
    chain,
    dks,
    network_c,
    network_curvature,
    network_q,
    network_slope,
    residual,
    tat,
)
from agents.shaping.functions import leaky
from agents.shaping.graph import Activation
from agents.shaping.kernels import measured, pairs, random_stack
from agents.shaping.transform import leaky_c

COSINES = np.linspace(-1, 1, 21)


@pytest.mark.parametrize("slope", [0.0, 0.3, 0.9])
def test_c_of_a_leaky_rectifier_is_its_closed_form(slope):
    maps = LocalMaps(leaky(slope))
    np.testing.assert_allclose(maps.c(COSINES), [leaky_c(c, slope) for c in COSINES], atol=1e-9)
    assert maps.c_zero == pytest.approx(leaky_c(0, slope), abs=1e-12)


def test_c_of_the_error_function_is_its_closed_form():
    """C(c) = asin(2c/3)/asin(2/3) for q = 1 (Williams 1998)."""
    np.testing.assert_allclose(LocalMaps("erf").c(COSINES), np.arcsin(2 * COSINES / 3) / np.arcsin(2 / 3), atol=1e-9)


@pytest.mark.parametrize("name", ["tanh", "softplus", "selu", "swish"])
def test_slopes_and_curvature_by_differences(name):
    maps = LocalMaps(name)
    h = 1e-4
    q = maps.q([1 - h, 1 + h])
    # Q' of the function itself: E u φ φ' at q = 1.
    assert (q[1] - q[0]) / (2 * h) == pytest.approx(maps.q_slope, rel=1e-6)
    if name != "selu":
        c = maps.c([1.0, 1 - h, 1 - 2 * h])
        assert (3 * c[0] - 4 * c[1] + c[2]) / (2 * h) == pytest.approx(maps.c_slope, rel=1e-5)
        assert (c[0] - 2 * c[1] + c[2]) / h**2 == pytest.approx(maps.c_curvature, rel=2e-2)


def test_maps_of_a_network_by_differences():
    """Slope and curvature of nested sums, from its C map."""
    A = Activation()
    items = (*residual((A, *residual((A, A), 0.4)), 0.7, (A,)), A)
    maps = LocalMaps(dks("softplus", items).of(FUNCTIONS["softplus"]))
    h = 1e-3
    c = network_c(items, maps, [1.0, 1 - h, 1 - 2 * h, 1 - 3 * h])
    assert c[0] == pytest.approx(1, abs=1e-9)
    assert (11 * c[0] - 18 * c[1] + 9 * c[2] - 2 * c[3]) / (6 * h) == pytest.approx(network_slope(items, maps), rel=1e-5)
    assert (2 * c[0] - 5 * c[1] + 4 * c[2] - c[3]) / h**2 == pytest.approx(network_curvature(items, maps), rel=1e-2)
    np.testing.assert_allclose(network_q(items, maps, [1.0]), 1.0, atol=1e-8)


@pytest.mark.parametrize(("name", "method"), [("softplus", dks), ("leaky_relu", tat)])
def test_composition_of_interpolated_maps(name, method):
    """The network's map is composed of interpolated ones, the local map is a double integral."""
    shape = method(name, chain(15))
    maps = LocalMaps(shape.of(shape.function(FUNCTIONS[name])))
    expected = COSINES
    for _ in range(3):
        expected = maps.c(np.clip(expected, -1, 1))
    np.testing.assert_allclose(network_c(chain(3), maps, COSINES), expected, atol=1e-9)


CASES = [("tanh", dks), ("softplus", dks), ("sigmoid", dks), ("tanh", tat), ("leaky_relu", tat)]


@pytest.mark.parametrize(("name", "method"), CASES)
def test_maps_of_random_networks(name, method):
    """Width 256, depth 50, 8 pairs x 4 seeds: within .03."""
    shape = method(name, chain(50))
    cosines = np.array([0.99, 0.9, 0.5, 0.0, -0.5])
    x, y = pairs(cosines, 8, 256, seed=1)
    results = [measured(random_stack(name, shape, 50, 256, seed=seed), x, y) for seed in range(4)]
    predicted = network_c(chain(50), LocalMaps(shape.of(shape.function(FUNCTIONS[name]))), cosines)
    np.testing.assert_allclose(np.mean([c for c, _ in results], (0, 2)), predicted, atol=0.03)
    assert np.mean([q for _, q in results]) == pytest.approx(1, abs=0.15)


def test_random_networks_without_shaping_are_told_apart():
    """The control of the test above: a rectifier's cosines all go to 1."""
    x, y = pairs([0.9, 0.0], 8, 256, seed=1)
    shape = dks("tanh", chain(50))
    c, _ = measured(random_stack("relu", type(shape)(gamma=2**0.5), 50, 256), x, y)
    assert c.mean(1).min() > 0.95


def test_one_global_map_for_seven_functions():
    cosines = np.linspace(-1, 1, 41)
    curves = {}
    for name in ("tanh", "sigmoid", "softplus", "swish", "gelu", "erf", "atan", "asinh"):
        shape = dks(name, chain(50))
        curves[name] = network_c(chain(50), LocalMaps(shape.of(FUNCTIONS[name])), cosines)
    for name, curve in curves.items():
        np.testing.assert_allclose(curve, curves["tanh"], atol=0.003, err_msg=name)
    assert np.abs(curves["tanh"] - cosines).max() > 0.1


@pytest.mark.parametrize("zeta", [1.1, 1.5, 3.0])
@pytest.mark.parametrize("name", ["tanh", "softplus", "swish"])
def test_distance_to_the_identity_is_bounded(name, zeta):
    """|C(c) − c| ≤ 2(ζ − 1), as all coefficients of C are at least 0."""
    cosines = np.linspace(-1, 1, 41)
    for items in (chain(20), (*residual((Activation(),) * 2, 0.5) * 10, Activation())):
        shape = dks(name, items, zeta=zeta)
        curve = network_c(items, LocalMaps(shape.of(FUNCTIONS[name])), cosines)
        assert (np.abs(curve - cosines) <= 2 * (zeta - 1) + 1e-9).all()


def test_refused():
    maps = LocalMaps("tanh")
    with pytest.raises(ShapingError, match="q 0"):
        maps.q([1.0, 0.0])
    with pytest.raises(ShapingError, match=r"cosine 1\.5"):
        maps.c([0.2, 1.5])
    with pytest.raises(ShapingError, match="finite"):
        LocalMaps(torch.log)
    with pytest.raises(ShapingError, match="add up to 2"):
        Sum(((1.0, chain(1)), (1.0, ())))
    with pytest.raises(ShapingError, match="0 activations"):
        chain(0)
    with pytest.raises(ShapingError, match="shortcut weight 1"):
        residual(chain(2), 1.0)

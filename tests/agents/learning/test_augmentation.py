"""Maps of what the discriminator is trained on: against loops over pixels, and what they leave as it is."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from agents.actor import Actor, ActorSettings
from agents.config import AGENTS, PRESETS
from agents.learning.augmentation import NUMBERS, mapped, random_maps
from agents.learning.discriminator import DiscriminatorReward, halves
from agents.learning.learner import Learner
from agents.learning.parameter_store import ParameterStore
from agents.model import AgentModel, FlatParameters
from agents.rng import NumpyStream
from env.backends import make_batch
from env.painting.registry import make_painting
from maze_gen.errors import InputError

SIDE = 8


def by_loops(picture, numbers, strength, background):
    """[side, side] → the same, mapped, a pixel at a time; places are in pixels from the middle."""
    angle, scale, shear, right, down = (strength * (2 * number - 1) for number in numbers)
    side = len(picture)
    out = np.empty_like(picture)

    def pixel(j, i):
        return picture[j, i] if 0 <= j < side and 0 <= i < side else background

    for j in range(side):
        for i in range(side):
            x, y = i + 0.5 - side / 2, j + 0.5 - side / 2
            u = (1 + scale) * (x * math.cos(angle) - y * math.sin(angle)) + shear * y + 0.3 * right * side
            v = (1 + scale) * (x * math.sin(angle) + y * math.cos(angle)) + 0.3 * down * side
            u, v = u + side / 2 - 0.5, v + side / 2 - 0.5
            left, top = math.floor(u), math.floor(v)
            a, b = u - left, v - top
            upper = (1 - a) * pixel(top, left) + a * pixel(top, left + 1)
            lower = (1 - a) * pixel(top + 1, left) + a * pixel(top + 1, left + 1)
            out[j, i] = (1 - b) * upper + b * lower
    return out


@pytest.mark.parametrize("strength", [0.0, 0.15, 0.6])
def test_maps_are_those_of_loops_over_pixels(strength):
    generator = np.random.default_rng(0)
    pictures = generator.uniform(-1, 1, (4, 2, SIDE, SIDE)).astype(np.float32)
    numbers = generator.random((4, NUMBERS)).astype(np.float32)
    found = mapped(torch.from_numpy(pictures), random_maps(torch.from_numpy(numbers), strength)).numpy()
    for row in range(4):
        for channel in range(2):
            np.testing.assert_allclose(
                found[row, channel], by_loops(pictures[row, channel], numbers[row], strength, 1), atol=1e-5
            )
    if not strength:
        np.testing.assert_allclose(found, pictures, atol=1e-6)


def acted(name: str, task: str, **changes):
    torch.manual_seed(0)
    config = dataclasses.replace(PRESETS["painter"], num_envs=12, precision="float32", **changes)
    worlds = make_painting(task)
    model = AgentModel(AGENTS[name], worlds.spec(), config)
    settings, stream = ActorSettings(config.unroll_length, stagger=False), NumpyStream(np.random.SeedSequence(1))
    actor = Actor(make_batch(worlds, config.num_envs), model, settings, stream)
    actor.reset(3, 0)
    actor.run()
    rewarder = model.rewarder
    assert isinstance(rewarder, DiscriminatorReward)
    return actor, rewarder, config


def test_canvas_and_target_are_mapped_alike_and_masked_afterwards():
    _, rewarder, _ = acted("painter-complement", "redraw-digits")
    generator = torch.Generator().manual_seed(0)
    canvas, target = (torch.randint(0, 256, (8, 32, 32, 1), dtype=torch.uint8, generator=generator) for _ in range(2))
    row, maps = torch.arange(8), random_maps(torch.rand(8, NUMBERS, generator=generator), 0.3)
    seen = rewarder._pictures(canvas, target, row, maps)
    mask = halves(32, canvas.device)[row % 4]
    moved = [mapped(part.permute(0, 3, 1, 2) / 127.5 - 1, maps)[:, 0] for part in (target, canvas)]
    torch.testing.assert_close(seen, torch.stack(((1 - mask) * moved[0], mask * moved[1]), 1))


def test_rewards_are_of_canvases_as_they_are():
    paid = [acted("painter-canvas", "doodle-digits", augmentation=strength) for strength in (0.0, 0.5)]
    first, second = (rewarder.rewards(actor.rollout) for actor, rewarder, _ in paid)
    assert first.abs().sum() > 0
    assert torch.equal(first, second)


def test_each_gradient_has_maps_of_its_own_and_a_seed_repeats_them():
    def gradients(seed: int, strength: float) -> torch.Tensor:
        actor, _, config = acted("painter-canvas", "doodle-digits", augmentation=strength)
        flat = FlatParameters(actor.model)
        store = ParameterStore(config, flat)
        Learner(actor.model, flat, store, config, NumpyStream(np.random.SeedSequence(seed))).learn(actor.rollout)
        return store.parameters[flat.agent_size :].clone()

    assert torch.equal(gradients(2, 0.3), gradients(2, 0.3))
    assert not torch.equal(gradients(2, 0.3), gradients(2, 0.0))


def test_a_strength_that_makes_no_sense():
    with pytest.raises(InputError, match="augmentation 2: expected a number in"):
        dataclasses.replace(PRESETS["painter"], augmentation=2)

"""Random ways of an agent, for tests of what adds up its velocities."""

import numpy as np

SECONDS = 4 / 60


def drive(seed, steps):
    """(velocity [steps, 6], reward [steps]) of one that turns, slides, and is rewarded now and then."""
    random = np.random.default_rng(seed)
    velocity = np.zeros((steps, 6))
    velocity[:, 0] = random.uniform(-100, 320, steps)
    velocity[:, 1] = random.uniform(-200, 200, steps)
    velocity[:, 4] = random.choice([-150.0, 0.0, 150.0], steps)
    reward = np.where(random.random(steps) < 0.02, 10.0, np.where(random.random(steps) < 0.03, 2.0, 0.0))
    return velocity, reward

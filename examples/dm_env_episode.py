"""One world behind dm_env's interface, as Acme and other libraries of DeepMind take it."""

import numpy as np

from env.dm import KnossosDmEnv

world = KnossosDmEnv("static-small", seed=1, depth=True)
actions, draws = world.action_spec(), np.random.default_rng(1)
time_step, score = world.reset(), 0.0
while not time_step.last():
    time_step = world.step(draws.integers(actions.num_values))
    score += time_step.reward
print(f"{score:g} points in an episode; depth {time_step.observation['depth'].shape}, discount {time_step.discount}")
world.close()

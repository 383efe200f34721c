"""One world, and 8 stepped together, for TorchRL. Needs `pip install torchrl`."""

import gymnasium
from torchrl.envs import GymEnv, GymWrapper

import knossos  # noqa: F401 - registers the ids

world = GymEnv("Knossos/StaticSmall-v0", depth=True)
print(world.rollout(20))
worlds = GymWrapper(gymnasium.make_vec("Knossos/StaticSmall-v0", num_envs=8, autoreset_mode="Disabled", max_episode_steps=10))
print(worlds.rollout(30, break_when_any_done=False))
for made in (world, worlds):
    made.close()

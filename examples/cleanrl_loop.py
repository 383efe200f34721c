"""The loop of CleanRL's agents: Gymnasium's vector interface and statistics of episodes; put your own network in it."""

import gymnasium
import numpy as np

import knossos  # noqa: F401 - registers the ids

worlds = gymnasium.make_vec("Knossos/StaticSmall-v0", num_envs=8, autoreset_mode="SameStep", max_episode_steps=100)
worlds = gymnasium.wrappers.vector.RecordEpisodeStatistics(worlds)
observation, _ = worlds.reset(seed=1)
for _ in range(200):
    actions = np.array([worlds.single_action_space.sample() for _ in range(8)])
    observation, rewards, terminations, truncations, infos = worlds.step(actions)
    if "episode" in infos:
        print("returns", infos["episode"]["r"], "pictures", observation["rgb"].shape)
worlds.close()

"""Recurrent PPO of sb3-contrib, an agent with memory. Needs `pip install sb3-contrib`."""

from sb3_contrib import RecurrentPPO
from stable_baselines3.common.vec_env import VecMonitor

from env.stable_baselines import KnossosVecEnv

worlds = VecMonitor(KnossosVecEnv("Knossos/RandomGoalSmall-v0", num_envs=8, observation_size=42, normalize=True))
agent = RecurrentPPO("MultiInputLstmPolicy", worlds, n_steps=32, batch_size=128, n_epochs=1, verbose=1)
agent.learn(total_timesteps=256)
worlds.close()

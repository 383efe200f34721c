"""PPO of Stable-Baselines3 in 16 worlds. Needs `pip install stable-baselines3`."""

from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from env.stable_baselines import KnossosVecEnv

worlds = VecMonitor(KnossosVecEnv("Knossos/StaticSmall-v0", num_envs=16, observation_size=42, normalize=True))
agent = PPO("MultiInputPolicy", worlds, n_steps=64, batch_size=256, n_epochs=2, verbose=1)
agent.learn(total_timesteps=2048)
worlds.close()

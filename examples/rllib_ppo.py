"""PPO of Ray RLlib. Needs `pip install 'ray[rllib]'`."""

import gymnasium
from ray.rllib.algorithms.ppo import PPOConfig
from ray.tune import register_env


def make(settings):
    velocity = gymnasium.wrappers.FilterObservation(gymnasium.make("knossos:Knossos/StaticSmall-v0", **settings), ["velocity"])
    return gymnasium.wrappers.FlattenObservation(velocity)


register_env("knossos", make)
config = PPOConfig().environment("knossos", env_config={"normalize": True}).env_runners(num_env_runners=0)
algorithm = config.training(train_batch_size_per_learner=256, minibatch_size=128, num_epochs=1).build_algo()
print(algorithm.train()["env_runners"]["num_env_steps_sampled_lifetime"], "steps")
algorithm.stop()

"""The Gymnasium ids of the tasks. Installed, they are found without an import of ours (see `env.gymnasium_plugin`)."""

import gymnasium

IDS = {
    "Knossos/StaticSmall-v0": "static-small",
    "Knossos/StaticLarge-v0": "static-large",
    "Knossos/StaticHuge-v0": "static-huge",
    "Knossos/RandomGoalSmall-v0": "random-goal-small",
    "Knossos/RandomGoalLarge-v0": "random-goal-large",
    "Knossos/RandomGoalHuge-v0": "random-goal-huge",
    "Knossos/IMaze-v0": "i-maze",
    "Knossos/ProceduralSmall-v0": "procedural-small",
    "Knossos/ProceduralLarge-v0": "procedural-large",
}


def register_environments() -> None:
    """Registers every id once; called again it does nothing."""
    for name, task in IDS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point="env.single:KnossosEnv",
                vector_entry_point="env.vector:KnossosVectorEnv",
                kwargs={"task": task},
            )

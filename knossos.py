"""Registers the environments with Gymnasium, as `import ale_py` does for Atari's.

    import gymnasium, knossos
    env = gymnasium.make("Knossos/StaticSmall-v0")

`gymnasium.make("knossos:Knossos/StaticSmall-v0")` imports this module by itself, also in processes that Gymnasium starts.

Raises:
    ImportError: a file or folder of the user's own that is named `env` comes first on Python's path; the message names it.
"""

import gymnasium

from maze_gen.packages import refuse_hidden

__version__ = "0.2.0"

refuse_hidden("env")

# Imported after the check, whose error says more than the one that this would end in.
from env.navigation import FRAMES_PER_SECOND  # noqa: E402
from env.painting.registry import PAINTING_TASKS  # noqa: E402
from env.registry import TASKS  # noqa: E402
from env.task import Task  # noqa: E402


def gymnasium_id(task: str) -> str:
    """The Gymnasium id of a task of the registry: `static-small` is `Knossos/StaticSmall-v0`."""
    return f"Knossos/{''.join(part.capitalize() for part in task.split('-'))}-v0"


IDS = {gymnasium_id(name): name for name in TASKS}
"""Gymnasium id → name of the task, in mazes."""

PAINTING_IDS = {gymnasium_id(name): name for name in PAINTING_TASKS}
"""Gymnasium id → name of the painting task."""


def register_environments() -> None:
    """Registers every id; one that is registered already is replaced."""
    for identifier, name in IDS.items():
        gymnasium.registry.pop(identifier, None)
        gymnasium.register(
            identifier,
            entry_point="env.single:KnossosEnv",
            vector_entry_point="env.vector:KnossosVectorEnv",
            max_episode_steps=-(-TASKS[name].episode_seconds * FRAMES_PER_SECOND // Task.action_repeat),
            kwargs={"task": name},
        )
    for identifier, name in PAINTING_IDS.items():
        gymnasium.registry.pop(identifier, None)
        gymnasium.register(
            identifier,
            entry_point="env.painting.face:PaintingEnv",
            vector_entry_point="env.painting.face:PaintingVectorEnv",
            # Episodes terminate, after as many steps as the settings say.
            kwargs={"task": name},
        )


register_environments()

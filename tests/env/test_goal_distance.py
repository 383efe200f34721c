"""The privileged length of path to the goal, against a search in the maze."""

import numpy as np

from env.backends import make_batch
from env.registry import make_task
from maze_gen.paths import distances, next_cells, shortest_path


def test_it_is_the_path_from_the_agents_cell_to_this_episodes_goal():
    task = make_task("procedural-small")
    random = np.random.default_rng(3)
    with make_batch(task, 8, observe=("velocity",)) as env:
        env.reset(4)
        found = []
        for t in range(60):
            if t == 30:
                # The next episode has another maze and another goal.
                env.reset_rows(np.arange(8) < 4)
            facts = env.privileged
            for row in range(8):
                maze = task.mazes[facts["maze"][row]]
                field = distances(maze, divmod(int(facts["goal_cell"][row]), maze.cols))
                found.append(int(facts["goal_distance"][row]))
                assert found[-1] == field.flat[facts["cell"][row]]
                cell, goal = (divmod(int(facts[name][row]), maze.cols) for name in ("cell", "goal_cell"))
                path = shortest_path(maze, cell, goal)
                following = divmod(int(facts["next_cell"][row]), maze.cols)
                assert following == (path[1] if len(path) > 1 else goal)
                assert next_cells(maze, goal)[cell] == facts["next_cell"][row]
            env.step(random.integers(2, 8, size=8))
    assert len(set(found)) > 8


def test_it_follows_from_a_saved_state():
    task = make_task("procedural-small")
    random = np.random.default_rng(5)
    with make_batch(task, 4, observe=("velocity",)) as env, make_batch(task, 4, observe=("velocity",)) as other:
        env.reset(1)
        for _ in range(40):
            env.step(random.integers(2, 8, size=4))
        state = env.state_arrays()
        assert state is not None
        other.restore_state(state)
        for name in ("goal_distance", "next_cell"):
            assert other.privileged[name].tolist() == env.privileged[name].tolist()

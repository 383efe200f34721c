"""Every figure of an analysis on synthetic agents that represent everything, or nothing."""

import itertools
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from auxiliary.depth import CLASSES, PIXELS
from env.registry import make_task
from experiments.analysis.activations import DEPTH_HEADS, TRUE_DEPTH, VALUE
from experiments.analysis.behaviour import behaviour_items
from experiments.analysis.decoders import own_decoder_result
from experiments.analysis.depth import class_names, depth_items, most_common_class
from experiments.analysis.head_outputs import LOOP, LOOP_LABEL, loop_labels
from experiments.analysis.intervals import value_of
from experiments.analysis.items import Number
from experiments.analysis.loop_closure import detect_loops, judge
from experiments.analysis.measures import entropy
from experiments.analysis.moved_goal import SecondEpisodes, near_old_goal, old_goal_first, with_moving_goal
from experiments.analysis.place_cells import place_fields, rates_by_cell, spatial_information
from experiments.analysis.position import decode_positions, errors_of, position_items
from experiments.analysis.position_maps import most_confused
from experiments.analysis.posterior import moment_steps
from experiments.analysis.trajectories import LAYER
from experiments.analysis.trips import first_trip_spl, latencies, path_efficiency, trips_of
from experiments.analysis.tsne import embed
from tests.experiments.synthetic import random_walks, ring_task, trajectories_of

EPISODES, STEPS = 30, 300


SECOND = "a layer of the test's own"


def numbers(items: list) -> dict[str, Number]:
    return {item.name: item for item in items if isinstance(item, Number)}


def noise(*shape: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(9).normal(0, 1, size=shape).astype(np.float32)


# Position


def test_an_agent_whose_state_is_the_position_is_read_without_error() -> None:
    task = make_task("static-small", observation_size=42)
    cells = random_walks(EPISODES, STEPS, task.mazes[0])
    state = (np.eye(task.cells)[cells] + 0.05 * noise(EPISODES, STEPS, task.cells)).astype(np.float16)
    trajectories = trajectories_of(cells, task, layers={SECOND: state})
    found = decode_positions(trajectories, threads=1)
    assert found.best.name == f"position from {SECOND}, linear"
    assert found.best.accuracy > 0.99
    assert errors_of(trajectories, found.best).mean() < 0.05
    assert entropy(found.best.probabilities).mean() < 0.3
    assert found.best.control_accuracy is not None
    assert found.best.control_accuracy < 0.15
    assert found.goal == []
    shown = numbers(position_items(trajectories, found))
    accuracy, error = shown["position accuracy"], shown["position error in cells of path"]
    assert value_of(accuracy.value) > 0.99
    assert set(accuracy.beside) == set(error.beside) == {"chance", "shuffled control"}
    assert value_of(accuracy.beside["shuffled control"]) < 0.15
    # The walk is all over the maze: always naming one cell is as far off as the maze is wide.
    assert value_of(error.value) < 0.05
    assert min(value_of(beside) for beside in error.beside.values()) > 5


def test_an_agents_own_decoder_is_held_against_other_episodes() -> None:
    """Answers that are right everywhere, and answers that depend on the time alone and are right as far as the clock tells."""
    walk = np.array([[0, 1, 2, 3]] * 5 + [[4, 3, 2, 1]] * 5)
    known = own_decoder_result("own", np.eye(5)[walk], walk)
    assert known.accuracy == 1.0
    assert known.control is not None
    # Read are episodes 3, 4, 8, 9: turned by two, each is held against one of the other way round, alike in step 2 only.
    assert known.control_accuracy == pytest.approx(1 / 4)
    clock = own_decoder_result("own", np.eye(5)[np.tile([0, 1, 2, 3], (10, 1))], walk)
    assert clock.accuracy == clock.control_accuracy == pytest.approx((1 + 1 / 4) / 2)


def test_cells_with_the_most_mistakes_come_first() -> None:
    shares = np.array([[0.5, 0.5, 0], [0, 1, 0], [0.9, 0, 0.1]])
    assert most_confused(shares, np.array([10, 100, 2])).tolist() == [0, 2]


def test_moments_after_a_respawn_that_leaves_time_for_them() -> None:
    spawned = np.zeros(200, dtype=bool)
    spawned[[0, 100, 110]] = True
    # Steps of a fifteenth of a second: 6 s are 90 steps, and the stay from step 110 on has 90, one too few.
    assert moment_steps(spawned, 1 / 15) == [0, 8, 15, 30, 60, 90]
    spawned[110] = False
    assert moment_steps(spawned, 1 / 15) == [100, 108, 115, 130, 160, 190]
    assert moment_steps(np.eye(1, 20, dtype=bool)[0], 1 / 15) == [0, 8, 15]


def test_an_agent_that_knows_nothing_is_read_as_chance() -> None:
    task = make_task("static-small", observation_size=42)
    cells = random_walks(EPISODES, STEPS, task.mazes[0])
    trajectories = trajectories_of(cells, task, layers={SECOND: noise(EPISODES, STEPS, 16)})
    found = decode_positions(trajectories, threads=1)
    for reading in found.position:
        assert reading.accuracy < 0.09
        assert abs(reading.accuracy - (reading.control_accuracy or 0)) < 0.05
    # Heading is constant here: naming the commonest class is always right, and a decoder does no better than that.
    assert [reading.chance for reading in found.heading] == [1.0, 1.0]


# Loop closure


def test_loops_on_a_ring_close_where_the_walk_comes_back() -> None:
    """Round and round a ring of ten cells: from the second round on every step closes a loop."""
    way = np.array([0, 1, 2, 3, 4, 9, 8, 7, 6, 5])
    cells = np.tile(way, 3)[None]
    labels = loop_labels(trajectories_of(cells, ring_task()).position)[0]
    assert labels[10:].all()
    # In the first round only the last cells come near (within one cell of) the start, which lies just above the last one.
    assert labels[:10].tolist() == [False] * 9 + [True] or not labels[:7].any()


def test_a_perfect_detector_and_a_useless_one() -> None:
    labels = np.random.default_rng(4).random((20, 400)) < 0.3
    perfect = judge("perfect", labels.astype(np.float32) * 0.6, labels)
    assert (perfect.f1, value_of(perfect.average_precision)) == (1.0, 1.0)
    assert perfect.threshold == pytest.approx(0.6)
    useless = judge("useless", np.random.default_rng(5).random((20, 400)).astype(np.float32), labels)
    share = labels[useless.episodes].mean()
    assert value_of(useless.average_precision) == pytest.approx(share, abs=0.03)
    assert useless.f1 == pytest.approx(2 * share / (1 + share), abs=0.02)
    assert value_of(useless.always) == pytest.approx(2 * share / (1 + share))


def test_a_detector_that_knows_only_the_time_is_no_better_than_its_control() -> None:
    labels = np.random.default_rng(4).random((20, 400)) < np.linspace(0, 1, 400)
    clock = np.tile(np.linspace(0, 1, 400, dtype=np.float32), (20, 1))
    found = judge("a clock", clock, labels)
    assert found.f1 > value_of(found.always) + 0.05
    assert found.f1 == pytest.approx(value_of(found.shuffled))


def test_the_threshold_is_chosen_on_other_episodes() -> None:
    """Where it is read the scores are turned round: a threshold chosen there would say yes to everything."""
    labels = np.zeros((10, 10), dtype=bool)
    labels[:, :3] = True
    scores = labels.astype(np.float32)
    for episode in (3, 4, 8, 9):
        scores[episode] = 1 - scores[episode]
    assert judge("turned", scores, labels).f1 == 0.0


def test_a_clock_that_knows_all_leaves_a_detector_nothing() -> None:
    """Labels that are the same in every episode at a time: the clock finds them, and a detector that does is no better."""
    labels = np.zeros((10, 20), dtype=bool)
    labels[:, 12:] = True
    found = judge("late", labels.astype(np.float32), labels)
    assert value_of(found.average_precision) == value_of(found.clock_average_precision) == 1.0
    mixed = np.random.default_rng(1).random((10, 20)) < 0.4
    found = judge("right", mixed.astype(np.float32), mixed)
    assert value_of(found.average_precision) == 1.0
    assert value_of(found.clock_average_precision) < 0.7
    assert value_of(found.correlation) == pytest.approx(1.0)
    assert abs(value_of(found.shuffled_correlation)) < 0.4


def test_a_detector_is_fitted_on_agents_without_a_head() -> None:
    task = ring_task()
    cells = random_walks(EPISODES, STEPS, task.mazes[0])
    trajectories = trajectories_of(cells, task)
    labels = loop_labels(trajectories.position)
    trajectories.signals[LOOP_LABEL] = labels
    trajectories.signals[LAYER + SECOND] = labels[..., None].astype(np.float16)
    (found,) = detect_loops(trajectories)
    assert found.f1 == 1.0
    trajectories.signals[LOOP] = labels.astype(np.float32)
    assert [reading.f1 for reading in detect_loops(trajectories)] == [1.0, 1.0]


# Depth


def test_depth_heads_that_know_all_half_and_nothing() -> None:
    task = ring_task(2)
    random = np.random.default_rng(6)
    truth = random.integers(CLASSES, size=(10, task.episode_steps, PIXELS)).astype(np.uint8)
    half = truth.copy()
    half[..., ::2] = (half[..., ::2] + 1) % CLASSES
    trajectories = trajectories_of(np.zeros((10, task.episode_steps)), task)
    trajectories.signals.update({TRUE_DEPTH: truth, DEPTH_HEADS["depth-encoder"]: truth, DEPTH_HEADS["depth-core"]: half})
    trajectories.pictures[3] = np.zeros((task.episode_steps, 42, 42, 3), dtype=np.uint8)
    found = numbers(depth_items(trajectories))
    first, second = (found[f"accuracy of {name}"] for name in DEPTH_HEADS.values())
    assert (value_of(first.value), value_of(second.value)) == (1.0, 0.5)
    for control in ("chance", "shuffled control"):
        assert value_of(first.beside[control]) == pytest.approx(1 / CLASSES, abs=0.02)


def test_chance_of_depth_is_each_pixels_commonest_class() -> None:
    known = np.array([[0, 5], [0, 5], [3, 5]], dtype=np.uint8)
    assert most_common_class(known).tolist() == [0, 5]
    assert class_names()[0] == "< 0.15"
    assert len(class_names()) == CLASSES


# Behaviour


def test_trips_and_their_lengths() -> None:
    """On the ring, goal in cell 4: straight to it; the long way round; then time is up on the third trip."""
    task = ring_task()
    maze = task.mazes[0]
    ways = [[1, 2, 3, 4], [8, 7, 6, 5, 0, 1, 2, 3, 4], [6, 7]]
    places: list[npt.NDArray] = []
    goal_steps = []
    for way in ways:
        middles = [np.array(maze.center(divmod(cell, maze.cols))) for cell in way]
        # Steps of a quarter of a cell, so that only respawns leap.
        places += [a + (b - a) * part / 4 for a, b in itertools.pairwise(middles) for part in range(4)] + [middles[-1]]
        goal_steps.append(len(places) - 1)
    cells = np.array([[row * maze.cols + col for row, col in (maze.cell_at(*place) for place in places)]])
    goals = np.zeros(cells.shape)
    goals[0, goal_steps[:2]] = 1
    trajectories = replace(trajectories_of(cells, task, goals), position=np.array([places], dtype=np.float32))
    trips = trips_of(trajectories)
    assert trips.start.tolist() == [0, goal_steps[0] + 1, goal_steps[1] + 1]
    assert trips.end.tolist() == [goal_steps[0], goal_steps[1], goal_steps[2]]
    assert trips.reached.tolist() == [True, True, False]
    assert trips.shortest.tolist() == [3, 2, 4]
    assert trips.taken.tolist() == pytest.approx([3, 8, 1])
    assert first_trip_spl(trips) == 1.0
    assert path_efficiency(trips) == pytest.approx(2 / 8)
    trajectories.signals[VALUE] = np.zeros(cells.shape, dtype=np.float32)
    shown = numbers(behaviour_items(trajectories, {"oracle": trajectories}))
    seconds = trajectories.step_seconds
    assert shown["episode return"].value == 20
    assert shown["seconds to the first goal"].value == pytest.approx((goal_steps[0] + 1) * seconds)
    assert shown["seconds to later goals"].value == pytest.approx((goal_steps[1] - goal_steps[0]) * seconds)
    assert shown["SPL of the first trip"].value == 1.0
    assert all(number.beside == {"oracle": number.value} for number in shown.values())


def test_latencies_by_hand() -> None:
    goals = np.zeros((3, 20))
    goals[0, [4, 9, 11]] = 1
    goals[2, 0] = 1
    first, later = latencies(goals.astype(np.uint8), 0.5)
    assert first.tolist() == [2.5, 0.5]
    assert later.tolist() == [2.5, 1.0]


def test_looking_at_the_old_place_first() -> None:
    """Old goal in cell 0, new one in cell 4: one goes by the old place before, one after, one never."""
    task = ring_task()
    position = trajectories_of([[1, 0, 1, 2, 3, 4], [3, 4, 3, 2, 1, 0], [3, 4, 4, 4, 3, 3]], task).position
    goals = np.zeros((3, 6), dtype=np.uint8)
    goals[0, 5] = goals[1, 1] = goals[2, 1] = 1
    found = SecondEpisodes(position, goals, np.zeros(3, np.int32), np.full(3, 4, np.int32), np.ones(3, bool))
    assert near_old_goal(found, task)[0].tolist() == [True, True, True, False, False, False]
    assert old_goal_first(found, task).tolist() == [True, False, False]


def test_a_moving_goal_may_be_anywhere() -> None:
    task = with_moving_goal(make_task("static-small"))
    assert task.goal == "episode"
    assert task.mazes[0].goals == ()
    random_goal = make_task("random-goal-small")
    assert with_moving_goal(random_goal) is random_goal


# Units


def test_information_of_known_fields() -> None:
    cells = np.tile(np.arange(8), 10)
    one_place = (cells == 3).astype(np.float32)
    half = (cells < 4).astype(np.float32)
    constant, silent = np.full(80, 0.7, np.float32), np.zeros(80, np.float32)
    rates, occupancy = rates_by_cell(np.stack([one_place, half, constant, silent], axis=1), cells, 10)
    assert np.isnan(rates[:, 8:]).all()
    assert occupancy.sum() == pytest.approx(1)
    assert spatial_information(rates, occupancy) == pytest.approx([3.0, 1.0, 0.0, 0.0], abs=1e-6)


def test_place_cells_are_told_from_noise() -> None:
    task = ring_task()
    cells = random_walks(EPISODES, STEPS, task.mazes[0])
    place_cells = np.eye(10)[cells][..., :5]
    rare = np.zeros((EPISODES, STEPS, 1))
    rare[0, 5] = 1
    units = np.concatenate([place_cells, noise(EPISODES, STEPS, 20), rare], axis=2)
    trajectories = trajectories_of(cells, task, layers={SECOND: units})
    found = place_fields(trajectories, SECOND)
    assert found.significant[:5].all()
    assert found.significant[5:].mean() < 0.2
    assert (found.information[:5] > 1.5).all()
    assert found.information[25] == 0.0
    assert found.rates[2].argmax() == 2


def test_clusters_stay_apart_in_the_embedding() -> None:
    groups = np.repeat(np.arange(4), 40)
    points = (20 * np.eye(10)[groups] + 0.5 * noise(160, 10)).astype(np.float32)
    flat = embed(points)
    assert flat.shape == (160, 2)
    apart = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1)[:, :10]
    assert (groups[nearest] == groups[:, None]).mean() > 0.98
    np.testing.assert_array_equal(flat, embed(points))

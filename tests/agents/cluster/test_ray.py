"""Commands on a Ray cluster of hosts of this machine, and what happens where a part of it is killed with signal 9.

How long that takes is for `experiments.benchmark cluster-kills` to measure: limits here are those of a machine that is busy with
other things.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.checkpoint import load_checkpoint
from experiments.benchmarks import cluster_kills
from experiments.benchmarks.cluster_hosts import PATIENCE, ROOT, Hosts, wait_for
from experiments.benchmarks.cluster_kills import ACTOR, Measured, Running
from tests.experiments.synthetic import ring_task, untrained

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray: pip install '.[ray]'"),
]

WHERE = """
import sys
from agents.cluster.jobs import ClusterJobs
with ClusterJobs(sys.argv[1], 1) as jobs:
    print(*jobs.map(lambda common, name: __import__(name).__file__, None, ["agents", "knossos"]))
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    found = Hosts()
    found.add()
    yield found
    found.close()


@pytest.fixture(scope="module")
def running(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = Running(hosts, tmp_path_factory.mktemp("driver"))
    yield found
    found.stop()


def start(hosts: Hosts, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    command, pipe = [*hosts.prefix, sys.executable, *arguments], subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=hosts.environment | environment, stdout=pipe, stderr=pipe, text=True)


def end(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """(exit code, standard output, standard error)."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait(10)
    return process.returncode, out, err


def test_evaluations_are_the_same_to_the_byte_and_a_wrong_token_is_one_line(hosts: Hosts, tmp_path: Path) -> None:
    checkpoint = untrained(tmp_path / "agent.safetensors", task=ring_task(4))

    def evaluate(name: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        given = ["--checkpoint", str(checkpoint), "--episodes", "30", "--json", str(tmp_path / f"{name}.json")]
        return start(hosts, "-m", "experiments.evaluate", *given, *arguments, **environment)

    on = ["--cluster", hosts.address]
    processes = [
        evaluate("there", *on),
        evaluate("here"),
        evaluate("wrong", *on, RAY_AUTH_TOKEN="wrong"),
        evaluate("missing", *on, RAY_AUTH_TOKEN="", RAY_AUTH_TOKEN_PATH="/none"),
    ]
    there, here, wrong, missing = [end(process) for process in processes]
    assert (there[0], here[0]) == (0, 0), there[2] + here[2]
    assert (tmp_path / "there.json").read_bytes() == (tmp_path / "here.json").read_bytes()
    assert there[1].replace("there.json", "here.json") == here[1]
    assert (wrong[0], missing[0]) == (2, 2)
    assert wrong[2].startswith(f"error: --cluster {hosts.address}: it refuses this machine's token")
    assert missing[2].startswith(f"error: --cluster {hosts.address}: it wants a token")
    assert len(wrong[2].splitlines()) == len(missing[2].splitlines()) == 1


def test_nodes_run_the_code_of_the_command(hosts: Hosts) -> None:
    code, out, err = end(start(hosts, "-c", WHERE, hosts.address))
    assert code == 0, err
    assert ["working_dir" in place for place in out.split()] == [True, True], out


def test_a_grid_whose_actors_are_killed_is_as_complete_as_one_alone(hosts: Hosts, tmp_path: Path) -> None:
    while len(hosts.alive) < 2:
        hosts.add()
    out = tmp_path / "grid"
    given = ["--cluster", hosts.address, "--out", str(out), "--agents", "ff", "--seeds", "3", "--budget", "60k"]
    given += [
        "--workers",
        "1",
        "--episodes",
        "2",
        "--num-envs",
        "8",
        "--unroll-length",
        "20",
        "--epochs",
        "1",
        "--minibatches",
        "1",
    ]
    process = start(hosts, "-m", "experiments.reproduce", *given)
    runs = [out / "static-small" / "ff" / f"seed{seed}" for seed in (1, 2, 3)]
    try:
        begun: Callable[[], list[Path]] = lambda: [run for run in runs if (run / "checkpoint.safetensors").exists()]  # noqa: E731
        wait_for(lambda: len(begun()) >= 2 or process.poll() is not None, PATIENCE, "no training")
        actors = [actor for node in hosts.alive for actor in node.processes("ray::TrainingActor")]
        for actor in actors:
            actor.kill()
    finally:
        code, said, err = end(process)
    assert code == 0, err
    assert len(actors) == 2
    assert (said + err).count("its node was lost") == 2, said + err
    names = {"checkpoint.safetensors", "config.json", "evaluation.json", "progress.jsonl", "summary.json", "events.out"}
    for run in runs:
        assert {path.name.split(".tfevents")[0] for path in run.rglob("*") if path.is_file()} == names
        assert load_checkpoint(run).frames >= 60_000
    # Each of the two went on from the files that had come.
    assert sorted(load_checkpoint(run).sessions for run in runs) == [1, 2, 2]
    assert json.loads((out / "table.json").read_text())["trainings_left"] == 0
    assert (out / "curves.png").stat().st_size > 0


def test_a_killed_worker_is_replaced_while_the_other_node_goes_on(running: Running) -> None:
    others_go_on(cluster_kills.kill_worker(running))


def test_a_killed_actors_workers_end_with_it_and_get_another(running: Running) -> None:
    others_go_on(cluster_kills.kill_actor(running))


def test_a_killed_nodes_workers_go_to_one_that_comes(running: Running) -> None:
    others_go_on(cluster_kills.kill_node(running))
    assert running.driver is not None
    assert running.driver.since(0, "figures")[-1]["figures"]["cluster/nodes"] == 2


def test_a_node_whose_cable_is_cut_is_dropped(running: Running) -> None:
    if running.hosts.network is None:
        pytest.skip("needs network namespaces: root, and the command ip")
    others_go_on(cluster_kills.cut_cable(running))


def others_go_on(measured: Measured) -> None:
    """A machine that is busy pauses for seconds; a training that waits for a lost node does so for `SILENT_SECONDS` at least."""
    assert measured["pause_of_the_other"] < 8


def test_nothing_of_a_killed_training_is_left_on_any_node(running: Running) -> None:
    cluster_kills.kill_driver(running)


def test_the_heads_death_leaves_a_checkpoint_and_says_how_to_go_on(hosts: Hosts, running: Running, tmp_path: Path) -> None:
    run = tmp_path / "run"
    _, ended = cluster_kills.kill_head(running, run)
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    assert any(line.startswith(f"error: the Ray cluster at {hosts.address} was lost") for line in lines), ended.stderr
    assert f"go on with: python -m experiments.train --resume {run} --cluster {hosts.address}" in lines, ended.stderr
    assert "Traceback" not in ended.stderr
    assert (run / "ray.log").stat().st_size > 0
    assert not [line for line in ended.stdout.splitlines() if "raylet" in line]
    written = [json.loads(line)["frames"] for line in (run / "progress.jsonl").read_text().splitlines()]
    assert load_checkpoint(run).frames >= written[-1] > 0
    # Nobody of it is left; and it goes on, here without a cluster.
    wait_for(lambda: not any(node.processes(ACTOR) for node in hosts.nodes), PATIENCE)
    onward = ["-m", "experiments.train", "--resume", str(run), "--workers", "1", "--minutes", "0", "--analysis-episodes", "0"]
    code, _, err = end(start(hosts, *onward))
    assert code == 0, err

"""Evolution of a population in the course of a training: who is replaced, when, and by whom."""

from agents.learning.population_store import PopulationStore
from agents.runtime.worker import Report
from agents.trainer import Callback, Trainer

UPDATES = 1000
"""Of a member, on average, between two evolutions."""


class Evolution(Callback):
    """Compares the members of a population now and then, see `PopulationStore.evolve`; in other trainings it does nothing.

    What a member is worth is the mean score that the shared discriminator gives to its finished canvases. All that is kept of it
    lies in the store, so that a resumed training goes on with it.

    Args:
        updates: of a member, on average, between two evolutions.
    """

    def __init__(self, updates: int = UPDATES) -> None:
        self._updates = updates

    def report(self, trainer: Trainer, report: Report) -> None:
        store, metrics = trainer.store, report.metrics
        if not isinstance(store, PopulationStore) or not metrics.gradients:
            return
        means = {name: metrics.means[name] / metrics.gradients for name in ("score_fake", "entropy")}
        store.score(report.worker, means["score_fake"], means["entropy"])
        due = (int(store.statistics["evolutions"]) + 1) * self._updates * len(store)
        if store.updates >= due and bool((store.statistics["reports"] > 0).all()):
            store.evolve()

"""Domains: kinds of tasks, each with the backends that play it and with the way its tasks are stored in files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from env.batch import BatchEnv, TaskLike
from maze_gen.errors import InputError

TaskRecord = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]
"""A task as JSON and as arrays by name."""


class MakeWorlds(Protocol):
    """Makes N worlds of a task that observe the arrays named by `observe`."""

    def __call__(self, task: Any, num_envs: int, *, observe: frozenset[str], device: str, threads: int) -> BatchEnv: ...


@dataclass(frozen=True)
class Domain:
    """A kind of task.

    Attributes:
        name: as files name it.
        task_type: the class of its tasks.
        backends: by name, the default one first.
        record: a task as JSON and arrays.
        read: the task that `record` recorded; its last argument says where the record came from.
    """

    name: str
    task_type: type
    backends: Mapping[str, MakeWorlds]
    record: Callable[[Any], TaskRecord]
    read: Callable[[Mapping[str, Any], Mapping[str, npt.NDArray[Any]], str], TaskLike]


_DOMAINS: dict[str, Domain] = {}


def register_domain(domain: Domain) -> None:
    """Makes a domain known by its name and by the class of its tasks; called again it replaces the earlier one."""
    _DOMAINS[domain.name] = domain


def domain_of(task: TaskLike) -> Domain:
    """The domain that a task belongs to.

    Raises:
        InputError: none.
    """
    for domain in _DOMAINS.values():
        if isinstance(task, domain.task_type):
            return domain
    raise InputError(f"task {task.name!r} is a {type(task).__name__}: expected a task of {', '.join(_DOMAINS) or 'any domain'}")


def domain_named(name: str) -> Domain:
    """The domain of a name.

    Raises:
        InputError: there is none.
    """
    if name not in _DOMAINS:
        raise InputError(f"domain {name!r}: expected one of {', '.join(_DOMAINS)}")
    return _DOMAINS[name]

"""Agents and their training."""

import importlib.util

if importlib.util.find_spec("torch") is None:
    raise ModuleNotFoundError("training and agents need PyTorch: pip install 'knossos[train]'", name="torch")

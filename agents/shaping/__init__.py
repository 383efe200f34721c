"""Deep networks without normalisation layers or skips: Deep Kernel Shaping (arXiv 2110.01765), TAT (2203.08120), and K-FAC.

Imports torch and numpy only.
"""

from agents.shaping.errors import ShapingError
from agents.shaping.fold import fold
from agents.shaping.functions import FUNCTIONS, Function
from agents.shaping.graph import Activation, Items, Sum, chain, maximum, residual
from agents.shaping.initialise import initialise, normalise_places, scaled_orthogonal_
from agents.shaping.kfac import KFAC, KFACOptions
from agents.shaping.maps import LocalMaps, network_c, network_curvature, network_q, network_slope
from agents.shaping.modules import ShapedActivation, graph_of, shape_network
from agents.shaping.networks import PRESETS, DeepNetwork, NetworkConfig, preset
from agents.shaping.transform import Shape, dks, tat

__all__ = [
    "FUNCTIONS",
    "KFAC",
    "PRESETS",
    "Activation",
    "DeepNetwork",
    "Function",
    "Items",
    "KFACOptions",
    "LocalMaps",
    "NetworkConfig",
    "Shape",
    "ShapedActivation",
    "ShapingError",
    "Sum",
    "chain",
    "dks",
    "fold",
    "graph_of",
    "initialise",
    "maximum",
    "network_c",
    "network_curvature",
    "network_q",
    "network_slope",
    "normalise_places",
    "preset",
    "residual",
    "scaled_orthogonal_",
    "shape_network",
    "tat",
]

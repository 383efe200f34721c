"""The agents and the settings they train with, as data: one row an agent, one row a preset."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal

from agents.precision import Precision
from maze_gen.errors import InputError

DECODER = "position"
"""The auxiliary loss that every agent carries: it reads detached features, so it changes no agent."""


@dataclass(frozen=True)
class AgentConfig:
    """What an agent is made of (paper, section 2).

    Attributes:
        core: what lies between encoder and heads: `feedforward` nothing, `lstm` one LSTM, `nav` two stacked ones that also see
            velocity, last action and last reward.
        losses: names of auxiliary losses (`auxiliary.registry.LOSSES`), the position decoder among them.
        depth_input: whether the depth byte is the fourth channel of the picture.
    """

    core: Literal["feedforward", "lstm", "nav"]
    losses: tuple[str, ...] = (DECODER,)
    depth_input: bool = False


AGENTS: Mapping[str, AgentConfig] = MappingProxyType(
    {
        "ff": AgentConfig("feedforward"),
        "lstm": AgentConfig("lstm"),
        "nav": AgentConfig("nav"),
        "nav-d1": AgentConfig("nav", ("depth-encoder", DECODER)),
        "nav-d2": AgentConfig("nav", ("depth-core", DECODER)),
        "nav-l": AgentConfig("nav", ("loop-closure", DECODER)),
        "nav-d1l": AgentConfig("nav", ("depth-encoder", "loop-closure", DECODER)),
        "nav-d1d2l": AgentConfig("nav", ("depth-encoder", "depth-core", "loop-closure", DECODER)),
        "nav-rgbd": AgentConfig("nav", depth_input=True),
        "nav-r": AgentConfig("nav", ("reward-prediction", DECODER)),
        "nav-rd2": AgentConfig("nav", ("reward-prediction", "depth-core", DECODER)),
    }
)
"""A new agent is a new row."""


@dataclass(frozen=True)
class TrainConfig:
    """How an agent learns. The presets are rows of `PRESETS`; every number can be changed from the command line.

    Attributes:
        objective: `actor-critic` (n-step returns, one gradient a chunk) or `clipped` (clipped surrogate, several a chunk).
        observation_size: height and width of the picture, 84 or 42.
        envs: environments a worker.
        chunk: agent steps between two looks at the shared parameters, and the length of truncated back-propagation.
        discount: of rewards, an agent step.
        advantage_decay: λ of the generalised advantages; 1 gives n-step returns.
        epochs: passes over a chunk.
        minibatches: gradients a pass; each takes whole sequences of a share of the environments, of one at least.
        clip: the surrogate's ratio is clipped to 1 ± this.
        learning_rate: at the start.
        final_learning_rate_share: share of it that is left at the end of the training's budget.
        annealing_start: share of the budget from which on it falls towards that, linearly.
        optimizer: `adam` or `rmsprop`; its statistics are shared by the workers.
        optimizer_decay: RMSProp's, of the mean square.
        optimizer_epsilon: added to the root of the mean square.
        locked_updates: whether one worker at a time applies its gradient.
        gradient_norm: longer gradients are scaled down to this; 0 leaves them.
        decoder_learning_rate: of the position decoder, which reads detached features.
        entropy_cost: weight of the policy's entropy.
        value_cost: weight of half the squared error of the value.
        sum_over_time: whether losses are summed over a chunk, as A3C does, or averaged.
        depth_encoder_cost: weight of the loss of depth from the encoder. At 1 its gradient in the encoder of an untrained agent
            is many times that of the returns, and learning begins late.
        depth_core_cost: weight of the loss of depth from the second LSTM.
        loop_closure_cost: weight of the loop closure loss.
        reward_prediction_cost: weight of the reward prediction loss.
        precision: of matrix products, `float32` or `bfloat16`; `auto` is bfloat16 on CPUs that have instructions for it. All
            else, parameters included, is float32.
        depth_form: `classes` (cross-entropy over 4 x 16 pixels) or `regression` (squared error over 8 x 16 pixels).
    """

    objective: Literal["actor-critic", "clipped"] = "clipped"
    observation_size: int = 42
    envs: int = 32
    chunk: int = 50
    discount: float = 0.99
    advantage_decay: float = 0.97
    epochs: int = 2
    minibatches: int = 4
    clip: float = 0.2
    learning_rate: float = 7e-4
    final_learning_rate_share: float = 0.1
    annealing_start: float = 0.5
    optimizer: Literal["adam", "rmsprop"] = "adam"
    optimizer_decay: float = 0.99
    optimizer_epsilon: float = 1e-5
    locked_updates: bool = True
    gradient_norm: float = 2.0
    decoder_learning_rate: float = 2e-3
    entropy_cost: float = 3e-3
    value_cost: float = 0.5
    sum_over_time: bool = False
    depth_encoder_cost: float = 0.1
    depth_core_cost: float = 0.3
    loop_closure_cost: float = 0.3
    reward_prediction_cost: float = 1.0
    precision: Precision = "auto"
    depth_form: Literal["classes", "regression"] = "classes"

    def __post_init__(self) -> None:
        for name in ("envs", "chunk", "epochs", "minibatches"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}: expected at least 1")
        if not 0 < self.discount <= 1 or not 0 <= self.advantage_decay <= 1:
            raise InputError(f"discount {self.discount}, advantage decay {self.advantage_decay}: expected within [0, 1]")
        if not 0 <= self.annealing_start < 1 or not 0 <= self.final_learning_rate_share <= 1:
            shares = f"annealing start {self.annealing_start}, final learning rate share {self.final_learning_rate_share}"
            raise InputError(f"{shares}: expected within [0, 1), and within [0, 1]")
        if not self.learning_rate > 0:
            raise InputError(f"learning rate {self.learning_rate}: expected above 0")

    def weight(self, loss: str) -> float:
        """The weight of an auxiliary loss in the sum; the decoder's is 1, since it shares nothing with the agent."""
        return 1.0 if loss == DECODER else getattr(self, loss.replace("-", "_") + "_cost")


PRESETS: Mapping[str, TrainConfig] = MappingProxyType(
    {
        "fast": TrainConfig(),
        "gpu": TrainConfig(envs=1024, minibatches=16),
        "paper": TrainConfig(
            objective="actor-critic",
            observation_size=84,
            envs=8,
            advantage_decay=1.0,
            epochs=1,
            minibatches=1,
            learning_rate=3e-4,
            final_learning_rate_share=0.0,
            annealing_start=0.0,
            optimizer="rmsprop",
            optimizer_epsilon=0.1,
            locked_updates=False,
            gradient_norm=0.0,
            decoder_learning_rate=3e-4,
            entropy_cost=5e-4,
            sum_over_time=True,
            depth_encoder_cost=10.0,
            depth_core_cost=3.33,
            loop_closure_cost=1.0,
        ),
    }
)
"""`fast`: what learns in minutes; `gpu`: the same with as many worlds as keep a GPU busy, and gradients of 64 of them; `paper`:
the published settings, the middle of each range (paper, section 5 and appendix)."""


def agent_config(name: str) -> AgentConfig:
    """The row of an agent.

    Raises:
        InputError: no agent has that name.
    """
    if name not in AGENTS:
        raise InputError(f"agent {name!r}: expected one of {', '.join(AGENTS)}")
    return AGENTS[name]


def preset(name: str) -> TrainConfig:
    """The settings of a preset.

    Raises:
        InputError: no preset has that name.
    """
    if name not in PRESETS:
        raise InputError(f"preset {name!r}: expected one of {', '.join(PRESETS)}")
    return PRESETS[name]


def from_json(kind: type, content: Any, origin: str) -> Any:
    """A configuration of `kind` (`AgentConfig` or `TrainConfig`) from what `dataclasses.asdict` and JSON made of it.

    Raises:
        InputError: fields are missing or unknown; `origin` says where they came from.
    """
    names = {item.name for item in fields(kind)}
    if not isinstance(content, dict) or set(content) != names:
        found = sorted(content) if isinstance(content, dict) else content
        raise InputError(f"{origin}: {kind.__name__} has {found}, expected {sorted(names)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in content.items()})

"""The agents and the settings they train with, as data: one row an agent, one row a preset."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from env.batch import WorldSpec
from maze_gen.errors import InputError
from maze_gen.help_page import option_field

DECODER = "position"
"""The auxiliary loss that every agent carries: it reads detached features, so it changes no agent."""

Precision = Literal["auto", "float32", "bfloat16"]


MOST_COUNT = 1_000_000
MOST_MEMBERS = 64
MOST_NUMBER = 1e9


def check_range(
    name: str, value: float, least: float, most: float, *, above: bool = False, below: bool = False, whole: bool = False
) -> None:
    """Raises InputError unless `value` is a number in [least, most]; `above` and `below` exclude the ends."""
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if number and least <= value <= most and not (above and value == least) and not (below and value == most):
        return
    ends = f"{'(' if above else '['}{least:g}, {most:g}{')' if below else ']'}"
    raise InputError(f"{name.replace('_', ' ')} {value!r}: expected {'a whole number' if whole else 'a number'} in {ends}")


@dataclass(frozen=True)
class AgentConfig:
    """What an agent is made of (paper, section 2).

    Attributes:
        core: what lies between encoder and heads, a name that `agents.networks.cores.core_factory` knows: `feedforward`
            nothing, `lstm` one LSTM, `nav` two stacked ones that also see velocity, last action and last reward.
        losses: names of auxiliary losses (`auxiliary.registry.loss_factory`), the position decoder among them.
        depth_input: whether the depth byte is the fourth channel of the picture.
        depth_power: (byte / 255) is raised to this before it is shown; at 10 the agent sees depth as depth losses ask for it.
        reward: what pays the agent instead of the worlds: a discriminator of the `canvas`, of the canvas beside the `target`, or
            of their halves, the `complement` (`agents.learning.discriminator`); nothing where it is empty.
    """

    core: str
    losses: tuple[str, ...] = (DECODER,)
    depth_input: bool = False
    depth_power: float = 1.0
    reward: str = ""

    def __post_init__(self) -> None:
        """Raises InputError for a number out of its range, named with the range."""
        check_range("depth_power", self.depth_power, 0.01, 100)

    def perceives(self, spec: WorldSpec) -> frozenset[str]:
        """Names of the arrays that the agent sees of worlds of a specification."""
        return spec.perceived | {"depth"} if self.depth_input else spec.perceived


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
        "nav-d1d2": AgentConfig("nav", ("depth-encoder", "depth-core", DECODER)),
        "nav-d1d2g": AgentConfig("nav", ("depth-encoder", "depth-core", "goal-cell", DECODER)),
        "nav-d1d2gd": AgentConfig("nav", ("depth-encoder", "depth-core", "goal-direction", DECODER)),
        "nav-d1d2cgp": AgentConfig("nav", ("depth-encoder", "depth-core", "own-cell", "goal-cell", "goal-path", DECODER)),
        "nav-m": AgentConfig("reward-memory", ("depth-encoder", "depth-core", "own-cell", "goal-cell", "goal-path", DECODER)),
        "nav-mh": AgentConfig(
            "reward-memory", ("depth-encoder", "depth-core", "own-cell", "goal-cell", "goal-path", "hindsight", DECODER)
        ),
        "nav-mhd": AgentConfig(
            "reward-memory", ("depth-encoder", "depth-core", "goal-direction", "goal-path", "hindsight-direction", DECODER)
        ),
        "nav-mhv": AgentConfig(
            "visit-memory", ("depth-encoder", "depth-core", "own-cell", "goal-cell", "goal-path", "hindsight", DECODER)
        ),
        "nav-mhdv": AgentConfig(
            "visit-memory", ("depth-encoder", "depth-core", "goal-direction", "goal-path", "hindsight-direction", DECODER)
        ),
        "nav-v": AgentConfig(
            "view-memory", ("depth-encoder", "depth-core", "same-place", "goal-direction", "goal-path", DECODER)
        ),
        "nav-rgbd": AgentConfig("nav", depth_input=True, depth_power=10.0),
        "nav-r": AgentConfig("nav", ("reward-prediction", DECODER)),
        "nav-rd2": AgentConfig("nav", ("reward-prediction", "depth-core", DECODER)),
        "painter": AgentConfig("painter", ()),
        "painter-canvas": AgentConfig("painter", (), reward="canvas"),
        "painter-target": AgentConfig("painter", (), reward="target"),
        "painter-complement": AgentConfig("painter", (), reward="complement"),
        "spiral": AgentConfig("spiral", (), reward="canvas"),
        "spiral-complement": AgentConfig("spiral", (), reward="complement"),
    }
)
"""A new agent is a new row."""


@dataclass(frozen=True)
class NetworkSettings:
    """The settings of `TrainConfig` by which a network is built; see there."""

    encoder: str = "convolutional"
    slow_units: float = 0.0
    slow_steps: float = 400.0
    critic_sees: tuple[str, ...] = ()


class LossWeights(dict[str, float]):
    """Weights of auxiliary losses by the loss's name; for one that isn't named see `TrainConfig.weight`."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


DEFAULT_LOSS_WEIGHT = MappingProxyType({"depth-encoder": 0.1, "depth-core": 0.3, "loop-closure": 0.3, "reward-prediction": 1.0})
"""At 1 the gradient of depth from the encoder is, in the encoder of an untrained agent, many times that of the returns, and
learning begins late."""
UNNAMED_LOSS_WEIGHT = MappingProxyType(
    {
        "goal-cell": 0.1,
        "goal-direction": 0.1,
        "goal-path": 0.1,
        "own-cell": 0.1,
        "hindsight": 0.3,
        "hindsight-direction": 0.3,
        "same-place": 0.1,
    }
)
"""Weights of losses that the settings don't name; of others it is 1. From .4 on those of the goal delay learning, too."""


@dataclass(frozen=True)
class TrainConfig:
    """How an agent learns. The presets are rows of `PRESETS`; every number can be changed from the command line.

    Attributes:
        objective: `actor-critic` (n-step returns, one gradient a rollout) or `clipped` (clipped surrogate, several a rollout).
        observation_size: height and width of the picture in pixels, 84 or 42.
        encoder: what encodes a picture: `convolutional` (the paper's two convolutions), `deep` (twelve shaped layers), or
            `painter` (a map over the grid of the actions); `none` for cores that read pictures by themselves.
        slow_units: fraction of the last LSTM's units that start as slow ones: their forget gates begin open and their input gates
            closed, over time scales drawn at random (`agents.networks.slow_units`).
        slow_steps: the longest of these time scales, in agent steps.
        critic_sees: privileged arrays that the critic reads while training, e.g. goal_distance or way_to_goal; the policy never
            does.
        num_envs: environments of a worker.
        unroll_length: agent steps of a rollout: between two readings of the shared parameters, and the length of truncated
            back-propagation.
        discount: of rewards, for an agent step.
        gae_lambda: λ of the generalised advantages; 1 gives n-step returns.
        epochs: passes over a rollout.
        minibatches: gradients of a pass; each takes whole sequences of some of the environments, of one at least.
        clip_range: the surrogate's ratio is clipped to 1 ± this.
        learning_rate: at the start.
        final_learning_rate_fraction: fraction of it that is left at the end of the training's budget.
        anneal_start_fraction: fraction of the budget from which on it falls towards that, linearly.
        optimizer: `adam` or `rmsprop`; its statistics are shared by the workers.
        rmsprop_alpha: decay of RMSProp's mean square.
        optimizer_eps: added to the root of the mean square.
        eps_inside_root: whether RMSProp adds it to the mean square itself, under the root, as the paper's does.
        locked_updates: whether one worker at a time applies its gradient.
        max_grad_norm: longer gradients are scaled down to this; 0 leaves them.
        decoder_learning_rate: of the position decoder, which reads detached features, and of the discriminator.
        credit: rewards of a discriminator: what each of the `steps` adds to its score, or the `final` score.
        regulariser: of the discriminator: `spectral` normalisation, or `gradient-penalty` with Wasserstein's loss.
        population: agents that share one discriminator; the worst of them are replaced by copies of the best, whose learning rate
            and entropy cost differ a little. Each has workers of its own.
        augmentation: strength of random affine maps of all that the discriminator is trained on; 0 for none.
        entropy_cost: weight of the policy's entropy.
        entropy_target: nats near which the entropy is kept: above them its weight falls, below them it grows; 0 keeps the weight.
        value_cost: weight of half the squared error of the value.
        reward_scale: what rewards are multiplied by before anything is learned from them; agents see them as they are.
        reward_clip: scaled rewards are clipped to ± this; 0 leaves them.
        novelty_bonus: added, while training, to the reward of a step that comes into a cell which is new in its episode, until
            the goal is reached.
        sum_over_time: whether losses are summed over a rollout, as A3C does, or averaged.
        loss_weight: weight of an auxiliary loss, as NAME=NUMBER; repeat the option for more of them.
        precision: of matrix products, `float32` or `bfloat16`; `auto` is bfloat16 on CPUs that have instructions for it. All
            else, parameters included, is float32.
        loop_closure_labels: of the loss of loop closure: `episode`, a return to anywhere in the episode closes a loop, or `trip`,
            what lies before a respawn is forgotten.
        depth_form: `classes` (cross-entropy over 4 x 16 pixels) or `regression` (squared error over 8 x 16 pixels).
    """

    objective: Literal["actor-critic", "clipped"] = option_field("clipped", group="Worlds and rollouts of the preset")
    observation_size: int = 42
    encoder: str = "convolutional"
    slow_units: float = 0.0
    slow_steps: float = 400.0
    critic_sees: tuple[str, ...] = ()
    num_envs: int = 32
    unroll_length: int = 50
    discount: float = option_field(0.99, group="Returns and gradients of the preset")
    gae_lambda: float = 0.97
    epochs: int = 2
    minibatches: int = 4
    clip_range: float = 0.2
    learning_rate: float = option_field(7e-4, group="Optimiser of the preset")
    final_learning_rate_fraction: float = 0.1
    anneal_start_fraction: float = 0.5
    optimizer: Literal["adam", "rmsprop"] = "adam"
    rmsprop_alpha: float = 0.99
    optimizer_eps: float = 1e-5
    eps_inside_root: bool = False
    locked_updates: bool = True
    max_grad_norm: float = 2.0
    decoder_learning_rate: float = 2e-3
    entropy_cost: float = option_field(3e-3, group="Losses of the preset")
    entropy_target: float = 0.0
    value_cost: float = 0.5
    sum_over_time: bool = False
    loss_weight: LossWeights = field(default_factory=lambda: LossWeights(DEFAULT_LOSS_WEIGHT))
    precision: Precision = "auto"
    loop_closure_labels: Literal["episode", "trip"] = "episode"
    depth_form: Literal["classes", "regression"] = "classes"
    reward_scale: float = option_field(1.0, group="Rewards of the preset")
    reward_clip: float = 0.0
    novelty_bonus: float = 0.0
    credit: Literal["steps", "final"] = "steps"
    regulariser: Literal["spectral", "gradient-penalty"] = "spectral"
    augmentation: float = 0.0
    population: int = 1

    def __post_init__(self) -> None:
        """Raises InputError for a number out of its range, named with the range."""
        for name in ("num_envs", "unroll_length", "epochs", "minibatches"):
            check_range(name, getattr(self, name), 1, MOST_COUNT, whole=True)
        check_range("population", self.population, 1, MOST_MEMBERS, whole=True)
        for name in ("gae_lambda", "final_learning_rate_fraction", "rmsprop_alpha", "slow_units", "augmentation"):
            check_range(name, getattr(self, name), 0, 1)
        check_range("slow_steps", self.slow_steps, 2, MOST_COUNT)
        check_range("discount", self.discount, 0, 1, above=True)
        check_range("anneal_start_fraction", self.anneal_start_fraction, 0, 1, below=True)
        for name in ("learning_rate", "decoder_learning_rate", "clip_range", "optimizer_eps", "reward_scale"):
            check_range(name, getattr(self, name), 0, MOST_NUMBER, above=True)
        for name in ("max_grad_norm", "entropy_cost", "entropy_target", "value_cost", "reward_clip", "novelty_bonus"):
            check_range(name, getattr(self, name), 0, MOST_NUMBER)
        for name, weight in self.loss_weight.items():
            check_range(f"loss_weight {name}", weight, 0, MOST_NUMBER)

    @property
    def network(self) -> NetworkSettings:
        """The settings by which the network is built."""
        return NetworkSettings(self.encoder, self.slow_units, self.slow_steps, self.critic_sees)

    def weight(self, loss: str) -> float:
        """The weight of an auxiliary loss in the sum; the decoder's is 1, since it shares nothing with the agent."""
        return 1.0 if loss == DECODER else self.loss_weight.get(loss, UNNAMED_LOSS_WEIGHT.get(loss, 1.0))

    def learning_rate_factor(self, progress: float) -> float:
        """The schedule: the factor of both learning rates when a fraction `progress` in [0, 1] of the budget is spent."""
        annealed = max(0.0, (progress - self.anneal_start_fraction) / (1 - self.anneal_start_fraction))
        return 1 + annealed * (self.final_learning_rate_fraction - 1)


PAPER = TrainConfig(
    objective="actor-critic",
    observation_size=84,
    num_envs=8,
    gae_lambda=1.0,
    epochs=1,
    minibatches=8,
    learning_rate=3e-4,
    final_learning_rate_fraction=0.0,
    anneal_start_fraction=0.0,
    optimizer="rmsprop",
    optimizer_eps=0.1,
    eps_inside_root=True,
    locked_updates=False,
    max_grad_norm=0.0,
    decoder_learning_rate=3e-4,
    entropy_cost=5e-4,
    sum_over_time=True,
    loss_weight=LossWeights({"depth-encoder": 10.0, "depth-core": 3.33, "loop-closure": 1.0, "reward-prediction": 1.0}),
    precision="float32",
)
"""The middle of each published range (paper, section 5 and appendix). Each gradient is of one world, as an asynchronous worker's
is: eight of them act between two readings of the shared parameters."""

PRESETS: Mapping[str, TrainConfig] = MappingProxyType(
    {
        "fast": TrainConfig(),
        "gpu": TrainConfig(num_envs=1024, minibatches=16),
        "painter": TrainConfig(
            encoder="painter",
            num_envs=256,
            unroll_length=8,
            discount=0.95,
            gae_lambda=0.95,
            learning_rate=6e-4,
            decoder_learning_rate=3e-4,
            entropy_cost=0.02,
            augmentation=0.15,
        ),
        "painter-paper": TrainConfig(
            objective="actor-critic",
            encoder="none",
            num_envs=64,
            unroll_length=8,
            discount=0.95,
            gae_lambda=1.0,
            epochs=1,
            minibatches=1,
            learning_rate=1e-4,
            final_learning_rate_fraction=1.0,
            decoder_learning_rate=1e-4,
            entropy_cost=0.014,
            precision="float32",
        ),
        "memory": TrainConfig(
            slow_units=0.5,
            critic_sees=("goal_distance",),
            num_envs=16,
            unroll_length=300,
            minibatches=8,
            learning_rate=4e-4,
            max_grad_norm=1.0,
        ),
        "paper": PAPER,
        "paper-starred": replace(PAPER, unroll_length=100, reward_scale=0.3, reward_clip=1.0),
    }
)
"""`fast`: what learns in minutes; `gpu`: the same with as many worlds as keep a GPU busy, and gradients of 64 of them; `painter`:
what agents that paint learn with; `painter-paper`: settings of arXiv 1910.01007, appendix I, for the agents `spiral`, with the
middle of each range; `memory`: for agents that remember, with rollouts of 20 s; `paper`: the published settings; `paper-starred`:
those of the paper's agents with an asterisk, whose rewards are scaled and clipped."""


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

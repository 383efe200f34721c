"""A discriminator of canvases, trained beside the agent, and the rewards that it pays (arXiv 1910.01007, section 3)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.config import TrainConfig
from agents.learning.augmentation import NUMBERS, mapped, random_maps
from agents.precision import whole_precision
from agents.rollout import Rollout
from auxiliary.loss import Recorder
from env.batch import WorldSpec
from maze_gen.errors import InputError

KINDS = ("canvas", "target", "complement")
"""What a discriminator judges: the canvas alone; the canvas beside the target; or half of the canvas beside the other half of the
target, so that it can't compare pixels (section 3.3)."""
CREDITS = ("steps", "final")
"""Rewards: D(x_t) − D(x_(t−1)) at every step (section 3.2), or D(x_T) at the last one."""
REGULARISERS = ("spectral", "gradient-penalty")
"""Spectral normalisation with the logistic loss, or Wasserstein's loss with a gradient penalty (arXiv 1704.00028)."""
CHANNELS = (32, 64, 64, 64, 64)
SLOPE = 0.1
PENALTY = 10.0
_SMALLEST = 4
_SQUARINGS = 6


def largest_singular_value(weight: Tensor) -> Tensor:
    """The spectral norm of a matrix [m, n], differentiable: u·Wv with its first singular vectors taken as constants.

    u is a column of (WWᵀ)^64, by repeated squaring: a function of the weight alone, so that nothing has to be kept for it.
    """
    if len(weight) == 1:
        return weight.norm()
    with torch.no_grad():
        power = weight @ weight.T
        power = power / power.trace().clamp(min=1e-30)
        for _ in range(_SQUARINGS // 2):
            # The largest eigenvalue is 1/m or more here, and its fourth power still a normal number.
            power = power @ power
            power = power @ power
            power = power / power.trace().clamp(min=1e-30)
        left = power.index_select(1, power.diagonal().argmax().view(1)).squeeze(1)
        left = functional.normalize(left, dim=0)
        right = functional.normalize(weight.T @ left, dim=0)
    return left @ (weight @ right)


class Discriminator(nn.Module):
    """Convolutions down to 4 x 4 places and a linear layer, each with its weight divided by its spectral norm.

    Args:
        side, channels: of the pictures.
        spectral: whether weights are normalised.
    """

    def __init__(self, side: int, channels: int, spectral: bool = True) -> None:
        super().__init__()
        self.spectral = spectral
        sizes, layers, entering = side, [], channels
        for index, out in enumerate(CHANNELS):
            if sizes <= _SMALLEST:
                break
            kernel, stride = (6, 4) if index == 0 else (4, 2)
            layers.append(nn.Conv2d(entering, out, kernel, stride, 1))
            sizes, entering = (sizes + 2 - kernel) // stride + 1, out
        if sizes > _SMALLEST or sizes < 1:
            raise InputError(f"canvases of {side} x {side}: the discriminator takes 16 to 512 pixels")
        self.layers = nn.ModuleList([*layers, nn.Linear(entering * sizes * sizes, 1)])

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures [M, C, side, side] from -1 to 1 → scores [M], higher for what looks real."""
        x = pictures
        for layer in self.layers:
            assert isinstance(layer, nn.Conv2d | nn.Linear)
            weight = layer.weight
            with whole_precision(pictures.device):
                if self.spectral:
                    weight = weight / largest_singular_value(weight.flatten(1))
                if isinstance(layer, nn.Linear):
                    return functional.linear(x.flatten(1).to(weight.dtype), weight, layer.bias).squeeze(1)
            x = functional.leaky_relu(functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding), SLOPE)
        raise AssertionError


class DiscriminatorReward(nn.Module):
    """Pays an agent by a discriminator, and trains that.

    Args:
        spec: of the worlds, whose privileged arrays have `result` and `sample`.
        kind: of `KINDS`.
        config: its `credit` is one of `CREDITS`, its `regulariser` one of `REGULARISERS`; `augmentation` is the strength of the
            maps under which it is trained (`agents.learning.augmentation`). Rewards are scores of canvases as they are.

    Attributes:
        recorded: privileged arrays that a rollout holds as they are after each step.
        draws: random numbers that its loss takes for each world.

    Raises:
        InputError: worlds without canvases, or without the target that the kind needs.
    """

    recorded: tuple[str, ...] = ("result", "sample")

    def recorders(self, num_envs: int, device: torch.device | str) -> dict[str, Recorder]:
        return {}

    def __init__(self, spec: WorldSpec, kind: str, config: TrainConfig) -> None:
        super().__init__()
        if not set(self.recorded) <= set(spec.privileged):
            raise InputError(f"reward {kind!r}: a discriminator judges canvases, and these worlds have none")
        if kind not in KINDS:
            raise InputError(f"reward {kind!r}: expected one of {', '.join(KINDS)}")
        if kind != "canvas" and "target" not in spec.observations:
            raise InputError(f"reward {kind!r}: these canvases have no target; expected 'canvas'")
        side, _, channels = spec.privileged["result"].shape
        self.kind, self.credit, self.regulariser, self.channels = kind, config.credit, config.regulariser, channels
        self.augmentation = config.augmentation
        self.draws = 2 * NUMBERS if self.augmentation else 0
        self.judge = Discriminator(side, channels if kind == "canvas" else 2 * channels, self.regulariser == "spectral")

    @torch.no_grad()
    def rewards(self, rollout: Rollout) -> Tensor:
        """[T, N] float32: what is paid for each step."""
        images = rollout.inputs.image
        after = self._scores(rollout.recorded["result"], images)
        if self.credit == "final":
            return after * rollout.ended
        before = torch.cat((self._scores(images[:1, ..., : self.channels], images[:1]), after[:-1]))
        starts = rollout.starts[1:]
        if bool(starts.any()):
            # A new canvas, and perhaps another target.
            new = self._scores(images[1:, ..., : self.channels], images[1:])
            before[1:] = torch.where(starts, new, before[1:])
        return after - before

    def loss(self, rollout: Rollout, rows: Tensor, uniforms: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """The discriminator's loss on the episodes of the worlds `rows` [B] that ended in the rollout, and metrics, means.

        Args:
            uniforms: [N, draws] in [0, 1); without them pictures and canvases stay as they are.
        """
        ended = rollout.ended[:, rows]
        t, b = ended.nonzero(as_tuple=True)
        row = rows[b]
        if not len(row):
            zero = torch.zeros((), device=rows.device)
            return zero, {"discriminator_loss": zero, "score_real": zero, "score_fake": zero}
        canvas = rollout.recorded["result"][t, row]
        if self.kind == "canvas":
            real, target = rollout.recorded["sample"][t, row], None
        else:
            real = target = rollout.inputs.image[t, row][..., self.channels : 2 * self.channels]
        maps = [None, None]
        if uniforms is not None and self.augmentation:
            maps = [random_maps(part, self.augmentation) for part in uniforms[row].split(NUMBERS, 1)]
        pictures = torch.cat((self._pictures(real, target, row, maps[0]), self._pictures(canvas, target, row, maps[1])))
        real_scores, fake_scores = self.judge(pictures).chunk(2)
        if self.regulariser == "spectral":
            loss = (functional.softplus(-real_scores) + functional.softplus(fake_scores)).mean()
        else:
            loss = (fake_scores - real_scores).mean() + PENALTY * self._penalty(*pictures.chunk(2))
        metrics = {"discriminator_loss": loss, "score_real": real_scores.mean(), "score_fake": fake_scores.mean()}
        return loss, {name: value.detach() for name, value in metrics.items()}

    def _penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """How far the gradient's length is from 1, between real and painted pictures; mixed half and half."""
        mixed = ((real + fake) / 2).detach().requires_grad_(True)
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(self.judge(mixed).sum(), mixed, create_graph=True)
        return (gradient.flatten(1).norm(dim=1) - 1).square().mean()

    def _scores(self, canvases: Tensor, images: Tensor) -> Tensor:
        """[T, N], of canvases [T, N, side, side, C], beside the targets of what was observed, [T, N, side, side, 2C]."""
        T, N = canvases.shape[:2]
        target = None if self.kind == "canvas" else images[..., self.channels : 2 * self.channels].flatten(0, 1)
        row = torch.arange(N, device=canvases.device).repeat(T)
        return self.judge(self._pictures(canvases.flatten(0, 1), target, row)).view(T, N)

    def _pictures(self, canvas: Tensor, target: Tensor | None, row: Tensor, maps: Tensor | None = None) -> Tensor:
        """What the discriminator sees of canvases [M, side, side, C]: [M, C or 2C, side, side] from -1 to 1.

        Args:
            row: [M], of the batch: each has one of four halves of its own, so that an episode is judged by one.
            maps: [M, 2, 3], of canvas and target, before anything is masked.
        """
        own = _plain(canvas) if maps is None else mapped(_plain(canvas), maps)
        if target is None:
            return own
        given = _plain(target) if maps is None else mapped(_plain(target), maps)
        if self.kind == "target":
            return torch.cat((given, own), 1)
        mask = halves(own.shape[-1], own.device)[row % 4].unsqueeze(1)
        return torch.cat(((1 - mask) * given, mask * own), 1)


def halves(side: int, device: torch.device) -> Tensor:
    """[4, side, side]: 1 in the left, the right, the upper and the lower half."""
    middle = torch.arange(side, device=device) < side // 2
    left = middle.float().expand(side, side)
    return torch.stack((left, 1 - left, left.T, 1 - left.T))


def _plain(pictures: Tensor) -> Tensor:
    """Bytes [M, side, side, C] → [M, C, side, side] from -1 to 1."""
    return pictures.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)

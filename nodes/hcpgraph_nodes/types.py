"""What travels on the wires: small frozen records that carry what makes a mistake visible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from hcpgraph.types import port_type

from .conditioning import Conditioning as Conditioning  # noqa: PLC0414
from .conditioning import Keys as Keys  # noqa: PLC0414
from .conditioning import SampleKey as SampleKey  # noqa: PLC0414

if TYPE_CHECKING:
    from torch import Tensor


@port_type(color="#9aa3ad", shape="diamond")
class Numbers:
    """What holds one tensor of numbers: a scalar loss, or rows, one a sample; nodes of `tensor.` keep its type.

    A dataclass whose first field is `data`; whatever else it has, such as `keys` or `kind`, says what the numbers are.
    """

    __slots__ = ()

    data: Tensor


@port_type(color="#9aa3ad", shape="square")
class Rows(Numbers):
    """Numbers of B samples (B, …), one row a sample."""

    __slots__ = ()


@port_type(color="#e0a458")
@dataclass(frozen=True, slots=True)
class Pictures(Rows):
    """Pictures (B, 3, H, W), float32, of whatever kind; `keys` name the samples they came from, if any."""

    data: Tensor
    keys: Keys | None = None


@port_type(color="#e0a458")
@dataclass(frozen=True, slots=True)
class Images(Pictures):
    """Pictures (B, 3, H, W), float32 in [0, 1]; `keys` name the samples they came from, if any."""


@port_type(color="#8fbf7f", shape="square", gradient=False)
@dataclass(frozen=True, slots=True)
class Captions:
    """B texts, one a sample; `words` are values for the slots of a template, one mapping a sample."""

    texts: tuple[str, ...]
    keys: Keys | None = None
    words: tuple[Mapping[str, str], ...] | None = None


@port_type(color="#b5544d", shape="square")
@dataclass(frozen=True, slots=True)
class LossMask(Rows):
    """How much every pixel of B pictures counts in the loss (B, 1, H, W), float32, ≥ 0."""

    data: Tensor
    keys: Keys | None = None


@port_type(color="#6fb3b8", shape="square", gradient=False)
@dataclass(frozen=True, slots=True)
class CropInfo(Rows):
    """Sizes of B pictures before and after cropping (B, 6), int64, in SDXL's order.

    A row is original height and width, top and left of the crop in the scaled picture, height and width of the crop
    (Podell et al., "SDXL", 2023, section 2.2: what diffusers calls add_time_ids).
    """

    data: Tensor
    keys: Keys | None = None


@port_type(color="#d97ba6", facts=("latents",))
@dataclass(frozen=True, slots=True)
class Latents(Rows):
    """Latents (B, C, h, w), already multiplied by the VAE's scaling factor."""

    data: Tensor
    keys: Keys | None = None


@port_type(color="#d97ba6", shape="diamond", facts=("latents",))
@dataclass(frozen=True, slots=True)
class Posterior:
    """What a VAE's encoder says of pictures: mean and standard deviation of their latents (B, C, h, w), not scaled."""

    mean: Tensor
    deviation: Tensor
    keys: Keys | None = None


@port_type(color="#e0a458", shape="diamond")
@dataclass(frozen=True, slots=True)
class Reconstruction(Pictures):
    """Pictures (B, 3, H, W) as a decoder gives them, float32; about [0, 1], but not cut, so that gradients flow."""


@port_type(color="#8fbf7f", shape="diamond")
@dataclass(frozen=True, slots=True)
class Features(Rows):
    """What a network makes of B samples, float32: one vector for each (B, D), or one for every token (B, L, D).

    Attributes:
        data: The vectors.
        grid: Rows and columns of the tokens where they lie in a picture, row by row; None: they do not.
        keys: The samples that they came from, if any.
    """

    data: Tensor
    grid: tuple[int, int] | None = None
    keys: Keys | None = None


@port_type(color="#b07bd9", facts=("latents", "process"))
@dataclass(frozen=True, slots=True)
class NoisyLatents(Rows):
    """Latents at a noise level, as the denoiser takes them (B, C, h, w)."""

    data: Tensor
    keys: Keys | None = None


@port_type(color="#7b8cd9")
@dataclass(frozen=True, slots=True)
class Noise(Rows):
    """Gaussian noise (B, C, h, w)."""

    data: Tensor
    keys: Keys | None = None


@port_type(color="#6fb3b8", shape="diamond", gradient=False, facts=("process",))
@dataclass(frozen=True, slots=True)
class Timesteps(Rows):
    """Process times (B,): timesteps of a table, int64 in [0, T), or noise levels (edm, flow), float32."""

    data: Tensor
    keys: Keys | None = None


@port_type(color="#c96f6f", facts=("prediction",))
@dataclass(frozen=True, slots=True)
class Prediction(Rows):
    """What the denoiser predicts of x_t = α x_0 + σ ε (B, C, h, w), as `kind` says.

    `epsilon` is ε, `sample` x_0, `v_prediction` α ε − σ x_0 (Salimans & Ho 2022), `flow` ε − x_0, the velocity dx_t/dt
    of a rectified flow (Liu et al. 2022), `edm` the F of Karras et al. 2022 (equation 7).
    """

    data: Tensor
    kind: str = "epsilon"


@port_type(color="#c96f6f", shape="diamond", facts=("prediction",))
@dataclass(frozen=True, slots=True)
class Target(Rows):
    """What the prediction is compared with (B, C, h, w); same `kind` as the prediction."""

    data: Tensor
    kind: str = "epsilon"


@port_type(color="#b5544d")
@dataclass(frozen=True, slots=True)
class SampleLoss(Rows):
    """Loss of every element (B, …), not reduced."""

    data: Tensor


@port_type(color="#b5544d", shape="triangle")
@dataclass(frozen=True, slots=True)
class Loss(Numbers):
    """A scalar loss and the number of samples it is the mean of."""

    data: Tensor
    count: int = 1


@port_type(color="#b5544d", shape="diamond")
@dataclass(frozen=True, slots=True)
class Objective(Loss):
    """A loss that is for the weights of some optimizers alone, see train.objective."""


@port_type(color="#c9b458", shape="triangle")
class Batches:
    """What gives batches by step: a loader of pictures or of what was encoded of them.

    Attributes:
        batches_per_epoch: Batches an epoch.
    """

    batches_per_epoch: int


@port_type(color="#7a8b99", facts=("family", "process"), told=("predicts", "zero_snr", "num_train_timesteps"))
class Process:
    """A forward process x_t = α(t) x_0 + σ(t) ε, and what a network predicts of it.

    The kinds are in `process/kinds`; nodes ask for no more than what stands here. A process time t is a timestep, int64
    in [0, T), of a table (vp), the noise level σ itself (edm), or the share of noise in [0, 1] (flow).

    Attributes:
        kind: `vp`, `edm` or `flow`.
        prediction_type: What the network predicts: epsilon, v_prediction, sample, flow or edm, see `Prediction`.
        config: The configuration of a diffusers scheduler for it, as it is read from and written to model folders.
        num_train_timesteps: T, how many timesteps there are.
        zero_snr: Whether nothing is left of the picture at the last timestep of its table.
    """

    __slots__ = ()

    kind: ClassVar[str]
    zero_snr: bool = False
    prediction_type: str
    config: dict[str, Any]

    @property
    def num_train_timesteps(self) -> int:
        raise NotImplementedError

    def alpha(self, t: Tensor) -> Tensor:
        """What is left of x_0 at process times (B,): α(t), (B,), float32."""
        raise NotImplementedError

    def sigma(self, t: Tensor) -> Tensor:
        """How much noise there is at process times (B,): σ(t), (B,), float32."""
        raise NotImplementedError

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """α(t) and σ(t)."""
        return self.alpha(t), self.sigma(t)

    def snr(self, t: Tensor) -> Tensor:
        """Signal-to-noise ratio α(t)² / σ(t)² at process times (B,)."""
        return (self.alpha(t) / self.sigma(t)).square()

    def emphasis(self, t: Tensor) -> Tensor:
        """Squared error of what the network predicts, for one of x_0 that is 1, at process times (B,)."""
        raise NotImplementedError

    def rate(self, t: Tensor) -> Tensor:
        """How far process times (B,) are on the way from 0, the picture, to 1, the noise; float32."""
        raise NotImplementedError

    def network_input(self, noisy: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """What a family's `predict` takes for x_t (B, C, h, w) at process times (B,): latents and their timesteps."""
        return noisy, t

    def network_output(self, output: Tensor) -> Tensor:
        """The prediction, as `prediction_type` says, that the output of a family's `predict` is."""
        return output

    def mix(self, x_0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t = α(t) x_0 + σ(t) ε of rows (B, C, h, w) at process times (B,)."""
        signal, spread = (wide(each, x_0) for each in self.coefficients(t))
        return signal * x_0 + spread * noise


def wide(rows: Tensor, like: Tensor) -> Tensor:
    """Numbers (B,) in a shape that multiplies the rows of (B, …)."""
    return rows.view(-1, *[1] * (like.dim() - 1))


@port_type(color="#9a9a9a", shape="square", weights="params")
@dataclass(frozen=True, slots=True)
class Params:
    """Parameters to be trained, in groups.

    Each group is a dict with `name`, `params` {file name: Parameter}, and optionally `lr` and `weight_decay` that
    override the optimizer's, and `lr_scale` that multiplies the learning rate, whichever it is.
    """

    groups: tuple[dict[str, Any], ...]


@port_type(color="#9a9a9a", shape="square")
@dataclass(frozen=True, slots=True)
class Trained:
    """What a training loop hands on: its weights are trained.

    Attributes:
        steps: Optimizer steps done.
        loss: The last loss.
        averages: Pairs of a trained parameter and its moving average, where the optimizer keeps one (optim.ema).
    """

    steps: int
    loss: float
    averages: tuple[tuple[Tensor, Tensor], ...] = field(default=(), repr=False)


@port_type(color="#5f8dd3", shape="square")
@dataclass(frozen=True, slots=True)
class Curve:
    """Numbers over steps: name -> list of (step, value)."""

    series: dict[str, list[tuple[int, float]]]


@port_type(color="#7a8b99", shape="square")
@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file or folder that a node wrote: its `root:relative` name and sha256."""

    uri: str
    sha256: str

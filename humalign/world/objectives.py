"""Training objectives of the mini zoo: labels with regularisers, self-supervision, image/text; one class each."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import InputError
from ..zoo.architectures import JOINT, head
from . import augment

OBJECTIVES: dict[str, type[Objective]] = {}


def objective(name: str):
    """Decorator: enter a class into ``OBJECTIVES``."""

    def enter(cls):
        cls.name = name
        OBJECTIVES[name] = cls
        return cls

    return enter


def make(name: str, width: int, outputs: int, **options) -> Objective:
    """The objective of a name for penultimate features of ``width`` units and ``outputs`` labels (or words)."""
    if name not in OBJECTIVES:
        raise InputError(f"no objective is called '{name}'", "objective", f"choose one of {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name](width, outputs, **options)


class Objective(nn.Module):
    """A loss with its own heads.

    ``loss(encoder, images, targets, generator)`` takes uint8 images (n, 3, h, w) and gives a scalar. ``head`` maps
    penultimate features to what is stored as the logits layer; None where there is none.
    """

    name = ""
    pictures = 1  # forward passes with gradient per image, for planning time
    batch = 128

    def __init__(self):
        super().__init__()
        self.head: nn.Module | None = None

    def prepare(self, encoder) -> None:
        """Called once before training, after the encoder has its initial weights."""

    def after_step(self, encoder, progress: float) -> None:
        """Called after each optimiser step; ``progress`` runs from 0 to 1."""

    def trained(self):
        """Parameters for the optimiser."""
        return [p for p in self.parameters() if p.requires_grad]


# ---- labels ----------------------------------------------------------------------------------------------------------


def logit_norm(logits: torch.Tensor, temperature: float = 0.1) -> torch.Tensor:
    """Logits of unit length over a temperature: l / (t |l|)."""
    return F.normalize(logits, dim=1) / temperature


def squared_error(logits, targets, hot: float = 5.0, weight: float = 10.0):
    """Squared error on logits, mean over classes: the true class should be ``hot``, counted ``weight`` times, others 0.

    ``targets`` (n, k) are one-hot.
    """
    error = (logits - hot * targets).square()
    return (error * (1 + (weight - 1) * targets)).sum(1).mean() / logits.shape[1]


class Labels(Objective):
    """Softmax cross-entropy; the base of all objectives on one label per image."""

    augmentation = "standard"

    def __init__(self, width, outputs, augmentation="standard"):
        super().__init__()
        if augmentation not in ("standard", "mixup", "automatic"):
            raise InputError(f"no augmentation is called '{augmentation}'", "augmentation")
        self.outputs, self.augmentation = outputs, augmentation
        self.head = nn.Linear(width, outputs)

    def loss(self, encoder, images, targets, generator):
        x = augment.scaled(augment.shift_and_flip(images, generator))
        if targets.dim() == 1:
            targets = F.one_hot(targets, self.outputs).float()
        if self.augmentation == "automatic":
            x = augment.automatic(x, generator)
        elif self.augmentation == "mixup":
            x, targets = augment.mixup(x, targets, generator)
        return self.of(encoder(x), targets)

    def of(self, features, targets):
        """Loss of penultimate features (n, width) with targets (n, outputs)."""
        return F.cross_entropy(self.head(features), targets)


OBJECTIVES["softmax"] = Labels
Labels.name = "softmax"


@objective("label smoothing")
class LabelSmoothing(Labels):
    """Softmax with targets smoothed by 0.1."""

    def of(self, features, targets):
        return F.cross_entropy(self.head(features), targets, label_smoothing=0.1)


@objective("sigmoid")
class Sigmoid(Labels):
    """One logistic loss per label, summed; also for several labels per image. Biases start at -log(labels)."""

    def __init__(self, width, outputs, augmentation="standard"):
        super().__init__(width, outputs, augmentation)
        nn.init.constant_(self.head.bias, -math.log(outputs))

    def of(self, features, targets):
        return F.binary_cross_entropy_with_logits(self.head(features), targets, reduction="none").sum(1).mean()


@objective("extra l2")
class ExtraL2(Labels):
    """Softmax with a further squared penalty on the weights of the last layer."""

    strength = 2e-3

    def of(self, features, targets):
        return super().of(features, targets) + self.strength * self.head.weight.square().sum()


@objective("dropout")
class Dropout(Labels):
    """Softmax on penultimate features of which 30 % are dropped."""

    def of(self, features, targets):
        return super().of(F.dropout(features, 0.3), targets)


@objective("logit penalty")
class LogitPenalty(Labels):
    """Softmax with a squared penalty on the logits."""

    strength = 2e-3

    def of(self, features, targets):
        logits = self.head(features)
        return F.cross_entropy(logits, targets) + self.strength * logits.square().sum(1).mean()


@objective("cosine softmax")
class CosineSoftmax(Labels):
    """Softmax of cosines over a temperature of 0.1."""

    def __init__(self, width, outputs, augmentation="standard"):
        super().__init__(width, outputs, augmentation)
        self.head = head(self.name, width, outputs)


@objective("logit norm")
class LogitNorm(Labels):
    """Softmax of logits scaled to equal length."""

    def of(self, features, targets):
        return F.cross_entropy(logit_norm(self.head(features)), targets)


@objective("squared error")
class SquaredError(Labels):
    """Squared error between logits and scaled one-hot targets."""

    def of(self, features, targets):
        return squared_error(self.head(features), targets)


# ---- self-supervision ------------------------------------------------------------------------------------------------


def projector(width: int, hidden: int, out: int) -> nn.Sequential:
    """Two-layer perceptron with batch normalisation."""
    return nn.Sequential(nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, out))


def nt_xent(first, second, temperature: float = 0.2):
    """SimCLR loss of two views (n, d) each: every other view of the batch is a negative (Chen et al. 2020)."""
    z = F.normalize(torch.cat([first, second]), dim=1)
    similarity = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    n = len(first)
    return F.cross_entropy(similarity, torch.arange(2 * n, device=z.device).roll(n))


def barlow(first, second, off_diagonal: float = 0.01):
    """Barlow Twins loss: cross-correlation of two views (n, d) against the identity (Zbontar et al. 2021)."""
    a, b = (((z - z.mean(0)) / (z.std(0, unbiased=False) + 1e-5)) for z in (first, second))
    c = a.T @ b / len(a)
    diagonal = torch.diagonal(c)
    return (diagonal - 1).square().sum() + off_diagonal * (c.square().sum() - diagonal.square().sum())


def vicreg(first, second, invariance=25.0, variance=25.0, covariance=1.0):
    """VICReg loss of two views (n, d): squared distance, hinge on standard deviations, squared covariances
    (Bardes et al. 2022)."""
    loss = invariance * F.mse_loss(first, second)
    for z in (first, second):
        z = z - z.mean(0)
        loss = loss + variance * F.relu(1 - (z.var(0) + 1e-4).sqrt()).mean() / 2
        c = z.T @ z / (len(z) - 1)
        loss = loss + covariance * (c.square().sum() - torch.diagonal(c).square().sum()) / z.shape[1]
    return loss


@torch.no_grad()
def sinkhorn(scores, epsilon: float = 0.05, rounds: int = 3):
    """Soft codes (n, k) whose rows sum to 1 and whose columns are (nearly) equally heavy (Caron et al. 2020)."""
    q = torch.exp((scores - scores.max()) / epsilon)
    for _ in range(rounds):
        q = q / q.sum(0, keepdim=True).clamp_min(1e-12) / q.shape[1]
        q = q / q.sum(1, keepdim=True).clamp_min(1e-12) / q.shape[0]
    return q * q.shape[0]


class TwoViews(Objective):
    """Base of the methods that compare two strong views of an image."""

    pictures, batch, sizes = 2, 128, (128, 64)

    def __init__(self, width, outputs=0):
        super().__init__()
        self.projector = projector(width, *self.sizes)

    def loss(self, encoder, images, targets, generator):
        x = augment.scaled(images)
        views = torch.cat([augment.strong_view(x, generator), augment.strong_view(x, generator)])
        return self.of(*self.projector(encoder(views)).chunk(2))


@objective("simclr")
class SimCLR(TwoViews):
    """Contrast within the batch."""

    of = staticmethod(nt_xent)


@objective("barlow twins")
class BarlowTwins(TwoViews):
    """Redundancy reduction."""

    sizes = (128, 128)
    of = staticmethod(barlow)


@objective("vicreg")
class VICReg(TwoViews):
    """Invariance, variance, covariance."""

    sizes = (128, 128)
    of = staticmethod(vicreg)


@objective("swav")
class SwAV(TwoViews):
    """Each view predicts the balanced prototype code of the other; two views, no small crops."""

    prototypes, temperature = 96, 0.1

    def __init__(self, width, outputs=0):
        super().__init__(width)
        self.centres = nn.Parameter(F.normalize(torch.randn(self.prototypes, self.sizes[1]), dim=1))

    def of(self, first, second):
        """Swapped prediction loss of two projections (n, d)."""
        scores = [F.normalize(z, dim=1) @ F.normalize(self.centres, dim=1).T for z in (first, second)]
        codes = [sinkhorn(s) for s in scores]
        return sum(
            -(codes[1 - k] * F.log_softmax(scores[k] / self.temperature, dim=1)).sum(1).mean() / 2 for k in (0, 1)
        )


@objective("moco v2")
class MoCo(Objective):
    """Contrast with a queue of keys from a slowly moving copy of the network (He et al. 2020, Chen et al. 2020)."""

    pictures, batch, size, momentum, temperature = 2, 128, 2048, 0.99, 0.2

    def __init__(self, width, outputs=0):
        super().__init__()
        self.projector = projector(width, 128, 64)
        self.register_buffer("queue", F.normalize(torch.randn(self.size, 64), dim=1))
        self.register_buffer("at", torch.zeros((), dtype=torch.long))
        self.keys: nn.Module | None = None  # made by prepare

    def prepare(self, encoder):
        self.keys = copy.deepcopy(nn.ModuleList([encoder, self.projector])).requires_grad_(False)

    def loss(self, encoder, images, targets, generator):
        x = augment.scaled(images)
        queries = F.normalize(self.projector(encoder(augment.strong_view(x, generator))), dim=1)
        with torch.no_grad():
            order = torch.randperm(len(x), generator=generator).to(x.device)
            view = augment.strong_view(x, generator)
            keys = torch.empty_like(queries)
            for part in order.chunk(2):  # other batches than those of the queries, so that batch norm tells nothing
                keys[part] = F.normalize(self.keys[1](self.keys[0](view[part])), dim=1)
        return self.of(queries, keys)

    def of(self, queries, keys):
        """InfoNCE of queries (n, d) with their keys (n, d) against the queue, then the keys enter the queue."""
        positive = (queries * keys).sum(1, keepdim=True)
        logits = torch.cat([positive, queries @ self.queue.T.clone()], 1) / self.temperature
        with torch.no_grad():
            rows = (self.at + torch.arange(len(keys), device=keys.device)) % self.size
            self.queue[rows] = keys
            self.at.copy_((self.at + len(keys)) % self.size)
        return F.cross_entropy(logits, torch.zeros(len(queries), dtype=torch.long, device=queries.device))

    @torch.no_grad()
    def after_step(self, encoder, progress):
        own = [*encoder.parameters(), *self.projector.parameters()]
        for slow, fast in zip(self.keys.parameters(), own):
            slow.lerp_(fast, 1 - self.momentum)


class Pretext(Objective):
    """Base of the tasks that ask what was done to one image."""

    classes, batch = 4, 128

    def __init__(self, width, outputs=0):
        super().__init__()
        self.task = nn.Linear(width, self.classes)

    def loss(self, encoder, images, targets, generator):
        x, answer = self.done(augment.scaled(augment.shift_and_flip(images, generator)), generator)
        return F.cross_entropy(self.task(encoder(x)), answer)


@objective("rotnet")
class RotNet(Pretext):
    """Which of four rotations? Each image is shown in all four, as by Gidaris et al. (2018)."""

    batch = 32  # images; four times as many are shown
    done = staticmethod(augment.rotate)


@objective("jigsaw")
class Jigsaw(Pretext):
    """Which of the 24 orders of 2 x 2 tiles? (after Noroozi and Favaro 2016, there 3 x 3 tiles in separate towers)"""

    classes = len(augment.TILE_ORDERS)
    done = staticmethod(augment.jigsaw)


# ---- image/text ------------------------------------------------------------------------------------------------------


class TextTower(nn.Module):
    """Mean of word vectors, then a two-layer perceptron: word numbers (n, words) to (n, out); 0 is no word."""

    def __init__(self, words, width, out):
        super().__init__()
        self.words = nn.EmbeddingBag(words, width, mode="mean", padding_idx=0)
        self.layers = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, out))

    def forward(self, tokens):
        return self.layers(self.words(tokens))


@objective("image/text")
class ImageText(Objective):
    """Contrast of images with captions (Radford et al. 2021) by ``open_clip.ClipLoss``; targets are word numbers."""

    def __init__(self, width, outputs):
        super().__init__()
        from open_clip import ClipLoss

        from .. import compat  # noqa: F401

        self.head = head(self.name, width, outputs)
        self.text = TextTower(outputs, JOINT, JOINT)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.contrast = ClipLoss()

    def loss(self, encoder, images, targets, generator):
        x = augment.scaled(augment.shift_and_flip(images, generator))
        image = F.normalize(self.head(encoder(x)), dim=1)
        text = F.normalize(self.text(targets), dim=1)
        return self.contrast(image, text, self.log_scale.exp().clamp(max=100.0))


@objective("none")
class Untrained(Objective):
    """No training: initial weights, batch statistics of the training images only."""

    def __init__(self, width, outputs=0):
        super().__init__()

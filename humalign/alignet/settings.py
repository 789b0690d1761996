"""All choices of an alignment run in one record, and the named presets: the paper's, and that of the drawn world."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

from ..errors import InputError
from ..store import unlike

CHOICES = {
    "loss": ("kl", "jsd", "contrastive"),
    "similarity": ("dot", "cosine"),
    "teacher": ("human-aligned", "untransformed"),
    "input": ("unit", "native"),
    "batch_norm": ("train", "frozen"),
    "precision": ("float32", "bfloat16"),
    "augmentation": ("none", "flip-shift"),
    "towards": ("start", "zero"),
}


@dataclass(frozen=True)
class Settings:
    """How a student is trained. Defaults are the paper's human-aligned setting.

    Attributes
    ----------
    teacher : {"human-aligned", "untransformed"}
        Whose labels: "untransformed" is the control UnAligNet, never the default.
    loss : {"jsd", "kl", "contrastive"}
        The released configuration has jsd, the paper describes kl.
    temperature : float or None
        Divides the student's similarities; None finds the value at which the untouched student is nearest the teacher.
    similarity : {"dot", "cosine"}
        Between the student's vectors.
    head : int
        Width of the linear triplet head; 0 aligns the features themselves.
    steps, warmup : int
        All steps, and how many of them the learning rate rises.
    batch : int
        Triplets a step (files of triplets), or images a step (triplets formed within the batch).
    lr, beta1, beta2, eps, decay : float
        Adam and the decoupled decay towards the starting weights.
    towards : {"start", "zero"}
        "zero" is the known mistake, kept to show it.
    input : {"unit", "native"}
        Pixels in [0, 1], as the official code gives every network, or normalised as the tower was trained.
    batch_norm : {"train", "frozen"}
        Whether batch statistics are updated.
    augmentation : {"none", "flip-shift"}
    local, local_temperature : float
        Weight and temperature of the term that keeps neighbours as in the untransformed teacher (0: off).
    precision : {"float32", "bfloat16"}
        bfloat16 runs the tower under autocast; head, loss and optimiser stay float32.
    checkpointing : bool
        Recompute activations in the backward pass to save memory.
    seed : int
        Order of triplets, batches, augmentation, head.
    checkpoint_every, checkpoints_kept : int
        Steps between checkpoints (0: only at the end or when interrupted), and how many are kept.
    """

    teacher: str = "human-aligned"
    loss: str = "jsd"
    temperature: float | None = 100.0
    similarity: str = "dot"
    head: int = 1024
    steps: int = 100_000
    warmup: int = 5_000
    batch: int = 512
    lr: float = 3e-5
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    decay: float = 1.0
    towards: str = "start"
    input: str = "unit"
    batch_norm: str = "train"
    augmentation: str = "none"
    local: float = 0.0
    local_temperature: float = 0.1
    precision: str = "float32"
    checkpointing: bool = False
    seed: int = 42
    checkpoint_every: int = 10_000
    checkpoints_kept: int = 3

    def __post_init__(self):
        for one in fields(self):
            value, like = getattr(self, one.name), type(one.default)
            if unlike(value, (like, None) if one.name == "temperature" else like) or (
                like in (int, float) and value is not None and not abs(value) < 1e18
            ):
                wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}[like]
                raise InputError(f"is {value!r}", one.name, f"give {wanted}")
        for name, options in CHOICES.items():
            if getattr(self, name) not in options:
                raise InputError(f"'{getattr(self, name)}' is not known", name, f"choose one of {', '.join(options)}")
        if self.temperature is not None and not self.temperature > 0:
            raise InputError(
                f"is {self.temperature}", "temperature", "give a number above 0, or none to match the student"
            )
        if self.steps < 1 or not 0 <= self.warmup < self.steps:
            raise InputError(f"{self.warmup} warm-up steps of {self.steps}", "steps", "give 0 <= warmup < steps")
        least = {
            "batch": 1,
            "checkpoints_kept": 1,
            "head": 0,
            "lr": 0,
            "decay": 0,
            "local": 0,
            "seed": 0,
            "checkpoint_every": 0,
        }
        if small := [name for name, bound in least.items() if getattr(self, name) < bound]:
            raise InputError(f"is {getattr(self, small[0])}", small[0], f"give at least {least[small[0]]}")
        for name, low in (("beta1", -1), ("beta2", -1), ("eps", 0), ("local_temperature", 0)):
            high = 1e6 if name == "local_temperature" else 1
            if not low < getattr(self, name) < high or getattr(self, name) < 0:
                raise InputError(f"is {getattr(self, name)}", name, f"give a number between 0 and {high:g}")

    def as_dict(self) -> dict:
        """Plain values for JSON and for digests, with the names that runs were recorded under."""
        return {RECORDED.get(name, name): value for name, value in asdict(self).items()}

    def with_(self, **changes) -> Settings:
        """A copy with other values; a shorter run keeps the share of warm-up unless ``warmup`` is given."""
        if unknown := sorted(set(changes) - {f.name for f in fields(self)}):
            raise InputError(f"'{unknown[0]}' is no setting", "settings", "see humalign alignet train --help")
        if isinstance(changes.get("steps"), int) and "warmup" not in changes:
            changes["warmup"] = min(round(changes["steps"] * self.warmup / self.steps), max(changes["steps"] - 1, 0))
        return replace(self, **changes)


RECORDED = {"checkpoints_kept": "keep"}  # settings that have another name in records and digests
PRESETS = {
    # Muttenthaler et al. 2025, released configs/siglip.py, with transform = uncertainty distillation
    "paper": Settings(precision="bfloat16"),
    # the same with the objective that the text describes
    "paper-kl": Settings(precision="bfloat16", loss="kl"),
    # the drawn world: small networks, minutes on a CPU; reasons in experiments/PROTOCOL.md
    "mini": Settings(
        loss="kl", temperature=None, head=0, steps=700, warmup=35, batch=192, lr=3e-3, decay=0.5, input="native",
        augmentation="flip-shift", local=0.1, seed=0, checkpoint_every=0,
    ),
}  # fmt: skip
PRIMARY = PRESETS["mini"].with_(steps=500)  # of the runs that the book reports


def preset(name: str, **changes) -> Settings:
    """Settings of a preset with some of them changed; InputError for an unknown name."""
    if name not in PRESETS:
        raise InputError(f"no preset is called '{name}'", "preset", f"choose one of {', '.join(PRESETS)}")
    return PRESETS[name].with_(**changes)

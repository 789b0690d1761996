"""Fine-tuning of a student on the teacher's choices: one process or several, checkpoints, exact resume."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import distributed

from ..errors import HumalignError, InputError
from ..processes import patient
from ..store import digest, load_arrays, save_arrays, unlike, write_text
from . import losses
from .optim import AdamToStart, learning_rate
from .settings import Settings
from .student import Student


@dataclass
class Processes:
    """The processes of a run: this one's number, how many there are, its device."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @classmethod
    def join(cls, device: str = "cpu") -> Processes:
        """What ``torchrun`` says (RANK, WORLD_SIZE, LOCAL_RANK), or one process alone.

        Processes talk by NCCL on CUDA and by gloo on the CPU.
        """
        world = int(os.environ.get("WORLD_SIZE", "1"))
        kind = torch.device(device).type
        if world == 1:
            return cls(0, 1, torch.device(device))
        if kind == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
            device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
        return cls(distributed.get_rank(), world, torch.device(device))

    def leave(self) -> None:
        """End the group."""
        if self.world > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    def mean(self, value: torch.Tensor) -> float:
        """Mean of a number over all processes."""
        value = value.detach().clone()
        if self.world > 1:
            distributed.all_reduce(value)
        return float(value) / self.world


@dataclass
class Outcome:
    """A finished training: the student, the log (one row a step kept), the temperature used, the relative change of
    all weights, and whether it ended or was stopped before."""

    student: Student
    log: list[dict]
    temperature: float
    displacement: float
    step: int
    finished: bool


def batch_similarities(vectors: torch.Tensor, triplets: torch.Tensor, similarity: str = "dot") -> torch.Tensor:
    """Similarities (t, 3) of the pairs (0, 1), (0, 2), (1, 2) of triplets of rows of ``vectors`` (u, d)."""
    if similarity == "cosine":
        vectors = torch.nn.functional.normalize(vectors, dim=1)
    a, b, c = triplets.unbind(1)
    if len(triplets) > len(vectors):  # many triplets of few pictures: one product of all pairs
        gram = vectors @ vectors.T
        return torch.stack([gram[a, b], gram[a, c], gram[b, c]], 1)
    x, y, z = vectors[a], vectors[b], vectors[c]
    return torch.stack([(x * y).sum(1), (x * z).sum(1), (y * z).sum(1)], 1)


def matched_temperature(student: Student, batches, settings: Settings, device="cpu", n_batches: int = 2) -> float:
    """The temperature at which the student, as it stands, is nearest the teacher on its first batches."""
    student.eval()
    similarities, targets = [], []
    with torch.no_grad():
        for step in range(min(n_batches, len(batches))):
            batch = batches.whole(step)
            _, logits = student(batch.pixels.to(device))
            similarities.append(batch_similarities(logits, batch.triplets.to(device), settings.similarity).cpu())
            targets.append(batch.targets)
    return losses.match_temperature(torch.cat(similarities), torch.cat(targets))


def _mode(student: Student, settings: Settings) -> None:
    student.train()
    if settings.batch_norm == "frozen":
        student.freeze_statistics()


def _seed(settings: Settings, step: int) -> int:
    return int(digest("step", settings.seed, step), 16) % (1 << 62)


class Trainer:
    """One alignment run.

    Parameters
    ----------
    student : Student
        With the weights to start from: the decay pulls to what they are now.
    batches : FileBatches or PoolBatches
    settings : Settings
    folder : path, optional
        For checkpoints, the log and the finished student; None keeps everything in memory.
    group : Processes, optional
    workers : int
        Processes that read pictures ahead; 0 reads in this one.
    parts : object
        What else makes this run (digest of the data); a checkpoint of another run is refused.
    """

    def __init__(self, student, batches, settings, folder=None, group=None, workers=0, made_from=()):
        self.group = group or Processes()
        self.settings, self.batches, self.workers = settings, batches, int(workers)
        self.folder = Path(folder) if folder else None
        if len(batches) != settings.steps:
            raise InputError(
                f"{len(batches)} batches for {settings.steps} steps", "training", "make as many batches as steps"
            )
        batches.rank, batches.world = self.group.rank, self.group.world
        self.student = student.to(self.group.device)
        self.key = digest("training 1", settings.as_dict(), student.facts, made_from, self.group.world)
        if self.group.world > 1 and student.has_batch_norm() and settings.batch_norm == "train":
            if self.group.device.type != "cuda":
                raise InputError(
                    "batch statistics cannot be shared between processes on the CPU",
                    "batch_norm",
                    "freeze them (--set batch_norm=frozen) or use one process",
                )
            self.student = torch.nn.SyncBatchNorm.convert_sync_batchnorm(self.student)
        if self.group.world > 1 and settings.local:
            raise InputError(
                "the local term needs the whole batch in one process", "local", "set it to 0 or use one process"
            )
        if settings.checkpointing:
            self.student.set_checkpointing()
        self.optimiser = AdamToStart(
            self.student.named_parameters(),
            settings.lr,
            (settings.beta1, settings.beta2),
            settings.eps,
            settings.decay,
            settings.towards,
        )
        self.step, self.log, self.temperature = 0, [], settings.temperature

    # ---- checkpoints
    def _checkpoints(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.safetensors")) if self.folder and self.folder.is_dir() else []

    def save(self) -> Path | None:
        """Write a checkpoint (first process only) and drop the oldest ones."""
        if self.folder is None or self.group.rank:
            return None
        arrays = {f"student/{k}": v for k, v in self.student.arrays().items()}
        arrays |= {f"optimiser/{k}": v for k, v in self.optimiser.arrays().items()}
        meta = {
            "key": self.key,
            "step": self.step,
            "temperature": self.temperature,
            "log": self.log,
            "settings": self.settings.as_dict(),
        }
        path = save_arrays(self.folder / f"step-{self.step:08d}.safetensors", arrays, meta)
        for old in self._checkpoints()[: -self.settings.checkpoints_kept]:
            old.unlink()
            old.with_name(old.name + ".json").unlink(missing_ok=True)
        return path

    def resume(self) -> int:
        """Take up the newest sound checkpoint of the folder; the step it was written after, 0 when there is none.

        Raises
        ------
        InputError
            When the folder holds checkpoints of another run.
        """
        for path in reversed(self._checkpoints()):
            try:
                arrays, meta = load_arrays(path)
            except InputError:
                continue  # half-written: the one before counts
            log = [{"step": int, "loss": float, "lr": float}]
            if told := unlike(meta, {"key": str, "step": int, "log": log, "temperature": (float, None)}):
                raise InputError(told, path.with_name(path.name + ".json"), "delete it with its weights")
            if meta["key"] != self.key:
                raise InputError(
                    "belongs to a run with other settings, data or number of processes",
                    path,
                    "continue with the same ones, or choose another folder",
                )

            def under(prefix, arrays=arrays):
                return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

            self.student.load_weights(under("student/"), path)
            self.optimiser.load(under("optimiser/"), meta["step"])
            self.step, self.log, self.temperature = meta["step"], meta["log"], meta["temperature"]
            break
        return self.step

    # ---- training
    def loss(self, model, batch):
        """Total loss and its distillation part for one batch."""
        s, device = self.settings, self.group.device
        features, logits = model(batch.pixels.to(device), s.precision)
        similarities = batch_similarities(logits, batch.triplets.to(device), s.similarity)
        part = losses.LOSSES[s.loss](similarities, batch.targets.to(device), self.temperature).mean()
        total = part
        if s.local:
            if batch.reference is None:
                raise InputError(
                    "the local term has no reference", "local", "give the untransformed teacher's features"
                )
            total = part + s.local * losses.local(features, batch.reference.to(device), s.local_temperature).mean()
        return total, part

    def run(self, stop: int | None = None, progress=None) -> Outcome:
        """Train until the end, or until step ``stop``.

        Parameters
        ----------
        stop : int, optional
        progress : callable, optional
            Called after each step with (step, loss).

        Returns
        -------
        Outcome

        Raises
        ------
        HumalignError
            When the loss is not finite; the last checkpoint is kept.
        """
        from torch.utils.data import DataLoader

        s, device = self.settings, self.group.device
        if self.temperature is None:
            self.temperature = matched_temperature(self.student, self.batches, s, device)
        model = self.student
        if self.group.world > 1:
            model = torch.nn.parallel.DistributedDataParallel(
                self.student, device_ids=[device.index] if device.type == "cuda" else None
            )
        end = s.steps if stop is None else min(int(stop), s.steps)
        loader = DataLoader(
            self.batches, batch_size=None, sampler=range(self.step, end), num_workers=self.workers, collate_fn=_same
        )
        with torch.random.fork_rng(devices=[]), patient() as interrupted:
            try:
                for batch in loader:
                    interrupted()
                    torch.manual_seed(_seed(s, self.step) + self.group.rank)  # dropout: a matter of seed and step
                    _mode(self.student, s)
                    rate = learning_rate(self.step, s.lr, s.warmup, s.steps)
                    self.optimiser.param_groups[0]["lr"] = rate
                    self.optimiser.zero_grad(set_to_none=True)
                    total, part = self.loss(model, batch)
                    total.backward()
                    value = self.group.mean(part)
                    if not np.isfinite(value):
                        raise HumalignError(
                            f"the loss is {value} at step {self.step}; lower the learning rate or check the labels"
                        )
                    self.optimiser.step()
                    self.log.append({"step": self.step, "loss": value, "lr": rate})
                    self.step += 1
                    if progress:
                        progress(self.step, value)
                    if s.checkpoint_every and self.step % s.checkpoint_every == 0 and self.step < s.steps:
                        self.save()
                interrupted()
            except KeyboardInterrupt:
                self.save()
                raise
        finished = self.step >= s.steps
        self.save()
        if finished and self.folder is not None and self.group.rank == 0:
            write_text(self.folder / "log.csv", log_text(self.log))
            self.student.save(
                self.folder / "student.safetensors",
                settings=s.as_dict(),
                temperature=self.temperature,
                displacement=self.optimiser.displacement(),
                steps=self.step,
            )
        self.student.eval()
        return Outcome(self.student, self.log, self.temperature, self.optimiser.displacement(), self.step, finished)


def _same(batch):
    return batch


def log_text(log: list[dict]) -> str:
    """The log as CSV."""
    lines = [f"{row['step']},{row['loss']:.6g},{row['lr']:.6g}" for row in log]
    return "\n".join(["step,loss,lr", *lines]) + "\n"

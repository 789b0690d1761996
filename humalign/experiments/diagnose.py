"""Why ports of the official code end at chance: each known mistake made on purpose, in short runs, drawn world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..alignet.optim import rate_sum
from ..alignet.settings import PRESETS, Settings
from ..arrays import one_of
from ..chapters.teacher import features
from ..source import open_source
from .students import StudentRun, start, student_features, trainer

STEPS = 150
SHORT = PRESETS["mini"].with_(steps=STEPS, local=0.0)
LAYER = "penultimate"


@dataclass(frozen=True)
class Mistake:
    """One way to get it wrong.

    Attributes
    ----------
    name, text : str
        Short name; what a port does, and what it should do.
    settings : dict
        Changes of the short run.
    columns : tuple of int
        Order in which the similarities are read.
    evaluated : str
        Input range at evaluation, where it differs from training.
    factor : float
        Of the matched temperature.
    """

    name: str
    text: str
    settings: dict
    columns: tuple = (0, 1, 2)
    evaluated: str = ""
    factor: float = 1.0


def strength(settings: Settings, total: float = 1.5) -> float:
    """The decay at which decay times the sum of learning rates is ``total`` (1.5 in the paper's configuration)."""
    return total / rate_sum(settings.lr, settings.warmup, settings.steps)


def mistakes() -> list[Mistake]:
    """The right way first, then each mistake alone."""
    paper = strength(SHORT)
    wrong_order = "similarities read as (12), (02), (01) instead of (01), (02), (12)"
    wrong_pixels = "trained as it should be, evaluated with pixels in [0, 1] instead of [-1, 1]"
    wrong_labels = "labels of the untransformed teacher: the default of the released configuration"
    return [
        Mistake("right", "short run without a mistake", {}),
        Mistake(
            "right, decay as in the paper", "decay times sum of learning rates = 1.5, to the start", {"decay": paper}
        ),
        Mistake("decay to zero", "the same decay, to zero, as in AdamW", {"decay": paper, "towards": "zero"}),
        Mistake("wrong triplet order", wrong_order, {}, (2, 1, 0)),
        Mistake("wrong preprocessing", wrong_pixels, {}, evaluated="unit"),
        Mistake("wrong default transform", wrong_labels, {"teacher": "untransformed"}),
        Mistake("temperature too low", "a hundredth of the temperature that fits the student", {}, factor=0.01),
        Mistake("temperature too high", "a hundred times the temperature that fits the student", {}, factor=100.0),
    ]


def perform(name: str, profile, student: str = "softmax-resnet-m", seed: int = 0, steps: int = STEPS):
    """Make one mistake and measure the outcome.

    Parameters
    ----------
    name : str
        Of :func:`mistakes`, or "base" for the network before, or "base, wrong preprocessing".
    profile : Profile
    student : str
        Network of the mini zoo.
    seed, steps : int

    Returns
    -------
    DataFrame
        Result table: dataset levels (held-out and seen concepts, coarse and boundary), stage "diagnosis: NAME"; and
        dataset training: first and last loss, relative change of the weights.
    """
    from .. import odd_one_out, resample
    from ..results import table
    from ..similarity import similarity_matrix
    from ..world.splits import level_triplets

    rows = []
    if name in ("base", "base, wrong preprocessing"):
        run = StudentRun(student, seed, settings=SHORT.with_(input="unit" if "wrong" in name else "native"))
        network = start(run, profile)
        if name == "base":
            values = features(open_source(profile), student, "test", seed)
        else:
            values = student_features(network, profile, "test")
    else:
        mistake = {m.name: m for m in mistakes()}[one_of(name, [m.name for m in mistakes()], "mistake")]
        settings = SHORT.with_(steps=steps, seed=seed, **mistake.settings)
        run = StudentRun(student, seed, settings=settings, columns=mistake.columns)
        job = trainer(run, profile)
        if mistake.factor != 1:
            from ..alignet.training import matched_temperature

            job.temperature = mistake.factor * matched_temperature(job.student, job.batches, settings)
        outcome = job.run()
        network = outcome.student
        losses = [row["loss"] for row in outcome.log]
        facts = {"first loss": np.mean(losses[:5]), "last loss": np.mean(losses[-15:])}
        facts |= {"change of weights": outcome.displacement, "temperature": outcome.temperature}
        rows += [dict(dataset="training", measure="training", detail=k, value=float(v)) for k, v in facts.items()]
        if mistake.evaluated:
            network.mean.zero_()
            network.std.fill_(1.0)
        values = student_features(network, profile, "test")
    # a collapsed network gives every picture the same features: all similarities tie, and each tie scores one third
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    similarity = similarity_matrix(values, "cosine")
    for part in ("H2", "seen"):
        data = level_triplets(part)
        right = np.asarray(odd_one_out.scores(similarity, data.triplets, ties="fraction"))
        for level in ("coarse", "boundary"):
            keep = data.level == level
            value, draws = resample.triplet_means(right[keep], data.triplets[keep], data.concepts)
            low, high = resample.interval(draws)
            row = dict(dataset="levels", measure="accuracy", detail=f"{part}/{level}", value=value, n=int(keep.sum()))
            rows.append({**row, "low": low, "high": high})
    common = {"profile": "mini", "model": student, "seed": seed, "layer": LAYER, "stage": f"diagnosis: {name}"}
    return table(rows, provenance="live", source="humalign.experiments.diagnose", **common)


def names() -> list[str]:
    """All that :func:`perform` knows."""
    return ["base", "base, wrong preprocessing", *(m.name for m in mistakes())]


def record(profile, path, say=print, **options):
    """Perform all that is not in the recorded table yet, and write it after each."""
    from ..results import combine, read, write

    done = read(path) if path.is_file() else None
    for name in names():
        if done is not None and (done["stage"] == f"diagnosis: {name}").any():
            continue
        new = perform(name, profile, **options).assign(provenance="recorded")
        done = new if done is None else combine(done, new)
        write(done, path)
        value = new.set_index("detail")["value"]
        found = f"H2 coarse {value['H2/coarse']:.3f}, seen boundary {value['seen/boundary']:.3f}"
        say(f"done     diagnosis {name}: {found}", flush=True)
    return done

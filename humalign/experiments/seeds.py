"""Results of further training runs of the mini zoo, recorded where their weights exist."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from ..chapters import concepts, networks, probing, rsa, zero_shot
from ..chapters.second_world import TOGETHER
from ..edition import NOW
from ..errors import MissingData
from ..results import Measured, combine
from ..source import Source, open_source
from ..store import write_text
from ..world.kinds import basic
from ..world.train import write_records
from ..zoo import small
from ..zoo.facts import table

RUNS = (0, 1, 2) if NOW.folder else (1, 2)  # weights of the first runs come with the package: measured live


def kinds_together(source: Source, models, seeds) -> Measured:
    """Probing with a kind and its basic concept in the same fold: nothing learned from a dog is tested on a dalmatian.

    Returns
    -------
    Measured
        Of :func:`humalign.chapters.probing.of_probes`, penultimate layer, stages with the end
        :data:`humalign.chapters.second_world.TOGETHER`; draws over basic concepts.
    """
    own = source.triplets("things")
    found = networks.measure(
        source, "things", probing.of_features, probing.VERSION, name="probing-together", models=models, seeds=seeds,
        answers=replace(own, concepts=tuple(map(basic, own.concepts))), layers=("penultimate",),
        inputs=probing.settings_of(source),
    )  # fmt: skip
    return Measured(found.table.assign(stage=found.table["stage"] + TOGETHER), found.draws)


def measure(source: Source, seeds=RUNS) -> Measured:
    """Zero-shot accuracy, probing, RSA and regression of the training runs at hand.

    Parameters
    ----------
    source : Source
        The drawn world.
    seeds : sequence of int
        Training runs; those without any weights are left out.

    Raises
    ------
    MissingData
        When no weights of these runs are at hand.
    """
    runs = [(model, seed) for seed in seeds for model in source.models("things", seed)]
    if not runs:
        listed = ", ".join(map(str, seeds))
        raise MissingData(f"there are no weights of seeds {listed}", "mini zoo", "run 'humalign world train --all'")
    parts = []
    for model, seed in tqdm(runs, desc="training runs", unit="run"):  # each is kept, so that an interruption costs one
        chapters = zero_shot.measure, rsa.measure, probing.measure, concepts.regression_accuracy
        parts += [chapter(source, [model], (seed,)) for chapter in chapters]
        try:
            parts.append(probing.measure_rsa(source, [model], (seed,)))
            if NOW.folder and model in NOW.students:
                parts.append(kinds_together(source, [model], (seed,)))
        except MissingData:  # a transform that collapsed to nothing leaves nothing to compare after it
            continue
    return combine(*parts)


def record(profile, folder=None) -> list[Path]:
    """Measure the further training runs and store them beside the package's other records."""
    path = networks.recorded_path() if folder is None else Path(folder) / networks.recorded_path().name
    if NOW.folder:  # no weights come with the package, so that facts of training runs are recorded here
        write_records([profile.cache / "zoo"], path.with_name(small.records_path().name))
    found = measure(open_source(profile))
    found.table["provenance"], found.table["source"] = "recorded", "humalign record --profile mini"
    if not NOW.folder:
        return [found.save(path, small=True)]
    facts = path.with_name("networks.csv")  # read where another world is chosen
    return [found.save(path, small=True), write_text(facts, table("mini").to_csv(index=False, float_format="%.6g"))]

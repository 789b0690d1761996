"""The report card of one network: the chapters' measures on every set of answers at hand, with people's ceilings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from . import choices, odd_one_out, resample, results
from .chapters import calibration, networks, probing, rsa, zero_shot
from .config import Profile, whose
from .data.types import Features, HumanRDM, Stimuli, Triplets
from .errors import HumalignError, InputError, MissingData
from .levels import LEVELS
from .results import Measured
from .similarity import similarity_matrix
from .source import Source

CHANCE = zero_shot.CHANCE
KERNELS = ("cosine", "dot")
LEAST_TRIPLETS, LEAST_IMAGES = 200, 10  # that answers are left with
LEAST_PROBED, MOST_PROBED = 2_000, 150_000  # triplets for a transform; of more, as many are drawn
DRAWN_PIXELS = 100_000_000  # in all drawn pictures of a set; more are not drawn for a network
STAGES = {"zero-shot": "1", "calibrated": "log loss"}  # of calibration: rule of the chapter that gives the temperature
CURVES = ["dataset", "layer", "stage", "confidence", "accuracy", "n"]


@dataclass
class Report:
    """What was found of one model.

    Attributes
    ----------
    model : str
    table : DataFrame
        Result table (:mod:`humalign.results`): the model's rows, and the people's (model "people", stage "ceiling").
    reliability : DataFrame
        Reliability curves: dataset, layer, stage, confidence, accuracy, n.
    facts : dict
    notes : list of str
        What was left out and why, one line each.
    concepts : DataFrame
        Of choices: agreement with people's majority by concept; dataset, model, concept, value, n.
    """

    model: str
    table: pd.DataFrame
    reliability: pd.DataFrame
    facts: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    concepts: pd.DataFrame = field(default_factory=pd.DataFrame)

    def as_dict(self) -> dict:
        """Plain values for JSON."""

        def records(frame):
            return frame.astype(object).where(frame.notna(), None).to_dict("records")

        facts = {k: v for k, v in self.facts.items() if isinstance(v, (str, int, float, bool)) and v == v and v != ""}
        return {
            "model": self.model, "facts": facts, "summary": records(summary(self)), "results": records(self.table),
            "reliability": records(self.reliability), "notes": self.notes, "concepts": records(self.concepts),
        }  # fmt: skip


# ---- what is tested --------------------------------------------------------------------------------------------------


def is_features(name) -> bool:
    """Whether a path or name is a file or folder of features, and not a network."""
    from .data.features_file import FORMS

    path = Path(name).expanduser()
    return path.is_dir() or path.suffix in FORMS


def subject(
    name: str, *, pretrained: bool = True, checkpoint=None, seed: int = 0, preprocess=None, layer=None, ids=None,
    profile: Profile | None = None,
):  # fmt: skip
    """What ``humalign evaluate`` is asked about: Features of a file or folder, else a Model.

    Parameters
    ----------
    name : str
        Path, or a name for :func:`humalign.zoo.load`, which takes the other options.
    layer, ids : str, optional
        Of a features file: which layer; a file with the ids of its rows.
    profile : Profile, optional
        Names the data folder, whose own files of features are read as its registry reads them.

    Raises
    ------
    InputError
        For a file that cannot be read, or an unknown name.
    """
    path = Path(name).expanduser()
    if not is_features(name):
        if path.is_file():
            raise InputError(
                f"has the ending '{path.suffix}'", path, "features come as .npy, .npz, .safetensors or .h5"
            )
        from .zoo import load

        return load(name, pretrained, checkpoint, seed=seed, preprocess=preprocess, profile=profile)
    from .data import photographs
    from .data.features_file import read as read_others
    from .features import read

    if not path.exists():
        raise InputError("there is no such file", path, "check the path")
    if ids is not None:
        return read_others(path, ids, layer=layer)
    if layer is None and (known := photographs.of_file(path, profile)) is not None:
        return known
    return read(path, layer, data=getattr(profile, "data", None))


def restricted(answers, ids):
    """The part of people's answers that lies within ``ids``; None when too little is left.

    Parameters
    ----------
    answers : Triplets or HumanRDM
    ids : sequence of str
    """
    known = set(ids)
    common = [one for one in answers.ids if one in known]
    if isinstance(answers, HumanRDM):
        return answers.align(common) if len(common) >= min(LEAST_IMAGES, len(answers)) else None
    inside = np.isin(np.array(answers.ids), common)
    rows = inside[answers.triplets].all(1)
    if rows.sum() < LEAST_TRIPLETS:
        return None
    found = answers.select(rows).align(common)
    return found if len(set(found.concepts)) > 1 else replace(found, concepts=found.ids)  # draws need several units


def no_match(found: list, ids, where) -> InputError:
    """The error for features whose ids fit nothing: how many were found where, and what ids look like there.

    Parameters
    ----------
    found : list of (str, Triplets or HumanRDM)
        Names of the answers at hand, and the answers.
    ids : sequence of str
        Of the features.
    where : str
    """
    by_ids: dict[tuple, list] = {}
    for name, answers in found:
        by_ids.setdefault(tuple(answers.ids[:3]), []).append((name, answers.ids))
    parts, hint = [], ""
    for group in by_ids.values():
        own = group[0][1]
        hits = len(set(own) & set(ids))
        names = ", ".join(name for name, _ in group[:3])
        parts.append(f"{hits} of {len(own)} ids of {names} (such as '{own[0]}')")
        if not hint:
            stems = {Path(one).stem for one in ids}
            if len(stems & set(own)) > 0.5 * len(own):
                hint = "; the stems of the ids would match: drop folder and suffix"
            elif len({one.lower().replace(" ", "_") for one in ids} & {o.lower() for o in own}) > 0.5 * len(own):
                hint = "; the ids would match in lower case with _ for spaces"
    told = "; ".join(parts) if parts else "no data set is on this machine"
    return InputError(
        f"its {len(ids)} ids (such as '{next(iter(ids))}') match no data set well enough: {told}", where,
        f"name the rows as a data set does{hint}, or point --data at other data",
    )  # fmt: skip


def repeated(source: Source, name: str, answers):
    """Answers of several people to the same triplets, where a study has them apart; else the answers themselves."""
    one = source.role(name)
    if isinstance(answers, Triplets) and one.file in ("", "answers.csv"):
        try:
            return source.repeated(name)
        except MissingData:
            pass
    return answers


def _probed(source: Source, names: list[str]) -> str:
    """The set that transforms are learned from: the answers that play the role "things"; of several the last."""
    role = source.role("things")
    plays = ("things", role.folder, *role.answers)
    return next((name for name in reversed(names) if name in plays), "")


# ---- the card --------------------------------------------------------------------------------------------------------


def card(
    sources: Source | list[Source], model, *, probe: bool = True, draws: int = resample.DRAWS, say=None,
    progress: bool | None = None, where=None,
) -> Report:  # fmt: skip
    """Measure one model on every set of answers at hand, as the chapters do.

    Parameters
    ----------
    sources : Source or list of them
        Of a profile or a data folder, see :func:`humalign.source.open_sources`.
    model : Features or Model
        Features are held against all answers about enough of their ids; a network is shown all pictures at hand.
    probe : bool
        Also fit transforms: settings of :mod:`humalign.chapters.probing`.
    draws : int
        Bootstrap draws behind each interval; by default those of the chapters.
    say : callable, optional
        Called with a line before each longer step.
    progress : bool, optional
        Bars of the extraction.
    where : str, optional
        What to call the features in messages.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        When no answers fit.

    Examples
    --------
    >>> from humalign.source import open_source
    >>> report = card(open_source("mini"), subject("softmax-resnet-m"))  # doctest: +SKIP
    """
    say = say or (lambda line: None)
    tables, curves, notes, found = [], [], [], []
    for source in [sources] if isinstance(sources, Source) else sources:
        names = source.answer_sets()
        probed = _probed(source, names) if probe else ""
        for name in names:
            answers = source.answers_of(name)
            found.append((name, answers))
            own, parts = _seen(source, name, answers, model, notes, say, progress)
            if own is None:
                continue
            say(f"{name}: measuring")
            common = {"dataset": name, "profile": source.profile.name}
            if isinstance(own, HumanRDM):
                made = list(_dissimilarities(parts, own, draws, **common))
            else:
                fit = partial(probing.kept_probe, source) if name == probed else None
                made = [rows for part in parts for rows in _choices(part, own, fit, draws, notes, curves, **common)]
            tables += [rows.assign(source=own.source) for rows in made]
            limits = own if isinstance(own, HumanRDM) else repeated(source, name, own)
            tables += [rows.assign(source=own.source) for rows in _ceilings(limits, **common)]
    name = model.model if isinstance(model, Features) else model.name
    if not tables:
        if isinstance(model, Features):
            raise no_match(found, model.ids, where or model.name)
        raise HumalignError(
            f"{name}: no data set could be shown to it ({'; '.join(notes) or 'none is on this machine'})"
        )
    table = results.table(pd.concat(tables, ignore_index=True))
    reliability = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=CURVES)
    return Report(name, table, reliability, _facts(model, where), list(dict.fromkeys(notes)))


def _facts(model, where) -> dict:
    if isinstance(model, Features):
        facts = model.meta.get("facts", {})
        return {**(facts if isinstance(facts, dict) else {}), "file": str(where or model.name)}
    return {**(model.facts or {}), "weights": model.weights, "weights_digest": model.checksum}


def _seen(source: Source, name: str, answers, model, notes: list, say, progress):
    """Answers about what a model has seen, and its features, a layer each; (None, None) and a note where it has not."""
    if isinstance(model, Features):
        seed = model.meta.get("seed", 0)
        seen, ids = [replace(model, meta={"seed": seed if isinstance(seed, int) else 0})], model.ids
    else:
        shown, told = _pictures(source, name, model)
        if shown is None:
            notes.append(f"{name}: {told}")
            return None, None
        seen, ids = None, shown.ids
    own, common = restricted(answers, ids), set(ids) & set(answers.ids)
    if own is None:
        if seen is None and not common:
            notes.append(f"{name}: the images on this machine are not its images")
        elif common:
            where = "there" if seen else f"in {shown.name}"
            notes.append(f"{name}: only {len(common)} of {len(answers.ids)} ids are {where}, too few to measure")
        return None, None
    if seen is None and told:
        notes.append(f"{name}: {told}")
    if len(common) < len(answers.ids):
        size = f"{len(own)} triplets" if isinstance(own, Triplets) else f"{len(own)} images"
        notes.append(f"{name}: restricted to {len(common)} of {len(answers.ids)} ids ({size})")
    if seen is None:
        wanted = [one for one in shown.ids if one in common]
        say(f"{name}: showing {len(wanted)} pictures")
        seen = source.seen_by(model, shown if len(wanted) == len(shown) else shown.align(wanted), progress)
    return own, seen


def _pictures(source: Source, name: str, model) -> tuple[Stimuli | None, str]:
    """The pictures of some answers that a network is shown, and what is to be said of them; None for no pictures."""
    try:
        side = source.side(model)
        if side is not None and (n := len(source.ids(name))) * side**2 > DRAWN_PIXELS:
            return None, f"left out, as {n:,} pictures would have to be drawn with {side} x {side} pixels"
        return source.pictures(name, side), ""
    except MissingData:
        pass
    try:
        shown = source.stand_ins(name)
    except MissingData:
        return None, "its images are not on this machine, so the network cannot see them"
    return shown, f"pictures of {shown.name} stand in for those that people judged"


# ---- measures of the chapters ----------------------------------------------------------------------------------------


def _levels(answers: Triplets) -> list[str]:
    """Levels that occur, from coarse to boundary; [""] where there are none."""
    order = {name: k for k, name in enumerate(LEVELS)}
    return [""] if answers.level is None else sorted(set(answers.level), key=lambda name: order.get(name, len(order)))


def asked_again(answers: Triplets) -> bool:
    """Whether more than a few triplets were answered more than once."""
    return len(np.unique(np.sort(answers.triplets, 1), axis=0)) <= 0.7 * len(answers)


def _part(answers: Triplets, level: str) -> Triplets:
    return answers.select(answers.level == level) if level else answers


def _choices(part: Features, answers: Triplets, fit, draws: int, notes: list, curves: list, **common) -> Iterator:
    """Result tables of one layer: zero-shot, level by level; without levels also calibration and a transform."""
    for level in _levels(answers):
        own = _part(answers, level)
        table = zero_shot.of_features([part], own, KERNELS, draws, asked_again(own), **common).table
        yield table.assign(detail=table["detail"] + (f", {level}" if level else ""))
    if answers.level is not None:
        return
    about = f"{common['dataset']}, {part.layer}"
    try:
        rows, curve = _calibration(part, answers, draws, **common)
        curves.append(curve.assign(dataset=common["dataset"], layer=part.layer)[CURVES])
        yield rows
    except InputError as error:
        notes.append(f"{about}: no calibration ({error})")
    if fit is None:
        return
    try:
        yield from _transformed(part, answers, fit, draws, notes, **common)
    except InputError as error:
        notes.append(f"{about}: no probe ({error})")


def _calibration(part: Features, answers: Triplets, draws: int, **common):
    """Calibration errors at temperature 1 and at the one that half of the triplets choose, on the other half."""
    if len(answers.ids) > zero_shot.LARGE:
        raise InputError(f"{len(answers.ids):,} pictures are compared block by block", "similarities")
    made = calibration.of_features(part, answers)
    chosen, curves = made["chosen"].set_index("rule"), made["reliability"]
    similarity = similarity_matrix(part.align(answers.ids).values, "cosine")
    held, rows, drawn = answers.triplets[calibration.halves(answers)[1]], [], []
    for stage, rule in STAGES.items():
        found = chosen.loc[rule]
        p = np.asarray(odd_one_out.probabilities(similarity, held, found["temperature"]))
        drawn.append(resample.calibration_error(p, held, answers.concepts, draws))
        rows.append({"stage": stage, "detail": f"temperature {found['temperature']:.3g}", "value": found["ece"]})
    who = networks.identity(part)
    table = Measured.of(rows, np.stack(drawn), measure="ece", n=len(held), **who, **common).table
    stages = {rule: stage for stage, rule in STAGES.items()}
    return table, curves[curves["n"] > 0].assign(stage=lambda frame: frame["rule"].map(stages))


def _transformed(part: Features, answers: Triplets, fit, draws: int, notes: list, **common) -> Iterator[pd.DataFrame]:
    """Accuracy on objects that a transform never saw, before and after it, and the paired difference."""
    if len(answers) < LEAST_PROBED:
        raise InputError(f"{len(answers):,} triplets are too few", "transform", f"it takes {LEAST_PROBED:,}")
    if len(answers) > MOST_PROBED:
        rows = np.random.default_rng(resample.SEED).permutation(len(answers))[:MOST_PROBED]
        notes.append(f"{common['dataset']}: transforms learned from {MOST_PROBED:,} of {len(answers):,} triplets")
        answers = answers.select(np.sort(rows))
    probe = fit(part, answers)
    found = probing.of_probes([probe], answers, draws, **common)
    strength = f"strength {probe.strength:g}"
    rows = found.table.iloc[::-1]  # zero-shot first
    yield rows.assign(detail=rows["detail"].where(rows["stage"] != probing.PROBED, strength))
    gain = resample.difference(found, {"stage": probing.PROBED}, {"stage": probing.SAME})
    row = {**gain.iloc[0][["value", "low", "high"]], **networks.identity(part), "n": len(probe.rows)}
    yield results.table([row], stage=probing.PROBED, measure="gain", detail=strength, **common)


def _dissimilarities(parts, human: HumanRDM, draws: int, **common) -> Iterator[pd.DataFrame]:
    """Result tables of all layers: agreement with the mean of the people, and with single people."""
    for part in parts:
        yield rsa.of_features([part], human, ("correlation",), draws=draws, **common).table
        if human.people > 1:
            yield rsa.of_people([part], human, draws=draws, against=("single",), **common).table


def _ceilings(answers, **common) -> Iterator[pd.DataFrame]:
    """What people leave open; nothing where nobody answered twice, or one person was asked."""
    if isinstance(answers, HumanRDM):
        if answers.people > 1:
            yield rsa.ceilings_of(answers, **common)
        return
    for level in _levels(answers):
        part = _part(answers, level)
        if asked_again(part):
            found = zero_shot.ceilings_of(part, **common)
            yield found.assign(detail=found["detail"] + (f", {level}" if level else ""))


# ---- in short --------------------------------------------------------------------------------------------------------

CHANCE_OF = {"accuracy": CHANCE, "agreement": CHANCE, "spearman": 0.0, "pearson": 0.0, "error consistency": 0.0}
CEILING = {  # measure: measure and details of people, the preferred first
    "accuracy": ("accuracy", "leave-one-out", "majority"),
    choices.MAJORITY: (choices.MAJORITY, "one person"),
    "spearman": ("spearman", "reliability"),
    "pearson": ("pearson", "reliability"),
    rsa.PAIRINGS["single"]: ("spearman", "mean of all"),
}


def summary(report: Report) -> pd.DataFrame:
    """The card in short: one row a data set, layer, stage and measure, with chance, ceiling and the distance to it.

    Returns
    -------
    DataFrame
        whose ("simulated" observers or real "people"), dataset, model, layer, stage, measure, detail, value, low, high,
        chance, ceiling, ceiling_kind, distance (to the ceiling), share (of the way from chance to the ceiling), n.
    """
    table = report.table
    people = table[table["model"] == "people"]
    rows = []
    for row in table[table["model"] != "people"].itertuples():
        level = row.detail.partition(", ")[2]
        ceiling, kind = np.nan, ""
        measure, *details = CEILING.get(row.measure, ("",))
        for detail in details:
            wanted = f"{detail}, {level}" if level else detail
            at = people[
                (people["dataset"] == row.dataset) & (people["measure"] == measure) & (people["detail"] == wanted)
            ]
            if len(at):
                ceiling, kind = float(at["value"].iloc[0]), wanted
                break
        chance = CHANCE_OF.get(row.measure.split(" with ")[0], np.nan)
        rows.append(
            {"whose": whose(row.profile), "dataset": row.dataset, "model": row.model,
             "layer": row.layer, "stage": row.stage, "measure": row.measure,
             "detail": row.detail, "value": row.value, "low": row.low, "high": row.high, "chance": chance,
             "ceiling": ceiling,
             "ceiling_kind": kind, "distance": ceiling - row.value,
             "share": (row.value - chance) / (ceiling - chance) if ceiling > chance else np.nan, "n": int(row.n)}
        )  # fmt: skip
    return pd.DataFrame(rows)

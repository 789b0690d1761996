"""Levels (AligNet's human data): trial lists, answered sessions, and their trials as triplets."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import numpy as np

from ..errors import InputError
from ..levels import IMAGES, odd_last
from . import files as read
from .registry import File, dataset, raw_file
from .types import Stimuli, Triplets

LEVEL = {"between_class": "coarse", "within_class": "fine", "class_border": "boundary", "class_boundary": "boundary"}
CLASSES = {"coarse": 3, "fine": 1, "boundary": 2}
OF_CLASSES = {number: level for level, number in CLASSES.items()}
IMAGENET_NAME = re.compile(r"^(n\d{8})_(\d+)\.JPEG$")
PAPER = "Muttenthaler, Greff, Born et al. 2025, Aligning machine and human visual representations, Nature 647:349-355"
GIN = "https://gin.g-node.org/fborn/Dataset_Levels"


def image_name(path, where, line) -> str:
    """The ImageNet file name at the end of a stimulus path; InputError when it is none."""
    name = PurePosixPath(str(path)).name
    if not IMAGENET_NAME.match(name):
        raise InputError(f"row {line} names '{str(path)[:60]}', not an ImageNet file", where, read.AGAIN)
    return name


def level_of(kinds, images, where) -> np.ndarray:
    """Level names (n,) of triplet classes, checked against the number of different WordNet ids in each triplet."""
    kinds = np.asarray(kinds, dtype=object)
    if unknown := [k for k in dict.fromkeys(kinds) if k not in LEVEL]:
        raise InputError(f"triplet class '{unknown[0]}' is unknown", where, f"classes are {', '.join(LEVEL)}")
    level = np.array([LEVEL[k] for k in kinds])
    synsets = [[name.split("_")[0] for name in row] for row in images]
    different = np.array([len(set(row)) for row in synsets])
    wanted = np.array([CLASSES[one] for one in level])
    if (different != wanted).any():
        row = int(np.argmax(different != wanted))
        raise InputError(
            f"row {row} is called {kinds[row]} but shows {different[row]} ImageNet classes", where, read.AGAIN
        )
    return level


@dataset(
    "levels/trials",
    title="Levels: trial lists of the first 20 participant slots (no responses)",
    kind="levels",
    profiles=("slice", "full"),
    files={
        "trials": File(
            "levels/triplets_experiment_first_20_participants.csv",
            "id, image1, image2, image3, trial, triplet_class",
            url=raw_file(
                "Frieda-Josefine/HumanEval_experiment",
                "3da1b2e27af06fe84efb4c2af97fcb35a7df2ba8",
                "experiment/server_inputs/triplets_experiment_first_20_participants.csv",
            ),
        )
    },
    source="https://github.com/Frieda-Josefine/HumanEval_experiment",
    licence="MIT",
    citation=PAPER,
    row_order="ids inside (ImageNet file names)",
    size="1.9 MB",
    expect={"rows": 6600},
)
def trials(at):
    """DataFrame: participant, trial, image1, image2, image3 (ImageNet file names), level (coarse, fine, boundary)."""
    import pandas as pd

    path = at.path("trials")
    images = ["image1", "image2", "image3"]
    columns = ["id", *images, "trial", "triplet_class"]
    frame = read.read_frame(path, columns, text=("id", *images, "triplet_class"))
    names = [[image_name(p, path, row) for p in line] for row, line in enumerate(frame[images].to_numpy())]
    if twice := [row for row, line in enumerate(names) if len(set(line)) < 3]:
        raise InputError(f"row {twice[0]} names one image twice", path, read.AGAIN)
    level = level_of(frame["triplet_class"], names, path)
    result = pd.DataFrame(names, columns=images)
    result.insert(0, "participant", frame["id"].to_numpy())
    result.insert(1, "trial", frame["trial"].to_numpy())
    result["level"] = level
    return result


# ---------------------------------------------------------------------------------------------- answered sessions

MISSED = "No image selected"
SESSION_KEYS = ("image1Path", "image2Path", "image3Path", "exp_trial_type", "selected_image", "rt")


def read_session(path) -> list[dict]:
    """The trials of one session: one JSON object a line, or one JSON list (both forms are in circulation)."""
    import json

    text = read.read_text(path).strip()
    try:
        if text.startswith("["):
            found = json.loads(text)
        else:
            found = []
            for line in filter(None, map(str.strip, text.splitlines())):
                one = json.loads(line)
                found += one if isinstance(one, list) else [one]
    except ValueError as error:
        raise InputError(f"is truncated or not line-delimited JSON ({error})", path, read.AGAIN) from None
    if not all(isinstance(one, dict) for one in found):
        raise InputError("holds something else than trials", path, read.AGAIN)
    return found


def _catch_odd(names, correct, selected):
    """The image of a catch trial that should be chosen: the one of another class than the other two."""
    classes = [name.split("_")[0] for name in names]
    odd = [name for name, one in zip(names, classes) if classes.count(one) == 1]
    if len(odd) == 1:
        return odd[0]
    return selected if correct is True else None


def session_rows(path) -> list[dict]:
    """Trials of one session as rows of :mod:`humalign.levels`; screens that are no trials are passed over."""
    return rows_of(read_session(path), path)


def rows_of(trials, path) -> list[dict]:
    """Trials as rows of :mod:`humalign.levels`.

    Parameters
    ----------
    trials : list of dict
        With the keys of ``SESSION_KEYS``. A ``triplet_class`` names the level, which the pictures tell otherwise; a
        ``triplet_type``, where there is one, has to agree with it.
    path : path
        For messages.
    """
    rows = []
    for number, trial in enumerate(trials):
        kind = trial.get("exp_trial_type")
        if kind not in ("exp_trial", "catch_trial") or "selected_image" not in trial:
            continue
        if missing := [key for key in SESSION_KEYS if key not in trial]:
            raise InputError(f"trial {number} has no {missing[0]}", path, read.AGAIN)
        names = [image_name(trial[f"image{k}Path"], path, number) for k in (1, 2, 3)]
        if len(set(names)) < 3 and kind == "exp_trial":  # a catch trial may show one picture twice
            raise InputError(f"trial {number} names one image twice", path, read.AGAIN)
        stated = trial.get("triplet_class") if kind == "exp_trial" else None
        if stated is not None and not (isinstance(stated, str) and stated in LEVEL):
            raise InputError(
                f"trial {number} has the triplet class '{stated}'", path, f"classes are {', '.join(LEVEL)}"
            )
        chosen = trial["selected_image"]
        missed = not isinstance(chosen, str) or chosen == MISSED
        chosen = None if missed else PurePosixPath(chosen).name
        if chosen is not None and chosen not in names:
            raise InputError(f"trial {number}: '{chosen[:40]}' is none of its three images", path, read.AGAIN)
        seconds = float("nan")
        if not missed:
            rt = trial["rt"]
            told = isinstance(rt, (int, float, np.integer, np.floating)) and not isinstance(rt, bool)
            if not told or not np.isfinite(rt) or rt <= 0:
                raise InputError(
                    f"trial {number} has the response time {rt}", path, "rt is in milliseconds: " + read.AGAIN
                )
            seconds = rt / 1000
        level = LEVEL[stated] if stated else OF_CLASSES[len({name.split("_")[0] for name in names})]
        said = trial.get("triplet_type")
        if kind == "exp_trial" and isinstance(said, str) and LEVEL.get(said, level) != level:
            raise InputError(f"trial {number} is called {said} but is {level}", path, read.AGAIN)
        rows.append(
            {
                "kind": "trial" if kind == "exp_trial" else "catch",
                "level": level,
                "image1": names[0],
                "image2": names[1],
                "image3": names[2],
                "selected": chosen,
                "seconds": seconds,
                "correct": _catch_odd(names, trial.get("catch_trial_correct"), chosen)
                if kind == "catch_trial"
                else None,
            }
        )
    if not rows:
        raise InputError("holds no trials", path, read.AGAIN)
    return rows


_TRIAL_COLUMNS = ("participant", "kind", "level", "image1", "image2", "image3", "selected", "seconds")


def _read_table(path):
    """Sessions that somebody wrote as one table; the same columns as from sessions."""
    frame = read.read_frame(
        path, _TRIAL_COLUMNS, text=("participant", "kind", "level", "image1", "image2", "image3", "selected")
    )
    if "correct" not in frame:
        frame["correct"] = None
    for column in ("image1", "image2", "image3"):
        bad = ~frame[column].fillna("").str.match(IMAGENET_NAME)
        if bad.any():
            raise InputError(f"row {int(np.argmax(bad))} of {column} is not an ImageNet file", path, read.AGAIN)
    if unknown := sorted(set(frame["kind"]) - {"trial", "catch"}):
        raise InputError(f"kind '{unknown[0]}' is unknown", path, "kinds are trial and catch")
    images = frame[["image1", "image2", "image3"]].to_numpy()
    answered = frame["selected"].notna().to_numpy()
    stray = answered & ~(images == frame["selected"].to_numpy()[:, None]).any(1)
    if stray.any():
        raise InputError(f"row {int(np.argmax(stray))}: the choice is none of its three images", path, read.AGAIN)
    seconds = frame["seconds"]
    if seconds.dtype.kind not in "fi" or (answered & ~(seconds > 0)).any():
        raise InputError(
            "seconds are not positive numbers where a choice was made", path, "give response times in seconds"
        )
    named = {level: kind for kind, level in LEVEL.items()}
    if unknown := sorted(set(frame["level"]) - set(named)):
        raise InputError(f"level '{unknown[0]}' is unknown", path, f"levels are {', '.join(named)}")
    level_of([named[one] for one in frame["level"]], images, path)
    return frame[[*_TRIAL_COLUMNS, "correct"]]


def _read_processed(path):
    """The authors' processed sessions: a pickled dict of person to trials."""
    import pandas as pd

    from . import plain_pickle

    people = plain_pickle.plain_data(path)
    if not isinstance(people, dict) or not people:
        raise InputError(f"holds a {type(people).__name__}, not people with their trials", path, read.AGAIN)
    rows = []
    for person, trials in people.items():
        if not isinstance(trials, list) or not all(isinstance(one, dict) for one in trials):
            raise InputError(f"holds something else than trials of the person '{str(person)[:40]}'", path, read.AGAIN)
        rows += [{"participant": str(person), **row} for row in rows_of(trials, path)]
    return pd.DataFrame(rows)


def _check_sessions(frame, at):
    from .verify import Note

    trials = frame[frame["kind"] == "trial"]
    shares = trials["level"].value_counts(normalize=True)
    told = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    yield Note(f"{at.entry.name}: {frame['participant'].nunique()} sessions, {len(trials)} trials ({told})")


_FILES = {
    "sessions": File(
        "levels/raw_data",
        "one .json a session: line-delimited trials (image1Path ... selected_image, rt in ms, exp_trial_type)",
        also=("levels/sessions", "levels/Dataset_Levels/raw_data"),
        folder=True,
        optional=True,
    ),
    "table": File(
        "levels/levels_trials.csv",
        "instead of the sessions: participant, kind, level, image1, image2, image3, selected, seconds, correct",
        optional=True,
    ),
    "processed": File(
        "levels/processed_data/pruned_dataset.pkl",
        "the sessions of those who were kept: person -> list of trials; a pickle, of which only plain data are read",
        also=("levels/processed_data/pruned_processed_dataset.pkl",),
        optional=True,
        url=f"{GIN}/raw/master/processed_data/pruned_dataset.pkl",
    ),
}
_FACTS = {
    "files": _FILES,
    "source": GIN,
    "licence": "stated in the repository",
    "citation": PAPER + "; DOI 10.12751/g-node.hg4tdz",
    "row_order": "ids inside (ImageNet file names)",
    "any_of": tuple(_FILES),
}


@dataset(
    "levels",
    title="Levels: odd-one-out responses at three levels of abstraction, with response times",
    kind="levels",
    size="not stated",
    check=_check_sessions,
    steps=(
        f"or, for the raw sessions: open {GIN}, then 'gin get fborn/Dataset_Levels' and 'gin get-content .'",
        "put the folder of .json sessions (it may have another name there) at <data>/levels/raw_data: it goes first",
        "humalign data verify levels",
    ),
    **_FACTS,
)
def levels(at):
    """Trials of all sessions: DataFrame for :mod:`humalign.levels`.

    Columns participant (one a session), kind ("trial", "catch"), level, image1, image2, image3 (ImageNet file names),
    selected (None = missed), seconds, correct (catch trials).
    """
    import pandas as pd

    folder, table = at.get("sessions"), at.get("table")
    if table is not None:
        return _read_table(table)
    if folder is None:
        return _read_processed(at.path("processed"))
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".json", ".jsonl") and path.name[0] != ".")
    if not paths:
        raise InputError("holds no .json sessions", folder, read.AGAIN)
    rows = []
    for path in paths:
        rows += [{"participant": path.stem, **row} for row in session_rows(path)]
    return pd.DataFrame(rows)


@dataset(
    "levels/triplets",
    title="Levels: the answered experimental trials of all sessions as triplets",
    kind="triplets",
    size="with levels",
    steps=("as levels",),
    **_FACTS,
)
def levels_triplets(at):
    """Triplets with people (one a session), seconds and level; nobody is excluded (:func:`humalign.levels.exclude`)."""
    frame = levels(at)
    frame = frame[(frame["kind"] == "trial") & frame["selected"].notna()]
    ids = np.unique(frame[IMAGES].to_numpy(str))
    return at.make(
        Triplets,
        at.root / "levels",
        ids=ids,
        triplets=odd_last(frame, ids),
        concepts=[name.split("_")[0] for name in ids],
        participants=frame["participant"].to_numpy(),
        response_times=frame["seconds"].to_numpy(dtype=float),
        level=frame["level"].to_numpy(),
    )


@dataset(
    "levels/images",
    title="Levels: the ImageNet pictures that its answered trials show",
    kind="stimuli",
    size="part of imagenet/train",
    steps=("get levels and imagenet/train",),
    **{
        **_FACTS,
        "files": {**_FILES, "images": File("imagenet/train", "as imagenet/train", folder=True, shared=True)},
        "licence": "research use (ImageNet terms)",
    },
)
def levels_images(at):
    """Stimuli; ids = file names, concepts = WordNet ids; only pictures of answered trials."""
    folder = at.path("images")
    ids = [str(name) for name in levels_triplets(at).ids]
    classes = [name.split("_")[0] for name in ids]
    paths = [folder / wnid / name for wnid, name in zip(classes, ids)]
    if gone := [path for path in paths if not path.is_file()]:
        raise InputError(f"lacks {len(gone)} pictures, for instance {gone[0].name}", folder, read.AGAIN)
    return at.make(Stimuli, folder, ids=ids, images=[str(path) for path in paths], concepts=classes)

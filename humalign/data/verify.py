"""Verification: every file present is read, counted and compared with what its entry expects of it."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError
from . import known, plain, registry
from .types import ConceptEmbedding, Features, HumanRDM, Stimuli, Triplets


class Note(str):
    """A line of a check that is worth knowing and no fault."""


@dataclass
class Verification:
    """What was found of one data set.

    Attributes
    ----------
    name : str
    status : {"ok", "problem", "missing"}
    problems : list of str
        One line each: file, problem, remedy.
    facts : dict
        Counts read from the files.
    checksums : int
        How many files agree with a known checksum.
    unknown : int
        How many files have no known checksum.
    notes : list of str
        What is worth knowing and no fault.
    """

    name: str
    status: str
    problems: list = field(default_factory=list)
    facts: dict = field(default_factory=dict)
    checksums: int = 0
    unknown: int = 0
    notes: list = field(default_factory=list)

    def as_dict(self) -> dict:
        """Plain values."""
        return asdict(self)


def facts(loaded) -> dict:
    """Counts of anything a loader returns, for comparison with ``Entry.expect``."""
    if isinstance(loaded, Triplets):
        found = {"trials": len(loaded), "objects": len(loaded.ids)}
        if loaded.participants is not None:
            found["people"] = len(np.unique(loaded.participants))
        return found | {k: v for k, v in loaded.meta.items() if isinstance(v, (int, float, str))}
    if isinstance(loaded, HumanRDM):
        return {"images": len(loaded), "people": loaded.people}
    if isinstance(loaded, (ConceptEmbedding, Features)):
        return {"objects": len(loaded), "dimensions": loaded.values.shape[1]}
    if isinstance(loaded, Stimuli):
        return {"images": len(loaded), "concepts": len(set(loaded.concepts))} | {
            k: v for k, v in loaded.meta.items() if isinstance(v, (int, float))
        }
    if hasattr(loaded, "similarities"):
        return {"rows": len(loaded)}
    if hasattr(loaded, "columns"):
        return {"rows": len(loaded), "columns": len(loaded.columns)}
    if isinstance(loaded, dict):
        sizes = [value.size for value in loaded.values() if isinstance(value, np.ndarray)]
        return {"entries": len(loaded)} | ({"numbers": sum(sizes)} if sizes else {})
    if isinstance(loaded, (tuple, list)):
        return {"entries": len(loaded)}
    if hasattr(loaded, "weights"):
        return {"dimensions": len(loaded.weights)}
    return {}


def picture_problems(stimuli: Stimuli, most: int = 64) -> list[str]:
    """Lines about pictures that cannot be opened, of at most ``most`` files spread evenly over the set."""
    from PIL import Image

    images = stimuli.images
    if images is None or isinstance(images, np.ndarray):
        return []
    rows = np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).astype(int))
    bad = []
    for row in rows:
        try:
            if not Path(images[row]).is_file():  # a pipe would be waited for
                raise ValueError
            with warnings.catch_warnings(action="ignore"), Image.open(images[row]) as picture:
                picture.load()
        except Exception:  # Pillow's decoders raise many kinds
            bad.append(images[row])
    if not bad:
        return []
    return [f"{bad[0]}: is not a picture or is cut short ({len(bad)} of {len(rows)} looked at); get it again"]


def _files(entry, root) -> list[Path]:
    """The files of an entry; of a folder those that have a known checksum."""
    found = []
    for path in entry.files_in(root).values():
        if path.is_dir():
            inside = path.relative_to(root).as_posix() + "/"
            found += [root / name for name in known.published() if name.startswith(inside) and (root / name).is_file()]
        else:
            found.append(path)
    return found


def verify_one(entry, profile) -> Verification:
    """Read, count and check one entry; never raises for bad data, the report says what is wrong."""
    root = profile.data
    if root is None:
        return Verification(
            entry.name, "missing", [f"{entry.name}: needs a data folder; set HUMALIGN_DATA or give --data"]
        )
    gone = entry.missing(root)
    own = [key for key, file in entry.files.items() if not file.shared]  # none: made of the files of others
    if gone and not [key for key in entry.files_in(root) if key in own and not entry.files[key].optional]:
        path = entry.files[gone[0]].path
        return Verification(
            entry.name,
            "missing",
            [f"{Path(root) / path}: is not here; 'humalign data where {entry.name}' says how to get it"],
        )
    return _checked(entry, root)


def _checked(entry, root) -> Verification:
    report = Verification(entry.name, "ok")
    for path in _files(entry, root):
        if path.is_file():
            try:
                if known.check_known(path, root, entry):
                    report.checksums += 1
                else:
                    report.unknown += 1
            except (InputError, OSError) as error:
                report.problems.append(" ".join(str(error).split()))
    if not report.problems:
        try:
            _check_content(entry, root, report)
        except InputError as error:
            report.problems.append(str(error))
        except Exception as error:  # one bad file must not end the verification of all others
            report.problems.append(unforeseen(entry.name, error))
    if report.problems:
        report.status = "problem"
    return report


def unforeseen(name: str, error: Exception) -> str:
    """A line about an error that nobody expected of bad data."""
    words = " ".join(str(error).split())[:200]
    return f"{name}: cannot be read, for a reason nobody foresaw ({type(error).__name__}: {words}); please report it"


def _check_content(entry, root, report: Verification) -> None:
    """Read an entry; its facts and what is wrong or unexpected go into the report."""
    loaded = registry._load(entry, root)
    report.facts = facts(loaded)

    def others(wanted, told):
        return [
            f"{entry.name}: has {report.facts.get(key, 'no')} {key}, {want} {told}"
            for key, want in wanted.items()
            if report.facts.get(key) != want
        ]

    report.problems += others(known.expected(entry, root), f"are expected; see {entry.origin}")
    if not known.rehearsal(root):
        report.notes += others(entry.likely, "were expected (not confirmed)")
    if isinstance(loaded, Stimuli):
        report.problems += picture_problems(loaded)
    for check in entry.checks:
        for line in check(loaded, registry.Place(entry, root)):
            (report.notes if isinstance(line, Note) else report.problems).append(str(line))


def verify_study(root, name: str) -> Verification:
    """Read, count and check every file of one study in the plain layout (:mod:`humalign.data.plain`)."""
    folder, report = Path(root) / name, Verification(name, "ok")
    try:
        shown = plain.read_pictures(folder)
    except InputError as error:
        return Verification(name, "problem", [str(error)])
    report.facts = {"pictures": len(shown), "concepts": len(set(shown.concepts))}
    report.problems += picture_problems(shown)
    readers = {
        **dict.fromkeys(("answers.csv", "control.csv", "labels.csv", "repeated.csv", "repeated-again.csv"),
                        lambda path: plain.read_answers(path, shown, name)),
        "sessions.csv": lambda path: plain.read_sessions(path, shown),
        "arrangement.npz": lambda path: plain.read_arrangement(path, shown),
        "people.npz": lambda path: plain.read_people(path, shown),
    }  # fmt: skip
    found = {}
    for file, read in readers.items():
        path = folder / file
        if path.is_file():
            try:
                found[file] = read(path)
                counted = found[file].names if file == "people.npz" else found[file]
                report.facts[path.stem] = len(counted)
            except InputError as error:
                report.problems.append(str(error))
    if {"repeated.csv", "repeated-again.csv"} <= set(found):
        try:
            plain.check_again(found["repeated.csv"], found["repeated-again.csv"], folder / "repeated-again.csv")
        except InputError as error:
            report.problems.append(str(error))
    report.status = "problem" if report.problems else "ok"
    return report


def verify(profile, names=None, folder=None) -> list[Verification]:
    """Verify data sets.

    Parameters
    ----------
    profile : Profile
    names : sequence of str, optional
        Default: everything of the profile, and the studies of its folder. Named ones may end in ``*``.
    folder : path, optional
        Where studies in the plain layout lie (default: the data folder).

    Returns
    -------
    list of Verification
    """
    folder = folder or profile.data
    studies = plain.studies(folder) if folder else []
    if not names:
        known = [verify_one(entry, profile) for entry in registry.entries(profile)]
        return known + [verify_study(folder, name) for name in studies]
    done, chosen = [verify_study(folder, name) for name in names if name in studies], []
    for name in names:
        if name in studies:
            continue
        if name.endswith("*"):
            found = [e for e in registry.entries(profile) if e.name.startswith(name[:-1])]
            if not found:
                raise InputError(f"no data set begins with '{name[:-1]}'", "data", "'humalign data list' shows all")
            chosen += found
        else:
            chosen.append(registry.entry(name, profile))
    return done + [verify_one(entry, profile) for entry in chosen]

"""The drawn world as an ordinary data folder in the plain layout (:mod:`humalign.data.plain`), written once."""

from __future__ import annotations

from pathlib import Path

from ..config import get_profile
from ..data import plain
from ..data.known import MANIFEST
from ..edition import NOW
from ..store import lock, sha256, write_json
from . import datasets, observers, stimuli
from .drawing import world
from .splits import concept_split

VERSION = 2  # goes up whenever the files change
SIDE = NOW.side  # pixels; larger or noise-free pictures are drawn anew, see humalign.source
ARRANGEMENTS = tuple(stimuli.ARRANGEMENTS)
STUDIES = ("things", "test", *ARRANGEMENTS)
NEAREST = 3  # dimensions that a triplet is attributed to: those of the drawn people nest


def write(path, profile=None) -> Path:
    """Write pictures and answers of the drawn world into a new folder; it is there when it is whole.

    Parameters
    ----------
    path : path
        A folder that is empty or not there.
    profile : Profile, optional
        Keeps the drawn pictures (default: from the environment).

    Returns
    -------
    Path
        With a folder a study and ``humalign-data.json``: source, licence, checksums of the tables.

    Raises
    ------
    InputError
        When there is something already.
    """
    kind, part, path = world().superordinate, concept_split(), Path(path)
    with plain.new_folder(path) as root:
        for study in STUDIES:
            shown = stimuli.images(study, SIDE, profile or get_profile("mini"))
            columns = {"kind": [kind[c] for c in shown.concepts], "part": [part[c] for c in shown.concepts]}
            plain.write_pictures(root / study, shown, **columns)
        things = datasets.things()
        plain.write_answers(root / "things/answers.csv", things)
        plain.write_answers(root / "things/control.csv", datasets.permuted())
        plain.write_answers(root / "things/repeated.csv", datasets.things_repeated())
        plain.write_answers(root / "things/repeated-again.csv", datasets.things_repeated(again=True))
        plain.write_people(root / "things/people.npz", _people(things))
        plain.write_answers(root / "test/labels.csv", datasets.coarse_labels())
        plain.write_sessions(root / "test/sessions.csv", datasets.levels_sessions())
        for study in ARRANGEMENTS:
            plain.write_arrangement(root / study / "arrangement.npz", datasets.arrangement(study))
        tables = sorted(p for p in root.glob("*/*") if p.is_file())
        sums = {p.relative_to(root).as_posix(): sha256(p) for p in tables}
        about = {"drawn": VERSION, "source": stimuli.SOURCE, "licence": stimuli.LICENCE, "sha256": sums}
        write_json(root / MANIFEST, about)
    return path


def _people(things) -> plain.People:
    """What the drawn people see, and how likely each answer was: the truth."""
    seen = observers.values(things.ids)
    chances = observers.group_probabilities(seen, things.triplets)
    names, title = observers.dimension_names(), "the dimensions of the drawn people"
    return plain.People(things.ids, names, seen, chances, True, NEAREST, title)


def ready(profile) -> Path:
    """The folder in the cache of a profile, written if it is not there; one process writes, others wait."""
    path = profile.cache / "world" / f"folder-{VERSION}-{stimuli.drawings_digest()}"
    if not (path / MANIFEST).is_file():
        with lock(path.with_name(f".{path.name}.lock")):
            if not (path / MANIFEST).is_file():
                write(path, profile)
    return path

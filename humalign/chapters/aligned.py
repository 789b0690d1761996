"""Networks before and after alignment as pages show them: the released ones, or the recorded ones of the drawn world.

A source of real people whose networks hold released students with features shows these; any other one the students of
the drawn world. Both are one table of results and the same few questions, so that a page has one way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import show
from ..errors import MissingData
from ..results import Measured, farthest
from ..source import Source, open_source
from ..world import stimuli
from . import released, student, student_examples, zero_shot

ROLES, OPTIONAL = (), released.ROLES


@dataclass(frozen=True, eq=False)
class Students:
    """Results and features of students.

    Attributes
    ----------
    source : Source
        The people and pictures that they are compared with.
    runs : Measured
        :func:`humalign.chapters.student.runs`, or :func:`humalign.chapters.released.measure`.
    drawn : bool
        Whether they are those of the drawn world.
    """

    source: Source
    runs: Measured
    drawn: bool

    @property
    def provenance(self) -> str:
        """Of all results."""
        return farthest(self.runs.table["provenance"], "live")

    @property
    def evidence(self) -> Measured:
        """All results as the claims select them."""
        return student.as_claimed(self.runs) if self.drawn else self.runs

    @property
    def models(self) -> list[str]:
        """The students: keys of the untouched networks."""
        return student.aligned(self.runs)

    def level_lines(self) -> dict:
        """Lines of the main figure: title of a panel to {label: value}."""
        return student.split_lines(self.source) if self.drawn else student.level_lines(self.source)[0]

    def pictures(self) -> pd.DataFrame:
        """Pictures whose distances are compared: id, concept, superordinate.

        Raises
        ------
        MissingData
            Where the pictures are not on this machine.
        """
        return student.pictures() if self.drawn else released.related(self.source)

    def features(self) -> dict[tuple[str, str], np.ndarray]:
        """Features of :meth:`pictures` by (student, stage), (m, p) each.

        Raises
        ------
        MissingData
            Where no student has any.
        """
        if self.drawn:
            return student.recorded_features()
        return released.features(self.source, "imagenet-val", self.pictures()["id"])

    def judged(self) -> pd.DataFrame:
        """Triplets that people judged, with the choices of the first student: :func:`student_examples.judged`.

        Raises
        ------
        MissingData
            Where people's answers, or the student's features, are not on this machine.
        """
        if self.drawn:
            return student_examples.judged(student.recorded_features())
        return student_examples.judged_by_people(self.source, self.models[0])

    def seen(self, table: pd.DataFrame, side: int) -> dict[str, np.ndarray]:
        """The pictures in columns first, second and odd of a table, uint8 (side, side, 3) by id."""
        if self.drawn:
            return stimuli.pictures_of(table, side)
        return self.source.seen("levels", pd.unique(table[["first", "second", "odd"]].to_numpy().ravel()), side)

    def numbers(self, contrasts: pd.DataFrame, log: pd.DataFrame) -> dict:
        """Numbers and words of the prose by key: :func:`student.numbers`, and whose they are (``st_whose``)."""
        out = student.numbers(contrasts, log)
        told = f"recorded runs: {out['st_done'].value} of {out['st_planned'].value} planned experiments are done"
        whose = f"Simulated observers, small networks, {told}"
        if not self.drawn:
            whose = "Released networks and real people; one training run of each network, as published"
        names = ", ".join(student.NAMES.get(m, m) for m in self.models)
        return out | {"st_whose": show.Words(whose), "st_shown": show.Words(names)}


def students(source: Source) -> Students:
    """The students that the pages of a source show.

    Parameters
    ----------
    source : Source

    Raises
    ------
    MissingData
        Where no run is recorded either.
    """
    if zero_shot.known(source) is not None:
        return Students(source, student.runs(), True)
    try:
        found = released.measure(source)
        if student.aligned(found):
            return Students(source, found, False)
    except MissingData:
        pass
    return Students(open_source("mini"), student.runs(), True)

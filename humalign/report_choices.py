"""The report card of choices: of whatever chose, held against people's answers to the same questions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from . import choices, results
from .data.types import Triplets
from .errors import InputError
from .report import CURVES, Report, repeated
from .results import Measured
from .source import Source


def choices_card(sources: Source | list[Source], made: dict[str, Triplets], *, where=None) -> Report:
    """Hold choices against the answers of people to the same questions, in every set of answers at hand.

    Parameters
    ----------
    sources : Source or list of them
        As for :func:`card`.
    made : dict of str to Triplets
        By who chose, see :func:`humalign.data.choices.read`.
    where : path, optional
        Named by errors.

    Returns
    -------
    Report
        Measures of :mod:`humalign.choices`; those of two choosers have the other one's name as detail.

    Raises
    ------
    InputError
        When no data set has 20 of the questions.
    """
    rows, draws, concepts, notes, tests = [], [], [], [], []
    sources = [sources] if isinstance(sources, Source) else sources
    for source, name in [(one, name) for one in sources for name in one.answer_sets()]:
        answers = source.answers_of(name)
        if not isinstance(answers, Triplets):
            continue
        tests.append(answers)
        people = repeated(source, name, answers)
        common = {"dataset": people.name, "profile": source.profile.name}
        for model, own in made.items():
            found, drawn_values = choices.of_choices(own, people, model, people.name)
            rows += [{**row, **common, "source": people.source} for row in found]
            draws += drawn_values
            if found:
                concepts.append(choices.by_concept(own, people).assign(dataset=people.name, model=model))
                shared = choices.shared(own, people)
                asked = shared.people
                if shared.own:
                    notes.append(f"{people.name}: choices of {model} are among these answers; each is left out of what "
                                 "it is held against")  # fmt: skip
                if not (limits := choices.limits(asked)):
                    notes.append(f"{people.name}: few of these questions were asked twice, so there is no ceiling")
                for (measure, detail), value in limits.items():
                    rows.append({**common, "model": "people", "stage": "ceiling", "measure": measure, "detail": detail,
                                 "value": value, "n": len(asked), "source": people.source})  # fmt: skip
                    draws.append(np.full(len(drawn_values[0]), np.nan))
        for first, second in combinations(made, 2):
            found, drawn_values = choices.compare(made[first], made[second], people)
            rows += [{**row, **common, "model": first, "detail": second, "stage": "choices"} for row in found]
            draws += drawn_values
    if not rows:
        raise no_questions(tests, made, where)
    rows, draws = _once(rows, draws)
    name = next(iter(made)) if len(made) == 1 else str(where or "choices")
    table = pd.concat(concepts, ignore_index=True)[["dataset", "model", "concept", "value", "n"]]
    facts = {"file": str(where or ""), "choices": int(sum(map(len, made.values())))}
    return Report(
        name,
        Measured.of(rows, np.stack(draws)).table,
        pd.DataFrame(columns=CURVES),
        facts,
        list(dict.fromkeys(notes)),
        table,
    )


def _once(rows: list, draws: list) -> tuple[list, list]:
    """Rows with the keys of an earlier one left out (several choosers share their questions, and so the ceiling)."""
    seen: dict[tuple, int] = {}
    for k, row in enumerate(rows):
        seen.setdefault(tuple(row.get(key, "") for key in results.KEYS), k)
    return [rows[k] for k in seen.values()], [draws[k] for k in seen.values()]


def no_questions(tests, made: dict[str, Triplets], where) -> InputError:
    """The error for choices about questions that nobody was asked."""
    names = sorted({name for one in made.values() for name in one.ids})
    known = {name for test in tests for name in test.ids}
    strange = [name for name in names if name not in known]
    if strange:
        told = f"{len(strange)} of {len(names)} names are in no data set on this machine, such as '{strange[0]}'"
        return InputError(told, where, "use the names of the data set (for THINGS: uniqueID), or point --data at it")
    told = f"fewer than {choices.LEAST} of its questions were answered by other people in any data set on this machine"
    return InputError(told, where, "ask about triplets that people judged")

"""What is known of every network: the table of both papers (``networks.csv``) and of the mini world."""

from __future__ import annotations

import csv
import io
from functools import cache
from importlib import resources

from ..errors import InputError

COLUMNS = [
    "model",
    "name",
    "source",
    "family",
    "group",
    "objective",
    "augmentation",
    "parameters",
    "training_data",
    "reference_accuracy",
    "seeds",
    "public",
    "stand_in",
    "role",
    "objective_class",
    "penultimate",
    "logits",
    "width",
    "loader",
    "preprocessing",
    "paper",
    "extra",
    "note",
]
NUMBERS = ("parameters", "reference_accuracy", "width")
GROUPS = (
    "Image/Text",
    "Supervised (ImageNet-1K)",
    "Supervised (Ecoset)",
    "Supervised (ImageNet-21K)",
    "Supervised (JFT-3B)",
    "Self-Supervised",
    "Untrained",
)


@cache
def _published() -> tuple[dict, ...]:
    text = resources.files(__package__).joinpath("networks.csv").read_text("utf8")
    out = []
    for row in csv.DictReader(io.StringIO(text)):
        for key in NUMBERS:
            row[key] = float(row[key]) if row[key] else None
        if row["parameters"] is not None:
            row["parameters"] *= 1e6
        row["public"], row["extra"] = row["public"] == "yes", row["extra"] == "yes"
        row["seeds"] = 1
        out.append(row)
    return tuple(out)


def rows() -> tuple[dict, ...]:
    """Rows of the networks of both papers (not the mini ones), in the order of the file."""
    return tuple(dict(row) for row in _published())


def _mini():
    """The mini networks' table."""
    from ..world import networks

    return networks.table()


def keys() -> list[str]:
    """Every model key."""
    return [row["model"] for row in _published()] + list(_mini()["model"])


def facts_of(name: str) -> dict | None:
    """The row of a network by its key, by a key that differs in case only, or None."""
    for row in _published():
        if row["model"] == name:
            return dict(row)
    mini = _mini()
    if len(found := mini[mini["model"] == name]):
        return dict.fromkeys(COLUMNS) | found.iloc[0].to_dict()
    folded = [row for row in _published() if row["model"].lower() == name.lower()]
    return dict(folded[0]) if len(folded) == 1 else None


def table(profile=None, *, extras: bool = False):
    """The model table, joined with result tables on ``model``.

    Parameters
    ----------
    profile : Profile or str, optional
        "mini" gives the drawn world's networks, "slice" those whose weights or features lie in its data folder, "full"
        the networks of both papers; None gives all of them.
    extras : bool
        Also networks that the authors' files list but the paper's figures do not show. Always true for None.

    Returns
    -------
    DataFrame
        model, name, source, family, group, objective, augmentation, parameters (count), training_data,
        reference_accuracy (ImageNet top-1 in percent; the mini world's own in mini), seeds, public, stand_in, role,
        then loader facts: objective_class, penultimate, logits, width, loader, preprocessing, paper, extra, note.

    Notes
    -----
    Sources: LukasMut/human_alignment ``networks.csv`` and its group rules (paper 1, section 2); google-deepmind/alignet
    (paper 2, section 2).
    """
    import pandas as pd

    name = getattr(profile, "name", profile)
    if name not in (None, "mini", "slice", "full"):
        raise InputError(f"no profile is called '{name}'", "profile", "choose mini, slice or full")
    parts = []
    if name in (None, "slice", "full"):
        frame = pd.DataFrame(_published(), columns=COLUMNS)
        if name == "slice":
            frame = frame[
                (frame["source"] == "slice") | frame["model"].isin(["clip_ViT-B/32", "clip_ViT-L/14", "resnet18"])
            ]
        elif name == "full":
            frame = frame[frame["source"] != "slice"]
            frame = frame if extras else frame[~frame["extra"]]
        parts.append(frame)
    if name in (None, "mini"):
        parts.append(_mini())
    out = pd.concat([part.astype(object) for part in parts], ignore_index=True)
    columns = [*COLUMNS, *[c for c in out if c not in COLUMNS]]
    out = out.reindex(columns=columns)
    for key in NUMBERS:
        out[key] = pd.to_numeric(out[key])
    return out

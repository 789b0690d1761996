"""Tiny files of arranged and rated pictures: Cichy, King, Mur, Peterson; photographs of THINGS; features of both."""

from __future__ import annotations

import numpy as np

from humalign.data import peterson
from humalign.store import write_text

from .writer import CONCEPTS


def _rdms(writer, people: int, m: int) -> np.ndarray:
    points = np.repeat(writer.rng.normal(size=(4, 3)), -(-m // 4), axis=0)[:m]
    own = points + 0.3 * writer.rng.normal(size=(people, m, 3))
    return np.linalg.norm(own[:, :, None] - own[:, None], axis=-1)


def arrangements(writer):
    """Cichy 2019, King 2019 (both sets), Mur 2013 and Peterson (six categories)."""
    rdms = _rdms(writer, 3, 12)
    for k in range(12):
        writer.image(f"cichy2019/images/{k + 1:03d}.jpg")
    writer.mat("cichy2019/sim_judgements/judgments_general.mat", judgments=rdms)
    behavior, labels = {}, ["category, subcategory, number"]
    upper = np.triu_indices(12, 1)
    for which in ("set1", "set2"):
        behavior[which] = {"pairwisedistances": _rdms(writer, 4, 12)[:, upper[0], upper[1]]}
        for k in range(12):
            writer.image(f"king2019/images/{which}/{k + 1:04d}.jpg")
    labels += [f"kind{k // 3},part,{k + 1}" for k in range(12)]
    write_text(writer.path("king2019/images/stimulus_category_labels.txt"), "\n".join(labels) + "\n")
    writer.mat("king2019/sim_judgements/BEHAVIOR.mat", BEHAVIOR=behavior)
    _mur(writer)
    for category in peterson.CATEGORIES:
        for k in range(6):
            writer.image(f"peterson/{category}/images/{k + 1:02d}.png")
        distance = _rdms(writer, 1, 6)[0]
        similarity = 10 * (1 - distance / distance.max() * 0.9)
        folder = f"peterson/{category}/sim_judgements"
        if category == "fruits":  # these come as a pickle and are converted to a table
            pairs = [(i, j) for i in range(6) for j in range(i)]
            lines = [f"{i + 1:02d}.png,{j + 1:02d}.png,{similarity[i, j]:.4f}" for i, j in pairs]
            write_text(writer.path(f"{folder}/fruits_pairs.csv"), "\n".join(["image1,image2,rating", *lines]) + "\n")
        else:
            writer.mat(f"{folder}/{category}_similarity.mat", simMatrix=similarity)


def photographs(writer):
    """Free photographs of some THINGS concepts, features of a network, and published numbers."""
    some = CONCEPTS[::2]
    for name in some:
        writer.image(f"things_cc0/images/{name}.webp")
    rows = [f"{name},{CONCEPTS.index(name)}" for name in some]
    write_text(writer.path("things_cc0/concepts.csv"), "\n".join(["uniqueID,sorted_index", *rows]) + "\n")
    _features(writer, "things_cc0/features", some)
    accuracy = "source,model,dataset,triplet_type,zero_shot_accuracy,accuracy_after_linear_transform"
    numbers = "paper,quantity,network,dataset,value,unit,source,evidence,caveat"
    for name, head, row in (
        ("paper_numbers", numbers, "1,accuracy,net,THINGS,.4,,a,b,c"),
        ("published_odd_one_out", accuracy, "a,net,THINGS,,.4,"),
        ("alignet_human_validation_published", "quantity,value,note", "rating,3.5,of 5"),
    ):
        write_text(writer.path(f"published/{name}.csv"), "\n".join([head, row, row, row]) + "\n")


def _mur(writer):
    people = np.zeros(3, dtype=[("RDM", "O"), ("name", "O"), ("color", "O")])
    for k, rdm in enumerate(_rdms(writer, 3, 8)):
        people[k] = (rdm, f"simJudge | subject{k + 1}", np.full(3, 0.5))
    writer.mat("mur92/92_behavRDMs.mat", rdms_behav_92=people[None])
    fields = ("category", "human", "face", "animal", "natural", "image")
    stimuli = np.zeros(8, dtype=[(name, "O") for name in fields])
    for k in range(8):
        pixels = writer.rng.integers(0, 256, (15, 15, 3), dtype=np.uint8)
        flag = np.uint8(k % 2)
        stimuli[k] = (("human face", "natural inanimate")[k % 2], 1 - flag, 1 - flag, 1 - flag, flag, pixels)
    labels = np.array(["animate", "inanim"], dtype=object)
    vectors = np.stack([np.arange(8) % 2 == 0, np.arange(8) % 2 == 1], 1).astype(np.uint8)
    writer.mat(
        "mur92/Kriegeskorte_Neuron2008_supplementalData.mat",
        stimuli_92objs=stimuli[None],
        categoryLabels=labels[None],
        categoryVectors=vectors,
    )
    _features(writer, "mur92/features", [f"{k:02d}" for k in range(8)])


def _features(writer, folder: str, ids) -> None:
    values = writer.rng.normal(size=(len(ids), 12)).astype(np.float16)
    np.savez(writer.path(f"{folder}/efficientnet_lite0.penultimate.npz"), features=values, ids=np.array(ids))

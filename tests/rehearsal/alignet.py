"""Tiny files of paper 2: Levels, the validation study, AligNet triplets; and transforms and weights of others."""

from __future__ import annotations

import json

import numpy as np

from humalign.data import alignet as release
from humalign.data import registry
from humalign.data.levels import CLASSES
from humalign.store import write_text

from .writer import SYNSETS

FIRE = {  # SqueezeNet 1.0: place of each fire module, and its inputs, squeezed channels, and each half of its outputs
    3: (96, 16, 64), 4: (128, 16, 64), 5: (128, 32, 128), 7: (256, 32, 128), 8: (256, 48, 192), 9: (384, 48, 192),
    10: (384, 64, 256), 12: (512, 64, 256),
}  # fmt: skip


def _names(writer, classes: int) -> list[str]:
    """Three different training images of ``classes`` different classes."""
    chosen = writer.rng.choice(len(SYNSETS), classes, replace=False)
    spread = {1: [0, 0, 0], 2: [0, 0, 1], 3: [0, 1, 2]}[classes]
    used: dict[int, int] = {}
    names = []
    for slot in spread:
        number = int(chosen[slot])
        used[number] = used.get(number, -1) + 1
        names.append(f"{SYNSETS[number]}_{10 * number + used[number]}.JPEG")
    return names


def levels(writer):
    """Levels: sessions (line-delimited), trial lists; the validation study."""
    folder = "stimuli/imagenet2012"
    triplets = [(level, _names(writer, classes)) for level, classes in CLASSES.items() for _ in range(8)]
    for person in range(5):
        trials = [{"trial_type": "instructions", "rt": 5000}]
        for level, names in triplets:
            order = [names[k] for k in writer.rng.permutation(3)]
            chosen = names[2] if level == "boundary" else names[int(writer.rng.integers(3))]
            if person == 0 and level == "coarse" and names is triplets[0][1]:
                chosen = "No image selected"
            trials.append(_trial(writer, folder, order, chosen, "exp_trial", person))
        for _ in range(3):
            names = _names(writer, 2)
            trial = _trial(writer, folder, names, names[2], "catch_trial", person)
            trials.append(trial | {"catch_trial_correct": True})
        lines = "\n".join(json.dumps(one) for one in trials)
        write_text(writer.path(f"levels/raw_data/2024-04-1{person} 12_00_00.json"), lines + "\n")
    kinds = {"coarse": "between_class", "fine": "within_class", "boundary": "class_boundary"}
    lines = ["id,image1,image2,image3,trial,triplet_class"]
    for number, (level, names) in enumerate(triplets):
        lines.append(",".join(["participant_0", *[f"{folder}/{n}" for n in names], str(number), kinds[level]]))
    write_text(writer.path("levels/triplets_experiment_first_20_participants.csv"), "\n".join(lines) + "\n")
    _validation(writer)


def _trial(writer, folder, names, chosen, kind, person) -> dict:
    return {
        "rt": int(writer.rng.integers(800, 6000)),
        "subject_id": f"participant_{person}",
        **{f"image{k + 1}Path": f"{folder}/{name}" for k, name in enumerate(names)},
        "selected_image": chosen,
        "exp_trial_type": kind,
    }


def _validation(writer):
    pairs = [(f"{s}_{10 * k}.JPEG", f"{s}_{10 * k + 1}.JPEG") for k, s in enumerate(SYNSETS[:10])]
    lines = ["id;image1;image2;trial_type"]
    lines += [f"participant_{p};{a};{b};X" for p in range(2) for a, b in pairs]
    write_text(writer.path("levels/alignet_validation_pairs.csv"), "\n".join(lines) + "\n")
    models = ["Image1;Image2;alignet;unalignet;align_unalign_z_diff_signed"]
    for k, (a, b) in enumerate(pairs):
        near, far = 0.2 + 0.01 * k, 0.8
        closer = k % 2 == 0
        models.append(f"{a};{b};{near if closer else far};{far if closer else near};{-1.5 if closer else 1.5}")
    write_text(writer.path("levels/max_divergence_top_100_of_1.csv"), "\n".join(models) + "\n")
    rows = ["prolific_id,exp_trial_type,response,image1Path,image2Path"]
    for person in range(4):
        rows.append(f"subject_{person},training_trial,2,practice/a.JPEG,practice/b.JPEG")
        for k, (a, b) in enumerate(pairs):
            rating = (4 if k % 2 == 0 else 2) + int(writer.rng.integers(2))
            rating = 2 * rating if person == 3 else rating  # a pilot on the longer slider
            rows.append(f"subject_{person},exp_trial,{rating},stimuli/{a},stimuli/{b}")
    write_text(writer.path("levels/AligNet_Human_Validation_results.csv"), "\n".join(rows) + "\n")


def alignet(writer):
    """AligNet triplets (all transforms, splits and samplings) and representations with clusters."""
    names = [f"{s}_{10 * k + j}.JPEG" for k, s in enumerate(SYNSETS) for j in range(4)]
    for transform in release.TRANSFORMS:
        for split in release.SPLITS:
            for sampling in release.SAMPLINGS:
                classes = {"within_class": 1, "class_border": 2, "between_class": 3}.get(sampling, 3)
                files = np.array([_names(writer, classes) for _ in range(40)])
                similarities = np.sort(writer.rng.normal(size=(40, 3)), axis=1)[:, ::-1].astype(np.float32)
                indices = np.array([[names.index(one) for one in row] for row in files])
                np.savez_compressed(
                    writer.path(f"alignet/{transform}/{split}_{sampling}.npz"),
                    filenames=files,
                    similarities=similarities,
                    indices=indices,
                )
    np.save(writer.path("alignet/imagenet2012_filenames.npy"), np.array(names))
    np.savez(
        writer.path("alignet/representations.npz"),
        filenames=np.array(names),
        representations=writer.rng.normal(size=(len(names), 12)).astype(np.float32),
        clusters=writer.rng.integers(0, 5, len(names)),
    )


def transforms(writer):
    """gLocal transforms, and SqueezeNet with random weights."""
    for name in [one.name.split("/", 1)[1] for one in registry.entries("full") if one.name.startswith("glocal/")]:
        d = 10 if name.startswith("resnet") else 12
        weights = np.eye(d, dtype=np.float32) + 0.1 * writer.rng.normal(size=(d, d)).astype(np.float32)
        np.savez(
            writer.path(f"glocal_transforms/{name}.npz"), weights=weights, mean=np.float64(0.1), std=np.float64(1.2)
        )
    shapes = {"features.0": (96, 3, 7, 7), "classifier.1": (1000, 512, 1, 1)}
    for place, (wide, narrow, half) in FIRE.items():
        shapes |= {
            f"features.{place}.squeeze": (narrow, wide, 1, 1),
            f"features.{place}.expand1x1": (half, narrow, 1, 1),
            f"features.{place}.expand3x3": (half, narrow, 3, 3),
        }
    arrays = {}
    for name, shape in shapes.items():
        scale = np.float32(np.sqrt(2 / np.prod(shape[1:])))
        arrays[f"{name}.weight"] = scale * writer.rng.standard_normal(shape, np.float32)
        arrays[f"{name}.bias"] = np.zeros(shape[0], np.float32)
    np.savez(writer.path("weights/squeezenet1_0_torchvision_state_dict.npz"), **arrays)

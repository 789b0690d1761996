"""Tiny image sets: ImageNet, ImageNet-A, BREEDS, the few-shot sets and CIFAR-100."""

from __future__ import annotations

import numpy as np

from humalign.data import cifar, imagenet
from humalign.store import write_json, write_text

from .writer import SYNSETS


def image_sets(writer):
    """ImageNet (train folders, flat validation with devkit), ImageNet-A, BREEDS and the few-shot sets."""
    for number, synset in enumerate(SYNSETS):
        for k in range(4):
            writer.image(f"imagenet/train/{synset}/{synset}_{10 * number + k}.JPEG")
        if number < 6:
            writer.image(f"imagenet-a/{synset}/0.001_thing_{number}.jpg")
    official = writer.rng.permutation(len(SYNSETS))  # the devkit's class ids are in another order
    truth = np.repeat(np.arange(len(SYNSETS)), 4)  # enough to learn, to choose and to test in a shift
    for k in range(len(truth)):
        writer.image(f"imagenet/val/ILSVRC2012_val_{k + 1:08d}.JPEG")
    kit = "imagenet/ILSVRC2012_devkit_t12/data"
    writer.text(f"{kit}/ILSVRC2012_validation_ground_truth.txt", official[truth] + 1)
    synsets = np.zeros((len(SYNSETS), 1), dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")])
    for number, synset in enumerate(SYNSETS):
        synsets[number, 0] = (float(official[number] + 1), synset, f"thing {number}")
    writer.mat(f"{kit}/meta.mat", synsets=synsets)
    tasks = {}
    for task in imagenet.TASKS:
        # the first class is in every task, so that a damaged first picture concerns all
        numbers = np.r_[0, 1 + writer.rng.permutation(len(SYNSETS) - 1)[:11]].reshape(3, 4)
        tasks[task] = [
            {"super": k, "source": [int(v) for v in row[:2]], "target": [int(v) for v in row[2:]]}
            for k, row in enumerate(numbers)
        ]
    write_json(writer.path("tables/breeds.json"), tasks)
    write_text(
        writer.path("tables/networks.csv"),
        "model,imagenet_accuracy,param_count,depth,arch\nresnet18,69.758,11.69,,ResNet\nvgg16,71.592,138.36,16,VGG\n",
    )
    _few_shot(writer)
    _cifar(writer)


def _few_shot(writer):
    for k in range(4):
        for j in range(3):
            writer.image(f"caltech101/101_ObjectCategories/class{k}/image_{j + 1:04d}.jpg")
            writer.image(f"dtd/dtd/images/texture{k}/texture{k}_{j + 1:04d}.jpg")
            writer.image(f"oxford-iiit-pet/images/Breed_{k}_{j + 1}.jpg")
            writer.image(f"ucmerced/UCMerced_LandUse/Images/use{k}/use{k}{j:02d}.tif")
    writer.image("caltech101/101_ObjectCategories/BACKGROUND_Google/image_0001.jpg")
    for j, part in enumerate(("train", "val", "test")):
        lines = [f"texture{k}/texture{k}_{j + 1:04d}.jpg" for k in range(4)]
        write_text(writer.path(f"dtd/dtd/labels/{part}1.txt"), "\n".join(lines) + "\n")
    for part, numbers in (("trainval", (1, 2)), ("test", (3,))):
        lines = [f"Breed_{k}_{j} {k + 1} 1 {k + 1}" for k in range(4) for j in numbers]
        write_text(writer.path(f"oxford-iiit-pet/annotations/{part}.txt"), "\n".join(lines) + "\n")
    for part, n in (("train", 8), ("test", 4)):
        rows = np.zeros((1, n), dtype=[("bbox_x1", "O"), ("class", "O"), ("fname", "O")])
        for k in range(n):
            writer.image(f"cars196/cars_{part}/{k + 1:05d}.jpg")
            rows[0, k] = (1, k % 4 + 1, f"{k + 1:05d}.jpg")
        place = "cars196/devkit/cars_train_annos.mat" if part == "train" else "cars196/cars_test_annos_withlabels.mat"
        writer.mat(place, annotations=rows)
    writer.mat("cars196/devkit/cars_meta.mat", class_names=np.array([f"car {k}" for k in range(4)], dtype=object)[None])


def _cifar(writer):
    fine, coarse = [f"fine{k}" for k in range(8)], [f"coarse{k}" for k in range(4)]
    write_text(writer.path(f"{cifar.FOLDER}/fine_label_names.txt"), "\n".join(fine) + "\n")
    write_text(writer.path(f"{cifar.FOLDER}/coarse_label_names.txt"), "\n".join(coarse) + "\n")
    for split, n in (("train", 160), ("test", 40)):
        labels = np.arange(n) % 8
        pixels = writer.rng.integers(0, 256, (n, cifar.RECORD - 2))
        records = np.column_stack([labels // 2, labels, pixels]).astype(np.uint8)
        writer.path(f"{cifar.FOLDER}/{split}.bin").write_bytes(records.tobytes())

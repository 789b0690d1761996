"""The drawn world in the layouts of published data sets, with features of networks: THINGS, Cichy, King, CIFAR, Levels.

What the full profile reads from such a folder must be what mini reads from the drawn world itself.
"""

import json
from pathlib import Path

import numpy as np

from humalign.data import cifar
from humalign.data.known import MANIFEST
from humalign.features import shards
from humalign.source import open_source
from humalign.store import digest, save_arrays, write_json, write_text
from humalign.world.drawing import world
from humalign.world.stimuli import concept_of

ROLES = ("things", "cichy", "king1", "king2", "coarse", "levels")
CLASSES = {"coarse": "between_class", "fine": "within_class", "boundary": "class_boundary"}


def things(name: str) -> str:
    """THINGS has one picture and one id a concept: ``dog/1`` is ``dog_1``."""
    return name.replace("/", "_")


def wnid(concept: str) -> str:
    """A WordNet id of each drawn concept."""
    return f"n{world().concepts.index(concept) + 1:08d}"


def imagenet(name: str) -> str:
    """An ImageNet file name: ``dog/test3`` is ``n00000042_3.JPEG``."""
    concept, _, rest = name.partition("/")
    return f"{wnid(concept)}_{rest.removeprefix('test')}.JPEG"


def write(root, networks: dict) -> Path:
    """Write the folder.

    Parameters
    ----------
    root : path
        New or empty.
    networks : dict of str to str
        Key of the drawn network to the key of the published one under whose name its features lie.
    """
    root, source = Path(root), open_source("mini")

    def path(name):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        return root / name

    def pictures(role, folder, name):
        shown = source.pictures(role)
        for one, file in zip(shown.ids, shown.images):
            path(f"{folder}/{name(one)}").write_bytes(Path(file).read_bytes())  # PNG, whatever the ending

    write_json(path(MANIFEST), {"rehearsal": True, "note": "drawn world, simulated people: not data about people"})
    _things(path, source)
    pictures("things", "things/images", lambda one: f"{things(one)}.png")
    _arrangements(path, source)
    for role, folder in (
        ("cichy", "cichy2019/images"),
        ("king1", "king2019/images/set1"),
        ("king2", "king2019/images/set2"),
    ):
        pictures(role, folder, lambda one: f"{concept_of(one)}.jpg")
    _coarse(path, source)
    _levels(path, source)
    pictures("levels", "imagenet/train", lambda one: f"{wnid(concept_of(one))}/{imagenet(one)}")
    _features(root, source, networks)
    return root


def _things(path, source):
    answers, kind = source.triplets("things"), source.pictures("things").meta["kind"]
    lines = ["Word\tuniqueID", *(f"{concept_of(one)}\t{things(one)}" for one in answers.ids)]
    write_text(path("things/concepts/things_concepts.tsv"), "\n".join(lines) + "\n")
    kinds = sorted(set(kind))
    flags = ["\t".join(kinds), *("\t".join("01"[k == one] for k in kinds) for one in kind)]
    write_text(path("things/concepts/category_mat_manual_27.tsv"), "\n".join(flags) + "\n")
    test = np.arange(len(answers)) % 10 == 9
    for name, rows in (("train_90", ~test), ("test_10", test)):
        np.save(path(f"things/triplets/{name}.npy"), answers.triplets[rows].astype(np.int16))
    first, again = source.again("things")
    for name, data in (("testset1", first), ("testset2", first), ("testset2_repeat", again)):
        np.savetxt(path(f"things/triplets/{name}.txt"), data.triplets, fmt="%d")


def _arrangements(path, source):
    import scipy.io

    cichy = source.arrangement("cichy").rdm
    scipy.io.savemat(path("cichy2019/sim_judgements/judgments_general.mat"), {"judgments": cichy})
    upper = np.triu_indices(144, 1)
    sets = {f"set{k}": {"pairwisedistances": source.arrangement(f"king{k}").rdm[:, *upper]} for k in (1, 2)}
    scipy.io.savemat(path("king2019/sim_judgements/BEHAVIOR.mat"), {"BEHAVIOR": sets})


def _coarse(path, source):
    shown = source.pictures("coarse", 32)
    fine, coarse = list(world().concepts), sorted(set(shown.meta["kind"]))
    records = np.empty((len(shown), cifar.RECORD), np.uint8)
    records[:, 0] = [coarse.index(kind) for kind in shown.meta["kind"]]
    records[:, 1] = [fine.index(concept) for concept in shown.concepts]
    records[:, 2:] = shown.images.transpose(0, 3, 1, 2).reshape(len(shown), -1)
    records.tofile(path(f"{cifar.FOLDER}/train.bin"))
    write_text(path(f"{cifar.FOLDER}/fine_label_names.txt"), "\n".join(fine) + "\n")
    write_text(path(f"{cifar.FOLDER}/coarse_label_names.txt"), "\n".join(coarse) + "\n")
    np.save(path("cifar100/cifar100_coarse_triplets.npy"), source.triplets("coarse").triplets.astype(np.int16))


def _levels(path, source):
    for number, (person, part) in enumerate(source.sessions("levels").groupby("participant", sort=False)):
        lines = []
        for row in part.itertuples():
            shown = {f"image{k}Path": f"stimuli/{imagenet(getattr(row, f'image{k}'))}" for k in (1, 2, 3)}
            missed = not isinstance(row.selected, str)
            told = {"rt": None if missed else 1000 * row.seconds, "subject_id": person, **shown}
            told["selected_image"] = "No image selected" if missed else imagenet(row.selected)
            if row.kind == "trial":
                told["triplet_class"] = CLASSES[row.level]
            lines.append(json.dumps({**told, "exp_trial_type": "exp_trial" if row.kind == "trial" else "catch_trial"}))
        write_text(path(f"levels/raw_data/{number:03d}-{person}.json"), "\n".join(lines) + "\n")


def _features(root, source, networks):
    names = {"things": things, "levels": imagenet}
    for role in ROLES:
        place = open_source("mini").role(role).pictures[0]
        for own, other in networks.items():
            parts = {part.layer: part for part in source.features(role, models=[own])}
            ids = next(iter(parts.values())).ids
            told = [names.get(role, concept_of)(one) for one in ids]
            if role == "coarse":
                told = [f"train/{k:05d}" for k in range(len(ids))]
            widths = {name: part.values.shape[1] for name, part in parts.items()}
            about = {"model": other, "weights": "drawn", "weights_digest": "", "preprocess": {}, "dtype": "float32",
                     "n": len(told), "shard_size": len(told), "ids_digest": digest(tuple(told)), "order": list(parts),
                     "layers": {name: {"module": name, "width": wide} for name, wide in widths.items()}}  # fmt: skip
            file = shards.place(root, other, place)
            save_arrays(file.with_name(f"{file.name}.safetensors"), {n: p.values for n, p in parts.items()},
                        {"ids": told, "manifest": about})  # fmt: skip

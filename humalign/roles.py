"""The roles that data sets play in the studies, and the published data sets that can play each, the preferred first."""

from __future__ import annotations

from dataclasses import dataclass

CONTROL_SEED = 2023  # of the permutation of objects in the control of published data
NETWORKS = {  # features that come as data sets of one network: data set, key of the network
    "things/clip_vit_b32": "clip_ViT-B/32",
    "things/vgg16_srf200": "vgg16_srf200",
    "things/word2vec": "word2vec",
    "things/vice_42": "vice_42",
    "things/spose_49": "spose_49",
}


@dataclass(frozen=True)
class Role:
    """One role.

    Attributes
    ----------
    title : str
    kind : {"triplets", "arrangement", "sessions", "pictures"}
    folder, file : str
        In the plain layout (:mod:`humalign.data.plain`): the study, and the file with what people did in it.
    answers, pictures, repeated, people : tuple of str
        Published data sets with what people did, the pictures, answers of several people to the same triplets, and
        embeddings of people; those after the first stand in for it, see :meth:`humalign.source.Source.standing_in`.
    again : tuple of str
        The published data set that was answered twice, and the second answers.
    stand_ins : tuple of str
        Published pictures of the same objects that people did not judge, for networks that are to see something.
    probabilities, categories : str
        Published data sets with chances of the answers, and with categories of the pictures.
    control : bool
        Its published answers are those of ``answers`` with the objects permuted.
    features : tuple of str
        Published data sets with features of networks for the pictures or the concepts: of one network
        (:data:`NETWORKS`), or of several.
    joined : bool
        Its published answers are those of all data sets in ``answers`` together, as far as their three objects are
        among the pictures.
    """

    title: str
    kind: str
    folder: str = ""
    file: str = ""
    answers: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    probabilities: str = ""
    categories: str = ""
    control: bool = False
    features: tuple[str, ...] = ()
    joined: bool = False


_REPEATED = ("things/testset1", "things/testset2", "things/testset3")
_THINGS = {"answers": ("things/all", "things/test_10_id"), "pictures": ("things/images", "things/images_plus"),
           "stand_ins": ("things_cc0/images",), "categories": "things/categories_27",
           "features": ("things/clip_vit_b32", "things/vgg16_srf200", "things/word2vec")}  # fmt: skip
ROLES = {
    "things": Role(
        "odd-one-out choices", "triplets", "things", "answers.csv", **_THINGS,
        repeated=_REPEATED,
        again=("things/testset2", "things/testset2_repeat"),
        people=("things/vice_45", "things/vice_44", "things/vice_42"), probabilities="things/entropies",
    ),
    "things-permuted": Role("choices of the control", "triplets", "things", "control.csv", **_THINGS, control=True),
    "photographs": Role(
        "odd-one-out choices among the concepts of free photographs", "triplets", joined=True,
        answers=("things/test_10_id", "things/testset1", "things/testset2"), pictures=("things_cc0/images",),
        repeated=_REPEATED, categories="things/categories_27", features=("things_cc0/features", *NETWORKS),
    ),
    "coarse": Role("coarse categories", "triplets", "test", "labels.csv",
                   ("cifar100/coarse_triplets",), ("cifar100/train",)),
    "levels": Role("three levels", "sessions", "test", "sessions.csv", ("levels",), ("levels/images",)),
    "cichy": Role("arrangements (Cichy et al.)", "arrangement", "cichy", "arrangement.npz",
                  ("cichy2019",), ("cichy2019/images",)),
    "king1": Role("arrangements (King et al., A)", "arrangement", "king1", "arrangement.npz",
                  ("king2019/set1",), ("king2019/set1/images",)),
    "king2": Role("arrangements (King et al., B)", "arrangement", "king2", "arrangement.npz",
                  ("king2019/set2",), ("king2019/set2/images",)),
    "mur92": Role("arrangements of 92 objects", "arrangement", "mur92", "arrangement.npz", ("mur92",),
                  ("mur92/images",), features=("mur92/features",)),
    "test": Role("pictures of all concepts", "pictures", "test", "pictures.csv"),
    **{name: Role(f"pictures of {one}", "pictures", pictures=(one,)) for name, one in {
        "caltech101": "caltech101", "cars196": "cars196", "cifar100-train": "cifar100/train",
        "cifar100-test": "cifar100/test", "dtd": "dtd", "pets": "pets", "ucmerced": "ucmerced",
        "imagenet-val": "imagenet/val", "imagenet-train": "imagenet/train", "imagenet-a": "imagenet_a",
        "validation": "levels/validation_images",
    }.items()},
}  # fmt: skip
TRIPLETS = ("things", "things-permuted", "coarse")
ARRANGEMENTS = ("cichy", "king1", "king2")
FILES = {"answers.csv": "triplets", "control.csv": "triplets", "labels.csv": "triplets", "sessions.csv": "sessions",
         "arrangement.npz": "arrangement", "pictures.csv": "pictures"}  # fmt: skip


def role(name: str) -> Role | None:
    """The role of a name: one of :data:`ROLES`, else FOLDER or FOLDER/FILE of the plain layout; None for neither.

    ``lab`` and ``lab/answers`` are the answers of a study in the folder ``lab``, ``lab/labels`` its labels.
    """
    if name in ROLES:
        return ROLES[name]
    folder, _, file = name.partition("/")
    file = next((one for one in FILES if one.partition(".")[0] == (file or "answers")), None)
    return Role(f"study {folder}", FILES[file], folder, file) if folder and file else None

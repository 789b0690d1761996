"""Embeddings, features, transforms and weights that others computed: their rows get names here."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from . import files as read
from . import things
from .ids import check_finite
from .registry import File, dataset, raw_file
from .row_orders import check_declared
from .types import ConceptEmbedding, Features

SLICE = ("slice", "full")
FINAL = "embeddings/things/final_embedding.npy"
MIRKO = "MirkoTh/semantic-representations-ID"
VICE = "Muttenthaler, Zheng, McClure, Vandermeulen, Hebart, Pereira 2022, VICE, NeurIPS"
SPOSE = "Hebart, Zheng, Pereira, Baker 2020, Nature Human Behaviour 4:1173-1185"


def _named(at, order: str):
    """The table of an entry with a row a concept, and the names of its rows, which lie in ``order`` on disk."""
    path, order = at.path("embedding"), things.declared_order(at, order)
    values, ids = read.read_matrix(path), things.row_ids(at, order)
    if values.ndim != 2 or len(values) != len(ids):
        told = f"has shape {values.shape} where ({len(ids)}, dimensions) is expected"
        raise InputError(told, path, "rows are concepts: " + read.AGAIN)
    check_declared(at, "embedding", order, values)
    return path, values, ids


def _embedding(at, order: str) -> ConceptEmbedding:
    path, values, ids = _named(at, order)
    names = tuple(f"dimension {d + 1}" for d in range(values.shape[1]))
    return at.make(ConceptEmbedding, path, ids=ids, values=values, dimensions=names).align(things.concept_ids(at))


def _features(at, order, model, layer) -> Features:
    path, values, ids = _named(at, order)
    return at.make(Features, path, ids=ids, values=values, model=model, layer=layer).align(things.concept_ids(at))


def concept_table(name, title, path, d, order, source, licence, citation, *, what="", also=(), url="", mirrors=(),
                  network=(), profiles=("full",), size="", steps=(), row_order="") -> None:  # fmt: skip
    """Register a table with a row a concept, loaded in the order of THINGS: an embedding, or features of a network.

    Parameters
    ----------
    name, title, path, source, licence, citation, what, also, url, mirrors, profiles, size, steps
        See :class:`humalign.data.registry.Entry` and ``File``.
    d : int
        Columns.
    order : str
        Of the rows on disk, see :mod:`humalign.data.row_orders`.
    network : (str, str)
        Model and layer whose features they are; () for an embedding of people.
    row_order : str
        What is said of the order, where it is more than its name.
    """
    file = File(path, what or f"(1854, {d})", also=also, url=url, mirrors=mirrors)

    @dataset(
        name,
        title=title,
        kind="features" if network else "embedding",
        profiles=profiles,
        files={"embedding": file, "concepts": things.CONCEPTS, "maps": things.MAPS},
        source=source,
        licence=licence,
        citation=citation,
        row_order=row_order or order,
        size=size or f"{7416e-6 * d:.1f} MB",
        expect={"objects": 1854, "dimensions": d},
        steps=steps,
    )
    def load(at):
        return _features(at, order, *network) if network else _embedding(at, order)


concept_table(
    "things/vice_42", "VICE embedding, 42 dimensions", "things/embeddings/vice_42d.npy", 42, "raw",
    "https://github.com/LukasMut/VICE", "GPL-3.0", VICE, what="(1854, 42) float32, not negative", profiles=SLICE,
    url=raw_file("LukasMut/VICE", "83e7b9f4c10a0f2e8d117b6bad0627afe29d1776", FINAL),
    mirrors=(raw_file("LukasMut/VICE", "5f80103ef4c9eb29477c4cadb1c9c54476d59e97", FINAL),),
)  # fmt: skip
concept_table(
    "things/spose_49", "SPoSE embedding, 49 dimensions", "things/embeddings/spose_embedding_49d_sorted.txt", 49,
    "sorted", "https://osf.io/z2784/", things.CC, SPOSE, what="(1854, 49) text", profiles=SLICE, size="2.3 MB",
    url="https://osf.io/download/4pgk8", mirrors=("https://osf.io/4pgk8/download",),
)  # fmt: skip
concept_table(
    "things/clip_vit_b32", "CLIP ViT-B/32 image embeddings of the THINGS images", "things/features/clip_vit_b32.npy",
    512, "upper", f"https://github.com/{MIRKO}", "GPL-3.0 repository", "Radford et al. 2021, CLIP, ICML",
    what="(1854, 512) float32, rows of length 1", network=("clip-vit-b32", "visual"), profiles=SLICE,
    url=raw_file(MIRKO, "1bf191deee4c9bc7216904536657eb791dfaa19b", "data/clip-vit-base-p32-embeddings.npy"),
)  # fmt: skip
concept_table(  # no image is involved
    "things/word2vec", "word2vec vectors of the THINGS concept names", "things/features/word2vec.npy", 300, "sorted",
    f"https://github.com/{MIRKO}", "GPL-3.0 repository", "Mikolov et al. 2013, word2vec, NeurIPS",
    what="(1854, 300) float32", network=("word2vec", "words"), profiles=SLICE,
    url=raw_file(MIRKO, "03d427c892e18f867802302222282c9095d9af55", "data/word2vec-embeddings.npy"),
)  # fmt: skip
concept_table(  # dot products of the factors stand for those of the network
    "things/vgg16_srf200", "VGG-16 features of the THINGS images, as 200 non-negative factors",
    "things/features/vgg16_srf200.npy", 200, "raw", "https://github.com/florianmahner/pysrf", "BSD-3-Clause",
    "Simonyan, Zisserman 2015, VGG, ICLR; layer and pictures are not stated",
    what="(1854, 200) float32, W with W W' near the linear kernel", network=("vgg16", "srf200"), profiles=SLICE,
    row_order="raw (a description says python; the two differ at ice and ice-cream_cone, see the page on real people)",
)  # fmt: skip


@dataset(
    "things_eeg2/clip_vit_l14",
    title="CLIP ViT-L/14 features of 200 THINGS concepts (THINGS-EEG2 test images)",
    kind="features",
    profiles=SLICE,
    files={
        "features": File("things_eeg2_200/clip_vit_l14.npy", "(200, 1, 768) or (200, 768) float32, rows of length 1"),
        "names": File("things_eeg2_200/things_eeg2_test200.json", "row names, key test_img_concepts_THINGS"),
    },
    source="https://github.com/eeyhsong/NICE-EEG",
    licence="MIT",
    citation="Gifford et al. 2022, THINGS-EEG2, NeuroImage 264; Radford et al. 2021, CLIP, ICML",
    row_order="names in the json",
    size="0.6 MB",
    expect={"objects": 200, "dimensions": 768},
)
def eeg2_clip_vit_l14(at):
    """CLIP ViT-L/14 features, (concepts, 768); ids = THINGS' uniqueID."""
    path, names = at.path("features"), at.path("names")
    listed = read.read_json(names)
    rows = listed.get("test_img_concepts_THINGS") if isinstance(listed, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
        raise InputError("has no list called test_img_concepts_THINGS", names, read.AGAIN)
    if strange := [row for row in rows if "_" not in row or not row.split("_")[0].isdigit()]:
        raise InputError(f"name '{strange[0]}' is not number_uniqueID", names, read.AGAIN)
    values = read.read_npy(path)
    if values.ndim == 3 and values.shape[1] == 1:  # as published: one image a concept
        values = values[:, 0]
    ids, meta = tuple(row.split("_", 1)[1] for row in rows), {"images": listed.get("test_img_files", [])}
    return at.make(Features, path, ids=ids, values=values, model="clip-vit-l14", layer="visual", meta=meta)


def read_transform(path):
    """A gLocal transform: dict of weights (d, d), mean, std and, for some, bias (d,).

    Raises
    ------
    InputError
        For pickles, missing arrays, weights that are not square, a mean, deviation or bias of another length, NaN.
    """
    arrays = read.read_npz(path, ("weights", "mean", "std"))
    weights = read.shaped(arrays["weights"], (None, None), path)
    d = len(weights)
    read.shaped(weights, (d, d), path, "weights are (d, d)")
    for key in ("mean", "std", "bias"):
        value = arrays.get(key)
        if value is not None and value.shape not in ((), (d,), (1,)):
            raise InputError(f"{key} has shape {value.shape} for weights {weights.shape}", path, read.AGAIN)
    for key, value in arrays.items():
        try:
            check_finite(np.atleast_1d(value), f"{path} ({key})")
        except TypeError:
            raise InputError(f"{key} does not hold numbers", path, read.AGAIN) from None
    if not (np.asarray(arrays["std"]) > 0).all():
        raise InputError("std is not positive", path, read.AGAIN)
    return arrays


def _register_transform(stem, model, layer, d, commit, path, profiles=("full",)):
    @dataset(
        f"glocal/{stem}",
        title=f"gLocal transform of {model}, {layer}",
        kind="transform",
        profiles=profiles,
        files={
            "transform": File(
                f"glocal_transforms/{stem}.npz",
                f"weights ({d}, {d}), mean, std, bias for some",
                url=raw_file("LukasMut/gLocal", commit, f"transforms/{path}/transform.npz"),
            )
        },
        source="https://github.com/LukasMut/gLocal",
        licence="MIT",
        citation="Muttenthaler et al. 2023, Improving neural network representations using human similarity "
        "judgments, NeurIPS",
        row_order="none",
        size=f"{4e-6 * d * d:.1f} MB",
        expect={"dimensions": d},
    )
    def load(at):
        """LinearTransform; fitted on THINGS triplets."""
        from ..probing.transform import LinearTransform

        arrays = read_transform(at.path("transform"))
        return LinearTransform(arrays["weights"], arrays["mean"], arrays["std"], arrays.get("bias"))


_FIRST, _LATER = "47e7454890418ad168cb96215226da1ccc14ae9a", "d1860d3e71c2e42cd345438c861f19478d15a95d"
_CONVOLUTIONS = "e67d61de96c7f9f046514bcda3d6714aa2d02bc1"
for _row in (
    ("clip_ViT-L_14_visual", "CLIP ViT-L/14", "visual", 768, _FIRST, "clip_ViT-L/14/visual", SLICE),
    ("resnet18_avgpool", "ResNet-18 (ImageNet-1K)", "avgpool", 512, _CONVOLUTIONS, "resnet18/avgpool", SLICE),
    ("clip_RN50_visual", "CLIP RN50", "visual", 1024, _FIRST, "clip_RN50/visual"),
    ("OpenCLIP_ViT-L-14_laion400m_visual", "OpenCLIP ViT-L/14 (LAION-400M)", "visual", 768, _FIRST,
     "OpenCLIP_ViT-L-14_laion400m_e32/visual"),
    ("OpenCLIP_ViT-L-14_laion2b_visual", "OpenCLIP ViT-L/14 (LAION-2B)", "visual", 768, _LATER,
     "OpenCLIP_ViT-L-14_laion2b_s32b_b82k/visual"),
    ("dino-vit-base-p8_norm", "DINO ViT-B/8", "norm", 768, _FIRST, "dino-vit-base-p8/norm"),
    ("dino-vit-base-p16_norm", "DINO ViT-B/16", "norm", 768, _LATER, "dino-vit-base-p16/norm"),
    ("dinov2-vit-base-p14_norm", "DINOv2 ViT-B/14", "norm", 768, _LATER, "dinov2-vit-base-p14/norm"),
    ("dinov2-vit-large-p14_norm", "DINOv2 ViT-L/14", "norm", 1024, _FIRST, "dinov2-vit-large-p14/norm"),
    ("alexnet_classifier.4", "AlexNet (ImageNet-1K)", "classifier.4", 4096, _CONVOLUTIONS, "alexnet/classifier.4"),
    ("vgg16_classifier.3", "VGG-16 (ImageNet-1K)", "classifier.3", 4096, "33454b02ac750c4981d08af0d096e76f9a9cfe14",
     "vgg16/classifier.3"),
    ("resnet50_avgpool", "ResNet-50 (ImageNet-1K)", "avgpool", 2048, _CONVOLUTIONS, "resnet50/avgpool"),
):  # fmt: skip
    _register_transform(*_row)


@dataset(
    "weights/squeezenet1_0",
    title="SqueezeNet 1.0 trained on ImageNet (Caffe weights in torchvision's names)",
    kind="weights",
    profiles=SLICE,
    files={"weights": File("weights/squeezenet1_0_torchvision_state_dict.npz", "52 float32 arrays")},
    source="https://github.com/songhan/SqueezeNet-Deep-Compression",
    licence="BSD",
    citation="Iandola et al. 2016, SqueezeNet; Han et al. 2016, Deep Compression, ICLR",
    row_order="none",
    size="0.9 MB",
    expect={"entries": 52},
)
def squeezenet1_0(at):
    """Weights by torchvision's key names. Input: BGR, 0 to 255, minus (104, 117, 123), 227 pixels."""
    path = at.path("weights")
    arrays = read.read_npz(path, ("features.0.weight", "classifier.1.weight"))
    for key, value in arrays.items():
        if value.dtype.kind != "f" or not np.isfinite(value).all():
            raise InputError(f"{key} does not hold finite floats", path, read.AGAIN)
    return arrays

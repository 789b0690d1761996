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
MIRKO = "MirkoTh/semantic-representations-ID"
VICE = "Muttenthaler, Zheng, McClure, Vandermeulen, Hebart, Pereira 2022, VICE, NeurIPS"
SPOSE = "Hebart, Zheng, Pereira, Baker 2020, Nature Human Behaviour 4:1173-1185"


def embedding(at, order: str) -> ConceptEmbedding:
    """The concept embedding of an entry, in the order of THINGS; the rows on disk are named by ``order``."""
    path, order = at.path("embedding"), things.declared_order(at, order)
    values, ids = read.read_matrix(path), things.row_ids(at, order)
    if values.ndim != 2 or len(values) != len(ids):
        raise InputError(
            f"has shape {values.shape} where ({len(ids)}, dimensions) is expected",
            path,
            "rows are concepts: " + read.AGAIN,
        )
    check_declared(at, "embedding", order, values)
    names = tuple(f"dimension {d + 1}" for d in range(values.shape[1]))
    found = at.make(ConceptEmbedding, path, ids=ids, values=values, dimensions=names)
    return found.align(things.concept_ids(at))


def embedding_files(path, what, also=(), url="", mirrors=()):
    """The files of one table with a row a concept."""
    file = File(path, what, also=tuple(also), url=url, mirrors=mirrors)
    return {"embedding": file, "concepts": things.CONCEPTS, "maps": things.MAPS}


@dataset(
    "things/vice_42",
    title="VICE embedding, 42 dimensions",
    kind="embedding",
    profiles=SLICE,
    files=embedding_files(
        "things/embeddings/vice_42d.npy",
        "(1854, 42) float32, not negative",
        url=raw_file(
            "LukasMut/VICE", "83e7b9f4c10a0f2e8d117b6bad0627afe29d1776", "embeddings/things/final_embedding.npy"
        ),
        mirrors=(
            raw_file(
                "LukasMut/VICE", "5f80103ef4c9eb29477c4cadb1c9c54476d59e97", "embeddings/things/final_embedding.npy"
            ),
        ),
    ),
    source="https://github.com/LukasMut/VICE",
    licence="GPL-3.0",
    citation=VICE,
    row_order="raw",
    size="0.3 MB",
    expect={"objects": 1854, "dimensions": 42},
)
def vice_42(at):
    """VICE, (concepts, 42), in the order of THINGS; fitted on THINGS triplets."""
    return embedding(at, "raw")


@dataset(
    "things/spose_49",
    title="SPoSE embedding, 49 dimensions",
    kind="embedding",
    profiles=SLICE,
    files=embedding_files(
        "things/embeddings/spose_embedding_49d_sorted.txt",
        "(1854, 49) text",
        url="https://osf.io/download/4pgk8",
        mirrors=("https://osf.io/4pgk8/download",),
    ),
    source="https://osf.io/z2784/",
    licence=things.CC,
    citation=SPOSE,
    row_order="sorted",
    size="2.3 MB",
    expect={"objects": 1854, "dimensions": 49},
)
def spose_49(at):
    """SPoSE, (concepts, 49); fitted on THINGS triplets."""
    return embedding(at, "sorted")


def _features(at, order, model, layer) -> Features:
    path, order = at.path("embedding"), things.declared_order(at, order)
    ids = things.row_ids(at, order)
    values = read.read_npy(path, (len(ids), None))
    check_declared(at, "embedding", order, values)
    return at.make(Features, path, ids=ids, values=values, model=model, layer=layer).align(things.concept_ids(at))


@dataset(
    "things/clip_vit_b32",
    title="CLIP ViT-B/32 image embeddings of the THINGS images",
    kind="features",
    profiles=SLICE,
    files=embedding_files(
        "things/features/clip_vit_b32.npy",
        "(1854, 512) float32, rows of length 1",
        url=raw_file(MIRKO, "1bf191deee4c9bc7216904536657eb791dfaa19b", "data/clip-vit-base-p32-embeddings.npy"),
    ),
    source=f"https://github.com/{MIRKO}",
    licence="GPL-3.0 repository",
    citation="Radford et al. 2021, CLIP, ICML",
    row_order="upper",
    size="3.8 MB",
    expect={"objects": 1854, "dimensions": 512},
)
def clip_vit_b32(at):
    """CLIP ViT-B/32 image features, (concepts, 512), in the order of THINGS."""
    return _features(at, "upper", "clip-vit-b32", "visual")


@dataset(
    "things/word2vec",
    title="word2vec vectors of the THINGS concept names",
    kind="features",
    profiles=SLICE,
    files=embedding_files(
        "things/features/word2vec.npy",
        "(1854, 300) float32",
        url=raw_file(MIRKO, "03d427c892e18f867802302222282c9095d9af55", "data/word2vec-embeddings.npy"),
    ),
    source=f"https://github.com/{MIRKO}",
    licence="GPL-3.0 repository",
    citation="Mikolov et al. 2013, word2vec, NeurIPS",
    row_order="sorted",
    size="2.2 MB",
    expect={"objects": 1854, "dimensions": 300},
)
def word2vec(at):
    """Word vectors, (concepts, 300); no image is involved."""
    return _features(at, "sorted", "word2vec", "words")


@dataset(
    "things/vgg16_srf200",
    title="VGG-16 features of the THINGS images, as 200 non-negative factors",
    kind="features",
    profiles=SLICE,
    files=embedding_files(
        "things/features/vgg16_srf200.npy", "(1854, 200) float32, W with W W' near the linear kernel"
    ),
    source="https://github.com/florianmahner/pysrf",
    licence="BSD-3-Clause",
    citation="Simonyan, Zisserman 2015, VGG, ICLR; layer and pictures are not stated",
    row_order="raw (a description says python; the two differ at ice and ice-cream_cone, see the page on real people)",
    size="1.5 MB",
    expect={"objects": 1854, "dimensions": 200},
)
def vgg16_srf200(at):
    """Factors of the linear kernel of VGG-16, (concepts, 200); their dot products stand for those of the network."""
    return _features(at, "raw", "vgg16", "srf200")


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

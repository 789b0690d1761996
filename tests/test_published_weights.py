"""Weights that the package fetches and converts itself: SavedModels without names, loss functions, AugReg."""

import http.server
import io
import tarfile
import threading
from functools import partial

import numpy as np
import pytest
import tensorflow_writer as writer
from test_zoo_models import SIDE, D, P, flax, reference

from humalign import features, zoo
from humalign.cli import main
from humalign.config import get_profile
from humalign.data.types import Stimuli
from humalign.errors import InputError, MissingData
from humalign.zoo import facts, flax_names, loss_study, published, savedmodel, tensorflow_files

torch = pytest.importorskip("torch")

STUDENTS = ("ViT-B", "SigLIP-B", "SigLIP2-B", "CLIP-ViT-B", "CapPa-B", "DINOv1-B", "DINOv2-B", "Scratch-B")


def anonymous(variables, classes=7, both=False):
    """Variables in captured order: the Flax tree with sorted keys, the triplet head, then the ImageNet head."""
    rng, width = np.random.default_rng(5), D * (1 + both)
    names = sorted(variables, key=lambda name: name.split("/"))
    heads = {
        "triplet_head/bias": (6,), "triplet_head/kernel": (width, 6), "i1k_norm/bias": (width,),
        "i1k_norm/scale": (width,), "i1k_head/bias": (classes,), "i1k_head/kernel": (width, classes),
    }  # fmt: skip
    values = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in heads.items()}
    return [*names, *heads], [*(variables[name] for name in names), *values.values()], values


def deep(pool, depth=12):
    """A network of twelve blocks, so that block 10 sorts before block 2."""
    out = {k: v for k, v in flax(pool).items() if "encoderblock_" not in k}
    for number in range(depth):
        own = flax(pool, seed=100 + number)
        out |= {k.replace("erblock_0/", f"erblock_{number}/"): v for k, v in own.items() if "encoderblock_0/" in k}
    return out


def expected(variables, images, pool):
    """The reference of test_zoo_models, for any number of blocks."""
    import test_zoo_models as small

    before, small.L = small.L, sum("LayerNorm_0/scale" in k and "encoderblock" in k for k in variables)
    try:
        return reference({k: v.astype(np.float64) for k, v in variables.items()}, images / 255, pool)
    finally:
        small.L = before


IMAGES = np.random.default_rng(1).integers(0, 256, (3, SIDE * P, SIDE * P, 3), dtype=np.uint8)
STIMULI = Stimuli(("a", "b", "c"), "", "", images=IMAGES)


@pytest.mark.parametrize("pool", ["map", "token", "token, position", "mean"])
@pytest.mark.parametrize("form", ["SavedModel", "npz", "SavedModel without a graph", "arr"])
def test_variables_without_names_give_what_the_flax_formulas_give(pool, form, tmp_path):
    variables = deep(pool)
    _, arrays, heads = anonymous(variables)
    path = tmp_path / "student.npz"
    if form == "npz":  # in any order of keys
        order = np.random.default_rng(0).permutation(len(arrays))
        np.savez(path, **{f"jax2tf_arg_{k}": arrays[k] for k in order})
    elif form == "arr":
        np.savez(path, *arrays)
    else:
        path = tmp_path / "SigLIP2-B-alignet"
        writer.saved_model(path, arrays, graph=form == "SavedModel")
    model = zoo.load("SigLIP2-B+AligNet", checkpoint=path)
    found = features.extract(model, STIMULI, ["penultimate", "logits"])
    want = expected(variables, IMAGES, pool)
    np.testing.assert_allclose(found["penultimate"].values, want, rtol=2e-4, atol=2e-5)
    normed = want - want.mean(-1, keepdims=True)
    normed /= np.sqrt((normed**2).mean(-1, keepdims=True) + 1e-6)
    normed = normed * heads["i1k_norm/scale"] + heads["i1k_norm/bias"]
    logits = normed @ heads["i1k_head/kernel"] + heads["i1k_head/bias"]
    np.testing.assert_allclose(found["logits"].values, logits, rtol=5e-4, atol=1e-4)


def test_the_captured_order_counts_not_the_numbers_in_the_checkpoint(tmp_path):
    variables = deep("map")
    names, arrays, _ = anonymous(variables)
    order = np.random.default_rng(2).permutation(len(arrays))
    writer.saved_model(tmp_path / "m", arrays, listed=order)
    found = savedmodel.variables_of(tmp_path / "m")
    assert all(np.array_equal(a, b) for a, b in zip(found, arrays))
    assert list(flax_names.named(found)) == names


def test_names_of_the_public_port_s_own_export_are_understood(tmp_path):
    """tf_variables.npz of ViCCo-Group/dimpred (training/alignet/dump_tf_variables.py)."""
    names, arrays, _ = anonymous(deep("map", 2))
    theirs = {"i1k_norm/": "i1k_head/norm/", "i1k_head/": "i1k_head/dense/", "triplet": "triplet"}

    def spelt(name):
        start = next((s for s in theirs if name.startswith(s)), None)
        return name.replace(start, theirs[start]) if start else f"model/_Model_0/{name}"

    np.savez(tmp_path / "tf_variables.npz", **{spelt(name): array for name, array in zip(names, arrays)})
    np.savez(tmp_path / "numbers.npz", **{f"jax2tf_arg_{k}": array for k, array in enumerate(arrays)})
    one, other = (zoo.load("SigLIP2-B+AligNet", checkpoint=tmp_path / f"{n}.npz") for n in ("tf_variables", "numbers"))
    assert one.checksum == other.checksum
    assert "logits" in one.layers


def test_names_and_shapes_of_siglip2_as_published():
    """Row by row what mapping.tsv of ViCCo-Group/dimpred (training/alignet) lists for the 218 variables."""
    d, layer, part = (768,), [(768,)] * 2, [(12, 64), (768, 12, 64)]
    attention = [*part, (768,), (12, 64, 768), *part, *part]
    mlp = [(3072,), (768, 3072), (768,), (3072, 768)]
    shapes = [*layer, *mlp, *attention, (1, 1, 768), *layer]
    for _ in range(12):
        shapes += [*layer, *layer, *mlp, *attention]
    shapes += [d, (16, 16, 3, 768), (1, 196, 768), (1024,), (768, 1024), d, d, (1000,), (768, 1000)]
    names = flax_names.names_of(shapes)
    assert len(names) == 218
    at = {number: names[number] for number in (0, 7, 14, 15, 17, 49, 65, 81, 193, 208, 209, 211, 212, 217)}
    block = "Transformer/encoderblock"
    assert at == {
        0: "MAPHead_0/LayerNorm_0/bias", 7: "MAPHead_0/MultiHeadDotProductAttention_0/key/kernel",
        14: "MAPHead_0/probe", 15: "Transformer/encoder_norm/bias", 17: f"{block}_0/LayerNorm_0/bias",
        49: f"{block}_10/LayerNorm_0/bias", 65: f"{block}_11/LayerNorm_0/bias", 81: f"{block}_2/LayerNorm_0/bias",
        193: f"{block}_9/LayerNorm_0/bias", 208: f"{block}_9/MultiHeadDotProductAttention_0/value/kernel",
        209: "embedding/bias", 211: "pos_embedding", 212: "triplet_head/bias", 217: "i1k_head/kernel",
    }  # fmt: skip


@pytest.mark.parametrize("student", STUDENTS)
def test_full_size_students_fit_timm(student):
    """Names from shapes, and every tensor of timm's network gets one of its shape; nothing is computed."""
    family = facts.facts_of(student)["loader"].removeprefix("savedmodel:").partition("|")[0]
    act, eps, shape = savedmodel.FAMILIES[family]
    tree = flax_names._tree(shape, ("ln_pre",) if shape.pre_norm else (), (), True, "norm and dense")
    sizes = [tuple({0: 1024, 1: 1000}.get(0, 1) if n is None else n for n in want) for _, want in tree]
    heads = {"triplet_head/bias": (1024,), "triplet_head/kernel": (768, 1024), "i1k_head/bias": (1000,),
             "i1k_head/kernel": (768, 1000), "i1k_norm/bias": (768,), "i1k_norm/scale": (768,)}  # fmt: skip
    sizes = [heads.get(name, size) for (name, _), size in zip(tree, sizes)]
    one = np.zeros(1, np.float32)
    variables = [np.broadcast_to(one, size) for size in sizes]  # no memory
    assert flax_names.names_of(sizes) == [name for name, _ in tree]
    state, found, left = savedmodel.convert(variables)
    with torch.device("meta"):
        own = savedmodel.build(found, act, eps).state_dict()
    assert {k: tuple(v.shape) for k, v in state.items()} == {k: tuple(v.shape) for k, v in own.items()}
    assert found == shape
    assert set(left) == set(heads)


@pytest.mark.parametrize(
    ("pre_norm", "scales"), [(p, s) for p in flax_names.PRE_NORMS for s in flax_names.SCALES if p or s]
)
def test_norms_before_and_factors_inside_the_blocks_are_found_by_shape(pre_norm, scales):
    shape = flax_names.Shape(P, D, 3, 3, 40, SIDE, True, True, False, bool(pre_norm), bool(scales))
    tree = flax_names._tree(shape, pre_norm, scales, False, "")
    if (pre_norm[:1], scales[:1]) in ((("LayerNorm_0",), ("ls1/gamma",)), (("Transformer",), ("LayerScale_0/gamma",))):
        with pytest.raises(InputError, match="fit more than one order"):  # the same shapes in the same order
            flax_names.names_of([size for _, size in tree])
        return
    assert flax_names.names_of([size for _, size in tree]) == [name for name, _ in tree]
    rng = np.random.default_rng(0)
    variables = {name: rng.normal(size=size).astype(np.float32) for name, size in tree}
    state, found, _ = savedmodel.convert(list(variables.values()))
    assert found == shape
    module = savedmodel.build(found)
    module.load_state_dict(state)
    if scales:
        gamma = variables[f"Transformer/encoderblock_2/{scales[1]}"]
        assert np.array_equal(module.blocks[2].ls2.gamma.detach().numpy(), gamma)
    if pre_norm:
        assert np.array_equal(module.norm_pre.weight.detach().numpy(), variables["/".join((*pre_norm, "scale"))])


def test_features_are_class_and_mean_where_the_heads_are_twice_as_wide(tmp_path):
    variables = deep("token, position", 2)
    _, arrays, _ = anonymous(variables, both=True)
    writer.saved_model(tmp_path / "m", arrays)
    model = zoo.load("DINOv2-B+AligNet", checkpoint=tmp_path / "m")
    found = features.extract(model, STIMULI, ["penultimate", "logits"])
    assert found["penultimate"].values.shape == (3, 2 * D)
    assert found["logits"].values.shape == (3, 7)
    only_class = expected(variables, IMAGES, "token, position")
    np.testing.assert_allclose(found["penultimate"].values[:, :D], only_class, rtol=2e-4, atol=2e-5)


def test_savedmodels_that_are_damaged(tmp_path):
    _, arrays, _ = anonymous(deep("map", 2))

    def refused(path, match):
        with pytest.raises(InputError, match=match) as caught:
            savedmodel.load_tower(path)
        assert "\n" not in str(caught.value)

    good = tmp_path / "good"
    writer.saved_model(good, arrays)
    assert savedmodel.load_tower(good)[1].map_head
    with pytest.raises(MissingData, match=r"there is no saved_model\.pb"):
        savedmodel.load_tower(tmp_path)
    writer.saved_model(tmp_path / "swapped", [arrays[1], arrays[0], *arrays[3:], arrays[2]])
    refused(tmp_path / "swapped", "fit no order that is known")
    writer.saved_model(tmp_path / "short", arrays[:-3])
    refused(tmp_path / "short", "fit no order that is known")
    index = good / "variables/variables.index"
    whole, model = index.read_bytes(), (good / "saved_model.pb").read_bytes()
    for data in (b"<html>", whole[:-1], whole[:100] + whole[-48:], whole[:40] + b"\xff" * 20 + whole[60:]):
        index.write_bytes(data)
        refused(good, "no TensorFlow checkpoint, or damaged|fit no order|lacks|shape")
    index.write_bytes(whole)
    (good / "saved_model.pb").write_bytes(model[: len(model) // 2])
    refused(good, "no SavedModel, or damaged")
    (good / "saved_model.pb").write_bytes(model)
    data = good / "variables/variables.data-00000-of-00001"
    numbers = data.read_bytes()
    data.write_bytes(numbers[:-4])
    refused(good, "is cut short")
    data.unlink()
    refused(good, "lacks a file with its numbers")


def test_checkpoints_of_several_files_and_kinds(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {f"a/b{k}": rng.normal(size=(k % 5 + 1, 3)).astype(("f4", "f8")[k % 2]) for k in range(100)}
    arrays |= {"step": np.int64(7), "empty": np.zeros((0, 4), np.float32), "whole": np.arange(5, dtype="i4")}
    writer.checkpoint(tmp_path / "model.ckpt", arrays, shards=3, per_block=7)
    found = tensorflow_files.Checkpoint(tmp_path / "model.ckpt")
    assert set(found.places) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == np.asarray(array).dtype
        assert np.array_equal(found[name], array)


# ---- the loss functions' networks ------------------------------------------------------------------------------------


def loss_variables(cosine=False, seed=0):
    """A checkpoint as the authors' graph names it, from a ResNet-50 of torchvision with random weights."""
    torch.manual_seed(seed)
    module = loss_study.build()
    state = {k: v.numpy() for k, v in module.state_dict().items()}
    out = {"global_step": np.int64(3)}
    for number, (convolution, norm) in enumerate(loss_study.layers()):
        of = f"_{number}" if number else ""
        out[f"conv2d{of}/kernel"] = state[f"{convolution}.weight"].transpose(2, 3, 1, 0)
        rng = np.random.default_rng(number)
        for name, own in (("gamma", "weight"), ("beta", "bias"), ("moving_mean", "running_mean")):
            out[f"batch_normalization{of}/{name}"] = state[f"{norm}.{own}"] + rng.normal(
                0, 0.05, state[f"{norm}.{own}"].shape
            ).astype(np.float32)
        out[f"batch_normalization{of}/moving_variance"] = state[f"{norm}.running_var"]
    kernel = np.random.default_rng(9).normal(size=(2048, 1001)).astype(np.float32)
    out["dense/normalized_kernel" if cosine else "dense/kernel"] = kernel
    out["dense/bias"] = np.arange(1001, dtype=np.float32) / 1001
    averages = {f"{k}/ExponentialMovingAverage": v for k, v in out.items() if k != "global_step"}
    return {"global_step": out["global_step"], "conv2d/kernel": np.zeros((7, 7, 3, 64), np.float32), **averages}


def test_layers_are_numbered_as_the_graph_made_them():
    """resnet_model.py: the shortcut first, then three convolutions; 53 in all."""
    names = loss_study.layers()
    assert len(names) == 53
    assert names[:6] == [
        ("conv1", "bn1"), ("layer1.0.downsample.0", "layer1.0.downsample.1"), ("layer1.0.conv1", "layer1.0.bn1"),
        ("layer1.0.conv2", "layer1.0.bn2"), ("layer1.0.conv3", "layer1.0.bn3"), ("layer1.1.conv1", "layer1.1.bn1"),
    ]  # fmt: skip
    assert names[11][0] == "layer2.0.downsample.0"
    assert names[-1][0] == "layer4.2.conv3"


@pytest.mark.parametrize("cosine", [False, True])
def test_a_loss_network_loads_from_its_checkpoint(tmp_path, cosine):
    variables = loss_variables(cosine)
    loss = "cosine_softmax" if cosine else "softmax"
    prefix = tmp_path / f"weights/losses/{loss}/seed0/model.ckpt"
    writer.checkpoint(prefix, variables)
    name = f"resnet_v1_50_tpu_{'nt_xent_weights' if cosine else 'softmax'}_seed0"
    model = zoo.load(name, profile=get_profile("full", data=tmp_path))
    assert model.weights == f"{loss}/seed0/model.ckpt"
    assert (model.preprocess.resize, model.preprocess.size, model.preprocess.interpolation) == (256, 224, "bicubic")
    kernel = variables[f"dense/{'normalized_' if cosine else ''}kernel/ExponentialMovingAverage"]
    with torch.no_grad():
        x = torch.rand(1, 3, 64, 64)
        seen = {}
        model.module.avgpool.register_forward_hook(lambda m, i, o: seen.update(p=o.flatten(1).numpy()))
        found = model.module(x).numpy()
    if cosine:
        kernel = kernel / np.linalg.norm(kernel, axis=0)
    bias = variables["dense/bias/ExponentialMovingAverage"]
    np.testing.assert_allclose(found, (seen["p"] @ kernel + bias)[:, 1:], rtol=1e-3, atol=1e-3)


def test_pooling_pads_behind_as_tensorflow_does():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    found = loss_study.build().maxpool(x)  # windows begin at 0 and 2; SAME pads one behind
    assert found.flatten().tolist() == [10, 11, 14, 15]


def test_loss_checkpoints_that_do_not_fit(tmp_path):
    variables = loss_variables()
    name = "resnet_v1_50_tpu_sigmoid_seed0"
    with pytest.raises(MissingData, match=r"model.ckpt: is not on this machine; humalign models fetch"):
        zoo.load(name, profile=get_profile("full", data=tmp_path))
    less = {k: v for k, v in variables.items() if "conv2d_52/kernel/Exp" not in k}
    writer.checkpoint(tmp_path / "model.ckpt", less)
    with pytest.raises(InputError, match="has no 'conv2d_52/kernel/ExponentialMovingAverage'"):
        zoo.load(name, checkpoint=tmp_path / "model.ckpt")
    other = {**variables, f"conv2d/kernel{loss_study.AVERAGE}": np.ones((3, 3, 3, 64), np.float32)}
    writer.checkpoint(tmp_path / "other.ckpt", other)
    with pytest.raises(InputError, match="size mismatch"):
        zoo.load(name, checkpoint=tmp_path / "other.ckpt.index")


# ---- AugReg ----------------------------------------------------------------------------------------------------------

HEAD = "name,ds,adapt_ds,adapt_resolution,adapt_final_test,adapt_filename"


def index_of(rows):
    return "\n".join([HEAD, *rows]) + "\n"


GOOD = index_of(
    [
        "S/32,i1k,imagenet2012,224,0.72176,S_32-i1k-one", "S/32,i1k,imagenet2012,384,0.72176,S_32-i1k-large",
        "S/32,i1k,imagenet2012,224,0.7300,S_32-i1k-two", "S/32,i21k,imagenet2012,224,0.72176,S_32-i21k-three",
        "S/32,i1k,cifar100,224,0.72176,S_32-i1k-cifar", "B/32,i1k,imagenet2012,224,0.72078,B_32-i1k-one",
    ]
)  # fmt: skip


def test_augreg_networks_are_found_by_their_accuracy(tmp_path):
    path = tmp_path / "index.csv"
    path.write_text(GOOD)
    for accuracy in (72.176, 0.72176):
        assert published.augreg_file(path, "S/32", "i1k", accuracy) == "S_32-i1k-one"
    with pytest.raises(InputError, match=r"lists no networks S/32, i1k, with the accuracy 60\.000% at 224 pixels"):
        published.augreg_file(path, "S/32", "i1k", 60)
    path.write_text(GOOD + "S/32,i1k,imagenet2012,224,0.72176,S_32-i1k-again\n")
    with pytest.raises(InputError, match="lists 2 networks"):
        published.augreg_file(path, "S/32", "i1k", 72.176)
    for text in ("<html>\n", "a,b\n1,2\n", GOOD.replace("0.7300", "high")):
        path.write_text(text)
        with pytest.raises(InputError, match="is not the index of AugReg"):
            published.augreg_file(path, "S/32", "i1k", 72.176)


def augreg_arrays(width=384, depth=12, heads=6, patch=32, classes=1000):
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.normal(0, 0.02, shape).astype(np.float32)

    out = {
        "embedding/kernel": draw(patch, patch, 3, width), "embedding/bias": draw(width), "cls": draw(1, 1, width),
        "Transformer/posembed_input/pos_embedding": draw(1, (224 // patch) ** 2 + 1, width),
        "Transformer/encoder_norm/scale": draw(width), "Transformer/encoder_norm/bias": draw(width),
        "head/kernel": draw(width, classes), "head/bias": draw(classes),
    }  # fmt: skip
    for block in range(depth):
        at = f"Transformer/encoderblock_{block}"
        for k in (0, 2):
            out |= {f"{at}/LayerNorm_{k}/scale": draw(width), f"{at}/LayerNorm_{k}/bias": draw(width)}
        for k, (rows, columns) in enumerate(((width, 4 * width), (4 * width, width))):
            out |= {f"{at}/MlpBlock_3/Dense_{k}/kernel": draw(rows, columns)}
            out |= {f"{at}/MlpBlock_3/Dense_{k}/bias": draw(columns)}
        attention = f"{at}/MultiHeadDotProductAttention_1"
        for part in ("query", "key", "value"):
            out[f"{attention}/{part}/kernel"] = draw(width, heads, width // heads)
            out[f"{attention}/{part}/bias"] = draw(heads, width // heads)
        out |= {f"{attention}/out/kernel": draw(heads, width // heads, width), f"{attention}/out/bias": draw(width)}
    return out


def test_an_augreg_network_loads_from_its_file(tmp_path):
    arrays, folder = augreg_arrays(), tmp_path / "weights/augreg"
    profile = get_profile("full", data=tmp_path)
    with pytest.raises(MissingData, match=r"index.csv: is not on this machine; humalign models fetch 'vit-S_32-i1k'"):
        zoo.load("vit-S_32-i1k", profile=profile)
    folder.mkdir(parents=True)
    (folder / "index.csv").write_text(GOOD)
    with pytest.raises(MissingData, match=r"S_32-i1k-one.npz: is not on this machine"):
        zoo.load("vit-S_32-i1k", profile=profile)
    np.savez(folder / "S_32-i1k-one.npz", **arrays)
    model = zoo.load("vit-S_32-i1k", profile=profile)
    assert np.array_equal(model.module.head.weight.detach().numpy(), arrays["head/kernel"].T)
    fc = model.module.blocks[10].mlp.fc1.weight.detach().numpy()
    assert np.array_equal(fc, arrays["Transformer/encoderblock_10/MlpBlock_3/Dense_0/kernel"].T)
    assert model.weights == "S_32-i1k-one.npz"
    np.savez(folder / "S_32-i1k-one.npz", **{**arrays, "head/kernel": np.zeros((384, 7), np.float32)})
    with pytest.raises(InputError, match="has no head for 1,000 classes"):
        zoo.load("vit-S_32-i1k", profile=profile)
    less = {k: v for k, v in arrays.items() if "block_11/MlpBlock_3/Dense_0/kernel" not in k}
    np.savez(folder / "S_32-i1k-one.npz", **less)
    with pytest.raises(InputError, match="does not fit the architecture"):
        zoo.load("vit-S_32-i1k", profile=profile)


# ---- fetching --------------------------------------------------------------------------------------------------------


class Host(http.server.BaseHTTPRequestHandler):
    """Plays every host: serves the end of an address that the test put into ``files``."""

    def __init__(self, files, asked, *args):
        self.files, self.asked = files, asked
        super().__init__(*args)

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.do_GET(body=False)

    def do_GET(self, body=True):
        data = self.files.get(self.path)
        if body:
            self.asked.append(self.path)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        if body and data:
            self.wfile.write(data)


@pytest.fixture
def host(monkeypatch):
    files, asked = {}, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, files, asked)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{running.server_port}"
        monkeypatch.setattr(published, "GOOGLE", here)
        index = published.Download(f"{here}/vit_models/augreg/index.csv", published.INDEX.path)
        monkeypatch.setattr(published, "INDEX", index)
        monkeypatch.setattr(published, "SIZES", dict.fromkeys((f"{s}-alignet" for s in STUDENTS), 1000))
        yield files, asked
        running.shutdown()


def archive(folder, name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        file.add(folder, name)
    return buffer.getvalue()


def test_archives_are_fetched_unpacked_and_loaded(host, tmp_path, capsys):
    files, asked = host
    variables = deep("map", 2)
    writer.saved_model(tmp_path / "made", anonymous(variables)[1])
    for name in ("SigLIP2-B-alignet", "CLIP-Vit-B-alignet"):
        files[f"/alignet/models/{name}.tar.gz"] = archive(tmp_path / "made", name)
    root = tmp_path / "data"
    root.mkdir()
    command = ["models", "fetch", "SigLIP2-B+AligNet", "CLIP-ViT-B+AligNet", "--data", str(root), "--profile", "full"]
    assert main([*command, "--yes"]) == 0
    told = capsys.readouterr().out
    assert "licence Apache-2.0" in told
    assert "licence MIT" in told
    assert told.count(": fits, ") == 2
    assert "/alignet/models/CLIP-ViT-B-alignet.tar.gz" in asked  # the usual spelling first, then the page's
    model = zoo.load("SigLIP2-B+AligNet", profile=get_profile("full", data=root))
    found = features.extract(model, STIMULI)["penultimate"].values
    np.testing.assert_allclose(found, expected(variables, IMAGES, "map"), rtol=2e-4, atol=2e-5)
    before = len(asked)
    assert main([*command, "--yes"]) == 0  # nothing is fetched twice
    assert len(asked) == before
    assert main([*command[:3], "--data", str(tmp_path / "nowhere"), "--profile", "full"]) == 2
    assert main(["models", "fetch", "--data", str(root)]) == 2
    assert main(["models", "fetch", "resnet18", "--data", str(root)]) == 2
    assert "its weights come on first use" in capsys.readouterr().err


def test_networks_of_the_loss_functions_are_fetched(host, tmp_path, capsys):
    files, _ = host
    writer.checkpoint(tmp_path / "model.ckpt", loss_variables())
    for end in (".index", ".data-00000-of-00001"):
        place = f"/gresearch/loss_functions_transfer/checkpoints/extra_final_layer_l2/seed0/model.ckpt{end}"
        files[place] = (tmp_path / f"model.ckpt{end}").read_bytes()
    (tmp_path / "data").mkdir()
    name = "resnet_v1_50_tpu_extra_wd_seed0"
    assert main(["models", "fetch", name, "--data", str(tmp_path / "data"), "--profile", "full", "--yes"]) == 0
    assert f"{name}: fits" in capsys.readouterr().out


def test_augreg_is_fetched_by_way_of_its_index(host, tmp_path, capsys):
    files, asked = host
    files["/vit_models/augreg/index.csv"] = GOOD.encode()
    buffer = io.BytesIO()
    np.savez(buffer, **augreg_arrays())
    files["/vit_models/augreg/S_32-i1k-one.npz"] = buffer.getvalue()
    (tmp_path / "data").mkdir()
    command = ["models", "fetch", "vit-S_32-i1k", "--data", str(tmp_path / "data"), "--profile", "full", "--yes"]
    assert main(command) == 0
    assert asked == ["/vit_models/augreg/index.csv", "/vit_models/augreg/S_32-i1k-one.npz"]
    assert main([*command[:2], "vit-L_16-i21k", *command[3:]]) == 2
    assert "lists no networks L/16, i21k" in capsys.readouterr().out


def test_families_hold_the_networks_of_the_table():
    assert len(published.chosen(["alignet"])) == 24
    assert len(published.chosen(["losses"])) == 9
    assert len(published.chosen(["augreg"])) == 8
    assert len(published.chosen(["alignet", "ViT-B"])) == 24


def test_the_public_port_confirms_or_contradicts(tmp_path):
    from safetensors.torch import save_file

    module, _, _ = savedmodel.load_tower(_made(tmp_path))
    ours = {f"encoder.{k}": v for k, v in module.state_dict().items()}
    extra = {"triplet_head.weight": torch.zeros(2, 2)}
    save_file({**ours, **extra}, tmp_path / "port.safetensors")
    assert "tensors equal those of the public port" in published.agreement(module, tmp_path / "port.safetensors")
    ours["encoder.norm.weight"] = ours["encoder.norm.weight"] + 1e-6
    save_file({**ours, **extra}, tmp_path / "port.safetensors")
    with pytest.raises(InputError, match=r"differs from the public port in 1 of .* first norm\.weight"):
        published.agreement(module, tmp_path / "port.safetensors")


def test_the_public_port_is_a_checkpoint_too(tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    shape = flax_names.Shape(P, 128, 2, 2, 40, SIDE, False, False, True)  # 64 numbers a head, as in the real one
    module = savedmodel.build(shape)
    norm, dense = torch.nn.LayerNorm(128, eps=1e-6), torch.nn.Linear(128, 7)
    tensors = {f"encoder.{k}": v for k, v in module.state_dict().items()}
    tensors |= {"i1k_norm.weight": norm.weight, "i1k_norm.bias": norm.bias}
    tensors |= {"i1k_head.weight": dense.weight, "i1k_head.bias": dense.bias}
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, tmp_path / "port.safetensors")
    model = zoo.load("SigLIP2-B+AligNet", checkpoint=tmp_path / "port.safetensors")
    x = torch.rand(2, 3, SIDE * P, SIDE * P)
    with torch.no_grad():
        torch.testing.assert_close(model.module(x), dense(norm(module.eval()(x))))


def _made(tmp_path):
    path = tmp_path / "made"
    writer.saved_model(path, anonymous(deep("map", 2))[1])
    return path

"""The zoo: every network of both papers builds and fits its row; names, checkpoints, offline behaviour, SavedModels."""

from functools import cache

import numpy as np
import pytest

from humalign import zoo
from humalign.config import get_profile
from humalign.errors import InputError, MissingData
from humalign.zoo import checkpoints, facts, savedmodel

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from humalign.features import hooks  # noqa: E402
from humalign.plots.style import PALETTE  # noqa: E402

ROWS = [row for row in facts.rows() if row["loader"] and row["source"] != "slice"]


def widths(model):
    """Width of each named layer, by a forward pass without numbers."""
    layers = [hooks.parse(name, model) for name in model.layers]
    with hooks.Recorder(model, layers) as recorder, torch.inference_mode():
        model.module(torch.empty(1, 3, model.preprocess.size, model.preprocess.size, device="meta"))
        return {name: value.shape[1] for name, value in recorder.activations(1).items()}


# -------------------------------------------------------------------------------------------------------------- table


def test_the_table_has_every_network_of_paper_1():
    full = zoo.table("full")
    first = full[full["paper"] == "1"]
    by_source = first[first["source"] != "custom"].groupby("source").size().to_dict()
    assert by_source == {"torchvision": 24, "ssl": 7, "google": 3, "imagenet": 16, "loss": 11, "vit_same": 8}
    custom = first[first["source"] == "custom"].groupby("group").size().to_dict()
    assert custom == {"Image/Text": 8, "Supervised (Ecoset)": 3}
    assert len(first) == 80
    assert set(full["group"]) <= set(facts.GROUPS) <= set(PALETTE)
    assert full["model"].is_unique
    assert first["reference_accuracy"].isna().sum() == 3  # Ecoset has no ImageNet accuracy
    extras = zoo.table("full", extras=True)
    assert set(extras["model"]) - set(full["model"]) == {
        *(f"convnext_{s}" for s in ("tiny", "small", "base", "large")), "clip-ViT", "clip-RN", "vit_tiny_patch16_224",
        "vit_small_patch16_224", "vit_small_patch32_224", "vit_base_patch16_224", "vit_base_patch32_224",
        "vit_large_patch16_224",
    }  # fmt: skip


def test_the_table_has_teacher_students_and_variants_of_paper_2():
    second = zoo.table("full")
    second = second[second["paper"] == "2"]
    students = ["ViT-B", "SigLIP-B", "SigLIP2-B", "CLIP-ViT-B", "CapPa-B", "DINOv1-B", "DINOv2-B", "Scratch-B"]
    wanted = {"siglip-so400m"} | {s + v for s in students for v in ("", "+AligNet", "+UnAligNet")}
    assert set(second["model"]) == wanted
    assert zoo.facts_of("siglip-so400m")["width"] == 1152


def test_v2_weights_where_the_final_figures_use_them():
    v2 = {r["model"] for r in facts.rows() if r["loader"].endswith("IMAGENET1K_V2")}
    assert v2 == {"resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d", "efficientnet_b1"}


def test_accuracies_agree_with_the_authors_file_and_with_torchvision():
    from humalign.zoo.sources import torchvision_weights

    for row in facts.rows():
        if row["source"] == "torchvision":
            arch, _, tag = row["loader"].removeprefix("torchvision:").partition("?weights=")
            published = torchvision_weights(arch, tag).meta
            theirs = published["_metrics"]["ImageNet-1K"]["acc@1"]
            # the authors round some values; VGG-13 and ResNet-50 and others are exact to .1
            assert abs(100 * row["reference_accuracy"] - theirs) < 0.2, (row["model"], theirs)
            assert abs(row["parameters"] / published["num_params"] - 1) < 0.01, row["model"]


def test_rows_without_public_weights_name_a_stand_in_or_say_features_only():
    for row in facts.rows():
        if not row["public"] and not row["loader"]:
            assert row["stand_in"] or "features" in row["note"], row["model"]
        assert row["public"] or not row["loader"], row["model"]


# ------------------------------------------------------------------------------------------------------- architectures


@cache
def built(loader, penultimate, logits, name):
    """A network on the meta device and the widths of its layers; one for rows that share an architecture."""
    with torch.device("meta"):
        model = zoo.load(name, pretrained=False)
    return model, widths(model)


BUILT: dict[tuple, str] = {}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["model"])
def test_every_architecture_builds_and_fits_its_row(row):
    key = (row["loader"].partition("|")[0], row["penultimate"], row["logits"])
    model, found = built(*key, BUILT.setdefault(key, row["model"]))
    assert found["penultimate"] == row["width"]
    assert model.preprocess.size >= 196
    if row["logits"] and row["group"] != "Image/Text":
        assert found["logits"] == (565 if "coset" in row["model"] else 1000)
    if row["group"] == "Self-Supervised":
        assert "logits" not in model.layers


@pytest.mark.parametrize(
    ("stand_in", "width"),
    sorted({(r["stand_in"], r["width"]) for r in facts.rows() if r["stand_in"].startswith(("timm:", "torchvision:"))}),
)
def test_stand_ins_exist_and_have_the_width(stand_in, width):
    with torch.device("meta"):
        model = zoo.load(stand_in, pretrained=False)
    assert widths(model)["penultimate"] == width


@pytest.mark.parametrize("name", ["alexnet", "mocov2-rn50", "Alexnet_ecoset", "vit_tiny_patch16_224"])
def test_small_ones_see_an_image(name):
    model = zoo.load(name, pretrained=False, seed=3)
    image = np.random.default_rng(0).integers(0, 256, (250, 300, 3), dtype=np.uint8)
    with hooks.Recorder(model, [hooks.parse("penultimate", model)]) as recorder, torch.inference_mode():
        model.module(model.preprocess(image)[None])
        seen = recorder.activations(1)["penultimate"]
    assert seen.shape[1] == zoo.facts_of(name)["width"]
    assert bool(torch.isfinite(seen).all())
    assert float(seen.std()) > 0
    again = zoo.load(name, pretrained=False, seed=3)
    assert again.checksum == model.checksum != zoo.load(name, pretrained=False, seed=4).checksum


def test_names_that_are_not_known():
    with pytest.raises(InputError, match=r"no network is called 'resnett50'; nearest: resnet50"):
        zoo.load("resnett50")
    with pytest.raises(InputError, match=r"timm: no network is called 'resnett18'; nearest: .*resnet18"):
        zoo.load("timm:resnett18")
    with pytest.raises(InputError, match=r"has no weights called 'nonsense'; it has .*a1_in1k"):
        zoo.load("timm:resnet18.nonsense")
    with pytest.raises(InputError, match="'img_size' is no option"):
        zoo.load("timm:resnet18?img_size", pretrained=False)
    with pytest.raises(InputError, match=r"has no weights called 'V9'; it has IMAGENET1K_V1"):
        zoo.load("torchvision:resnet50?weights=V9")
    with pytest.raises(InputError, match=r"open_clip: no network is called 'ViT-B-33'; nearest: .*ViT-B-32"):
        zoo.load("open_clip:ViT-B-33/openai")
    with pytest.raises(InputError, match=r"names no weights; write open_clip:ViT-B-32/TAG; it has openai"):
        zoo.load("open_clip:ViT-B-32")
    with pytest.raises(MissingData, match=r"has no public weights; give its features as a file"):
        zoo.load("vit-G_14_224")
    with pytest.raises(MissingData, match=r"nearest public network: timm:vit_base_patch32_224.augreg_in21k"):
        zoo.load("vit-B_32-i21k")


def test_without_a_network_one_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    told = r"alexnet-owt-7be5be79.pth: is not on this machine.*--checkpoint FILE or --untrained"
    with pytest.raises(MissingData, match=told) as caught:
        zoo.load("alexnet")
    assert "\n" not in str(caught.value)


# --------------------------------------------------------------------------------------------------------- checkpoints


def small_resnet():
    from torchvision.models.resnet import BasicBlock, ResNet

    torch.manual_seed(0)
    net = ResNet(BasicBlock, [1, 1, 1, 1])
    net.fc = nn.Identity()
    return net


FORMATS = {
    "vissl": lambda s: {"classy_state_dict": {"base_model": {"model": {"trunk": {
        f"_feature_blocks.{k}": v for k, v in s.items()}}}}},
    "vissl, converted": lambda s: {"model_state_dict": {f"_feature_blocks.{k}": v for k, v in s.items()}},
    "moco": lambda s: {"epoch": 200, "arch": "resnet", "state_dict": {
        **{f"module.encoder_q.{k}": v for k, v in s.items()}, "module.encoder_q.fc.0.weight": torch.ones(2, 2),
        **{f"module.encoder_k.{k}": v for k, v in s.items()}, "module.queue": torch.ones(3)}},
    "swav": lambda s: {**{f"module.{k}": v for k, v in s.items()}, "module.projection_head.0.weight": torch.ones(2),
                       "module.prototypes.weight": torch.ones(3)},
    "barlow twins": dict,
    "full checkpoint": lambda s: {"epoch": 3, "model": {**{f"module.backbone.{k}": v for k, v in s.items()},
                                                        "module.projector.0.weight": torch.ones(2, 2)}},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_checkpoints_of_known_trainers(form, tmp_path):
    source, target = small_resnet(), small_resnet()
    with torch.no_grad():
        for value in source.state_dict().values():
            value.copy_(torch.randn(value.shape).abs() + 0.1 if value.is_floating_point() else value)
    torch.save(FORMATS[form](source.state_dict()), tmp_path / "w.torch")
    checkpoints.load_into(target, tmp_path / "w.torch", "resnet")
    for key, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[key], value), key


def test_safetensors_npz_and_the_number_of_classes(tmp_path):
    from safetensors.torch import save_file
    from torchvision.models import alexnet

    torch.manual_seed(1)
    state = {k: v.clone() for k, v in alexnet(num_classes=565).state_dict().items()}
    save_file(state, tmp_path / "a.safetensors")
    model = zoo.load("torchvision:alexnet", checkpoint=tmp_path / "a.safetensors")
    assert torch.equal(model.module.classifier[6].weight, state["classifier.6.weight"])
    assert model.weights == "a.safetensors"
    assert torch.equal(zoo.load("Alexnet_ecoset", checkpoint=tmp_path / "a.safetensors").module.features[0].weight,
                       state["features.0.weight"])  # fmt: skip
    by_file = zoo.load(tmp_path / "a.safetensors")
    assert by_file.layers["logits"] == "classifier.6"
    assert by_file.checksum == model.checksum


def test_damaged_and_wrong_checkpoints_are_refused(tmp_path):
    import pickle

    net = small_resnet()
    good = net.state_dict()

    def refused(content, match, name="w.pth"):
        path = tmp_path / name
        torch.save(content, path) if not isinstance(content, bytes) else path.write_bytes(content)
        with pytest.raises(InputError, match=match) as caught:
            checkpoints.load_into(net, path, "resnet")
        assert "\n" not in str(caught.value)

    class Evil:
        def __reduce__(self):
            return (print, ("never",))

    refused({"state_dict": good, "args": Evil()}, "holds pickled objects beside tensors, which are never loaded")
    refused(pickle.dumps(Evil()), "never loaded|cannot be read as a torch file")
    refused(b"", "the file is empty")
    refused(b"not a checkpoint at all", "cannot be read as a torch file|never loaded")
    refused({"epoch": 3}, r"holds no state dict \(found epoch\)")
    refused({k: v for k, v in good.items() if "layer4" not in k}, "has no 'layer4")
    refused({**good, "layer9.weight": torch.ones(2)}, "has 'layer9.weight' and 0 more that the arch")
    refused({**good, "conv1.weight": torch.ones(4, 3, 7, 7)}, r"'conv1.weight' has shape \(4, 3, 7, 7\) where")
    refused({"a": torch.ones(2), "b": torch.ones(3)}, "its names do not fit the architecture resnet")
    refused(b"\x08\0\0\0\0\0\0\0{}", "cannot be read as safetensors|holds no state dict", "w.safetensors")
    refused(b"PK\x03\x04broken", "cannot be read as npz", "w.npz")
    with pytest.raises(MissingData, match="there is no such file"):
        checkpoints.load_into(net, tmp_path / "gone.pth")
    torch.save({"x": torch.ones(3)}, tmp_path / "odd.pth")
    with pytest.raises(InputError, match=r"its architecture cannot be told.*with --checkpoint FILE"):
        zoo.load(tmp_path / "odd.pth")


@pytest.mark.data
def test_squeezenet_sees_the_92_images_as_measured_before():
    """Spearman with the mean of 16 people: .39 for the pooled last convolution, .48 for the logits (data/README)."""
    import os

    from humalign import features, rsa
    from humalign.config import get_profile
    from humalign.data import registry

    if not os.environ.get("HUMALIGN_DATA"):
        pytest.skip("needs HUMALIGN_DATA")
    profile = get_profile("slice")
    human = registry.load("mur92", profile)
    pictures = registry.load("mur92/images", profile)
    found = features.extract("squeezenet1_0", pictures, ["penultimate", "logits"], device="cpu")
    value = {k: rsa.compare(rsa.rdm(f.align(human.ids).values), human.mean()) for k, f in found.items()}
    assert value["penultimate"] == pytest.approx(0.389, abs=0.002)
    assert value["logits"] == pytest.approx(0.478, abs=0.002)


# --------------------------------------------------------------------------------------------------------- SavedModels

D, H, L, MLP, P, SIDE = 24, 3, 2, 40, 4, 3


def flax(pool: str, seed=0):
    """Variables of a small vision transformer, named and shaped as Flax does (ViT-B: D 768, H 12, L 12, MLP 3072)."""
    rng = np.random.default_rng(seed)
    out = {}

    def put(name, *shape):
        out[name] = rng.normal(0, 0.3, shape).astype(np.float32)

    def attention(name):
        for part in ("query", "key", "value"):
            put(f"{name}/{part}/kernel", D, H, D // H)
            put(f"{name}/{part}/bias", H, D // H)
        put(f"{name}/out/kernel", H, D // H, D)
        put(f"{name}/out/bias", D)

    def norm(name):
        out[f"{name}/scale"] = rng.uniform(0.5, 1.5, D).astype(np.float32)
        put(f"{name}/bias", D)

    def mlp(name):
        put(f"{name}/Dense_0/kernel", D, MLP)
        put(f"{name}/Dense_0/bias", MLP)
        put(f"{name}/Dense_1/kernel", MLP, D)
        put(f"{name}/Dense_1/bias", D)

    put("embedding/kernel", P, P, 3, D)
    put("embedding/bias", D)
    put("pos_embedding", 1, SIDE * SIDE + (pool == "token, position"), D)
    if pool.startswith("token"):
        put("cls", 1, 1, D)
    for block in range(L):
        name = f"Transformer/encoderblock_{block}"
        norm(f"{name}/LayerNorm_0")
        attention(f"{name}/MultiHeadDotProductAttention_0")
        norm(f"{name}/LayerNorm_1")
        mlp(f"{name}/MlpBlock_0")
    norm("Transformer/encoder_norm")
    if pool == "map":
        put("MAPHead_0/probe", 1, 1, D)
        attention("MAPHead_0/MultiHeadDotProductAttention_0")
        norm("MAPHead_0/LayerNorm_0")
        mlp("MAPHead_0/MlpBlock_0")
    return out


def reference(v, images, pool):
    """The forward pass in plain NumPy, from the Flax names: what a converted network must give."""

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * v[f"{name}/scale"] + v[f"{name}/bias"]

    def gelu(x):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    def mlp(x, name):
        x = gelu(x @ v[f"{name}/Dense_0/kernel"] + v[f"{name}/Dense_0/bias"])
        return x @ v[f"{name}/Dense_1/kernel"] + v[f"{name}/Dense_1/bias"]

    def attention(q, x, name):
        q, k, w = (
            np.einsum("btd,dhe->bhte", y, v[f"{name}/{part}/kernel"]) + v[f"{name}/{part}/bias"][:, None]
            for y, part in ((q, "query"), (x, "key"), (x, "value"))
        )
        score = q @ k.swapaxes(-1, -2) / np.sqrt(D // H)
        score = np.exp(score - score.max(-1, keepdims=True))
        mixed = (score / score.sum(-1, keepdims=True)) @ w
        return np.einsum("bhte,hed->btd", mixed, v[f"{name}/out/kernel"]) + v[f"{name}/out/bias"]

    n = len(images)
    patches = images.reshape(n, SIDE, P, SIDE, P, 3).transpose(0, 1, 3, 2, 4, 5).reshape(n, SIDE * SIDE, -1)
    x = patches @ v["embedding/kernel"].reshape(-1, D) + v["embedding/bias"]
    token = np.repeat(v["cls"], n, 0) if "cls" in v else np.empty((n, 0, D))
    if pool == "token, position":
        x = np.concatenate([token, x], 1) + v["pos_embedding"]
    else:
        x = np.concatenate([token, x + v["pos_embedding"]], 1)
    for block in range(L):
        name = f"Transformer/encoderblock_{block}"
        y = norm(x, f"{name}/LayerNorm_0")
        x = x + attention(y, y, f"{name}/MultiHeadDotProductAttention_0")
        x = x + mlp(norm(x, f"{name}/LayerNorm_1"), f"{name}/MlpBlock_0")
    x = norm(x, "Transformer/encoder_norm")
    if pool == "map":
        y = attention(np.repeat(v["MAPHead_0/probe"], n, 0), x, "MAPHead_0/MultiHeadDotProductAttention_0")
        return (y + mlp(norm(y, "MAPHead_0/LayerNorm_0"), "MAPHead_0/MlpBlock_0"))[:, 0]
    return x[:, 0] if "cls" in v else x.mean(1)


@pytest.mark.parametrize("pool", ["map", "token", "token, position", "mean"])
def test_a_converted_savedmodel_gives_what_the_flax_formulas_give(pool, tmp_path):
    variables = flax(pool)
    scoped = {f"alignet/params/tower/{k}:0": x for k, x in variables.items()} if pool == "map" else variables
    np.savez(tmp_path / "student.npz", **scoped, **({"step": np.int64(7)} if pool == "token" else {}))
    model = zoo.load("SigLIP-B+AligNet", checkpoint=tmp_path / "student.npz")
    images = np.random.default_rng(1).integers(0, 256, (3, SIDE * P, SIDE * P, 3), dtype=np.uint8)
    from humalign import features
    from humalign.data.types import Stimuli

    assert model.preprocess.scale == pytest.approx(1 / 255)
    assert model.preprocess.mean == (0.0, 0.0, 0.0)
    found = features.extract(model, Stimuli(("a", "b", "c"), "", "", images=images))["penultimate"].values
    expected = reference({k: x.astype(np.float64) for k, x in variables.items()}, images / 255, pool)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_stacked_blocks_are_taken_apart():
    variables = flax("map")
    stacked = {k: x for k, x in variables.items() if "encoderblock_" not in k}
    for key in [k for k in variables if "encoderblock_0" in k]:
        both = [variables[key.replace("encoderblock_0", f"encoderblock_{b}")] for b in range(L)]
        stacked[key.replace("encoderblock_0", "encoderblock")] = np.stack(both)
    one, other = savedmodel.convert(variables)[0], savedmodel.convert(stacked)[0]
    assert one.keys() == other.keys()
    assert all(torch.equal(one[k], other[k]) for k in one)


def test_full_size_names_and_shapes_of_vit_b():
    shape = savedmodel.Shape(16, 768, 12, 12, 3072, 14, False, False, True)
    with torch.device("meta"):
        own = savedmodel.build(shape).state_dict()
        import timm

        theirs = timm.create_model("vit_base_patch16_siglip_224", num_classes=0).state_dict()
    assert {k: tuple(v.shape) for k, v in own.items()} == {k: tuple(v.shape) for k, v in theirs.items()}


def test_savedmodels_that_do_not_fit(tmp_path):
    def refused(variables, match):
        np.savez(tmp_path / "v.npz", **variables)
        with pytest.raises(InputError, match=match):
            savedmodel.load_tower(tmp_path / "v.npz")

    good = flax("map")
    refused({k: v for k, v in good.items() if "encoderblock_0/" not in k}, r"has blocks \[1\]")
    refused({k: v for k, v in good.items() if k != "MAPHead_0/probe"}, "has no variable 'MAPHead_0/probe'")
    refused({**good, "ln_new/scale": np.ones(D, np.float32)}, "has 'ln_new/scale' and 0 more variables of another")
    refused({**good, "pos_embedding": np.ones((1, 7, D), np.float32)}, "has 7 positions, no square")
    refused({"conv/kernel": np.ones((3, 3), np.float32)}, "no variable is called 'Transformer/")
    with pytest.raises(MissingData, match=r"DINOv1-B-untransformed: is not on this machine; humalign models fetch"):
        zoo.load("DINOv1-B+UnAligNet", profile=get_profile("full", data=tmp_path))

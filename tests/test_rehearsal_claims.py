"""Every claim of both papers is judged in full: networks are selected by role, and no claim is left without any."""

import pandas as pd
import pytest
from rehearsing import adopt

from humalign import claims as ledger
from humalign import zoo
from humalign.chapters import claims, released
from humalign.config import get_profile
from humalign.errors import InputError
from humalign.source import open_source
from humalign.zoo.facts import kinds

SEEN = ("things/images", "cichy2019/images", "king2019/set1/images", "king2019/set2/images", "cifar100/train",
        "levels/images")  # fmt: skip
TRANSFER = ("imagenet/val", "caltech101")
TINY = {"p1-later-food", "p1-later-animal"}  # the tiny people have six dimensions; sports and royal are none of them


CHOSEN = (  # two or three of every role
    "vgg11", "vgg16", "resnet18", "resnet50", "barlowtwins-rn50", "swav-rn50", "simclr-rn50", "mocov2-rn50",
    "rotnet-rn50",
    "jigsaw-rn50", "vit-B_32-i1k", "vit-B_16-i1k", "vit-B_32-i21k", "vit-B_16-i21k", "resnet_v1_50_tpu_softmax_seed0",
    "resnet_v1_50_tpu_sigmoid_seed0", "resnet_v1_50_tpu_extra_wd_seed0", "resnet_v1_50_tpu_logit_penalty_seed0",
    "densenet_121_keras-retrained-no_ls", "inception_v1-retrained-no_ls+scale-no_dropout",
    "mobilenet_v1-retrained-no_ls",
    "align", "clip_RN50", "clip_RN101", "untrained-resnet50", "untrained-vit_b_16",
    *(f"{base}{state}" for base in ("SigLIP-B", "DINOv2-B") for state in ("", "+UnAligNet", "+AligNet")),
)  # fmt: skip


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    import rehearsal

    folder = tmp_path_factory.mktemp("claims")
    root = rehearsal.write(folder / "data")
    profile = get_profile("full", data=root, cache=folder / "cache", device="cpu")
    widths = {model: {"penultimate": 6, **({"logits": 5} if k < 4 else {})} for k, model in enumerate(CHOSEN)}
    adopt(root, profile, widths, SEEN)
    adopt(root, profile, {model: widths[model] for model in CHOSEN[-6:]}, TRANSFER, seed=1)
    measured, known = claims.collect(open_source(profile))
    return ledger.judge(measured, known), ledger.describe_later(measured, known), measured


def test_every_claim_is_judged(judged):
    verdicts, later, _ = judged
    assert verdicts.loc[verdicts["verdict"] == "not measured", "id"].tolist() == []
    assert set(later.loc[later["effect"].isna(), "id"]) == TINY


def test_no_claim_rests_on_one_network(judged):
    basis = pd.concat(judged[:2])["basis"]
    assert [words for words in basis if words.startswith("1 ") or "against 1 " in words] == []


def test_students_are_no_networks_of_the_first_paper(judged):
    table = judged[2].table
    students = table["model"].isin(["SigLIP-B", "DINOv2-B"])
    assert set(table.loc[students, "stage"]) == {"base", "UnAligNet", "AligNet"}
    assert not table["model"].str.contains("AligNet").any()
    assert set(table.loc[table["dataset"] == "hierarchy", "stage"]) == {"UnAligNet", "AligNet"}


def test_gains_are_differences_of_the_same_rows(judged):
    table = judged[2].table.set_index(["model", "stage", "dataset", "measure", "detail"])["value"]
    key = ("levels", "accuracy", f"{released.REPORTED}/coarse")
    gain = table[("SigLIP-B", "AligNet", "levels", "gain", key[2])]
    assert gain == pytest.approx(table[("SigLIP-B", "AligNet", *key)] - table[("SigLIP-B", "base", *key)])


@pytest.mark.parametrize("profile", ["mini", "full"])
def test_every_query_names_two_networks_or_more(profile):
    facts = kinds(zoo.table(profile))
    for claim in [*ledger.ledger(), *ledger.later()]:
        ledger.check(claim, facts)


def test_a_claim_that_selects_one_network_fails_with_its_name():
    claim = {"id": "x", "paper": 1, "test": {"kind": "smallest", "of": "training == 'none'"}}
    facts = kinds(zoo.table("mini"))
    with pytest.raises(InputError, match="claim 'x' selects untrained-resnet-m alone by training == 'none'"):
        ledger.check(claim, facts[facts["model"] != "untrained-vit-m"])
    with pytest.raises(InputError, match="claim 'x' selects no network"):
        ledger.check(claim, facts[facts["training"] != "none"])


def test_queries_name_facts_and_no_networks():
    """A display name, or a training group of one profile, would select nothing in another."""
    told = str([claim["test"] for claim in [*ledger.ledger(), *ledger.later()]])
    for profile in ("mini", "full"):
        table = zoo.table(profile)
        assert [
            name for name in {*table["group"], *table["name"], *table["model"]} - {"Untrained"} if name in told
        ] == []

"""One code for drawn and published data: the drawn world in published layouts gives the tables of mini."""

import numpy as np
import pandas as pd
import published
import pytest

from humalign.chapters import zero_shot
from humalign.config import get_profile
from humalign.data.verify import verify
from humalign.errors import MissingData
from humalign.source import open_source
from humalign.studies import levels, levels_networks, rsa

NETWORKS = {"softmax-resnet-m": "resnet18", "simclr-resnet-m": "mocov2-rn50", "imagetext-resnet-m": "align"}
SETS = (
    "things/all", "things/testset1", "things/testset2_repeat", "things/images", "cichy2019", "king2019/set1",
    "king2019/set2", "cifar100/train", "cifar100/coarse_triplets", "levels", "levels/images",
)  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The profile full on the drawn world in published layouts, and mini."""
    mini = get_profile("mini")
    folder = tmp_path_factory.mktemp("published")
    root = published.write(folder / "data", NETWORKS)
    return get_profile("full", data=root, cache=folder / "cache"), mini, NETWORKS


def compared(measured, drawn, networks, keys=("dataset", "layer", "detail", "measure")):
    """Values of both, network by network, in one order."""
    one = measured.table.set_index(["model", *keys])["value"].sort_index()
    two = drawn.table.assign(model=drawn.table["model"].map(networks)).set_index(["model", *keys])["value"].sort_index()
    pd.testing.assert_index_equal(one.index, two.index)
    return np.abs(one - two).max()


def test_the_files_verify(both):
    for report in verify(both[0], SETS):
        assert report.status == "ok", report.problems


def test_roles_and_answers(both):
    full, drawn = (open_source(profile) for profile in both[:2])
    roles = {"things", "things-permuted", "coarse", "levels", "cichy", "king1", "king2"}
    assert roles <= set(full.roles()) <= {*roles, "cifar100-train", "imagenet-train"}
    assert all(full.missing(role, features=True) == "" for role in roles)
    one, two = full.triplets("things"), drawn.triplets("things")
    assert one.ids == tuple(map(published.things, two.ids))
    test = np.arange(len(two)) % 10 == 9
    assert (one.triplets == np.concatenate([two.triplets[~test], two.triplets[test]])).all()
    assert (full.triplets("coarse").triplets == drawn.triplets("coarse").triplets).all()
    assert all((a.triplets == b.triplets).all() for a, b in zip(full.again(), drawn.again()))
    for role in ("cichy", "king1", "king2"):
        assert np.allclose(full.arrangement(role).rdm, drawn.arrangement(role).rdm, atol=1e-12)
    assert full.pictures("things").meta["kind"] == drawn.pictures("things").meta["kind"]
    assert full.networks().set_index("model").loc["resnet18", "group"] == "Supervised (ImageNet-1K)"
    with pytest.raises(MissingData, match="vice"):
        full.people()


def test_zero_shot_and_similarity(both):
    full, mini, networks = both
    sources, sets = [open_source(profile) for profile in (full, mini)], ("things", "coarse")
    found = zero_shot.measure(sources[0], roles=sets)
    assert compared(found, zero_shot.measure(sources[1], list(networks), roles=sets), networks) < 1e-12
    found = rsa.measure(full, transformed=False)
    assert compared(found, rsa.measure(mini, models=list(networks), transformed=False), networks) < 1e-12
    one, two = (zero_shot.ceilings(source).set_index("detail")["value"] for source in sources)
    assert (one == two[one.index]).all()


def test_references_that_pictures_alone_give(both):
    full, mini, _ = both
    one, two = (zero_shot.references(open_source(one)).set_index("model")["value"] for one in (full, mini))
    assert set(one.index) == {"pixels", "colour histogram", "category"}
    assert np.abs(one - two[one.index]).max() < 1e-12


def test_levels(both):
    full, mini, networks = both
    one, two = (levels.people_summary(profile).set_index(["quantity", "level"]) for profile in (full, mini))
    assert np.allclose(one["these sessions"], two["drawn people"], atol=1e-12)
    found, drawn = (levels_networks.measure(profile) for profile in (full, mini))
    drawn = drawn.select(drawn.table["model"].isin(networks).to_numpy())
    assert compared(found, drawn, networks) < 1e-12

"""One code for drawn and published data: the drawn world in published layouts gives the tables of mini."""

import numpy as np
import pandas as pd
import published
import pytest

from humalign.chapters import levels, rsa, zero_shot
from humalign.config import get_profile
from humalign.data.verify import verify
from humalign.errors import MissingData
from humalign.features import shards
from humalign.source import open_source

NETWORKS = {"softmax-resnet-m": "resnet18", "simclr-resnet-m": "mocov2-rn50", "imagetext-resnet-m": "align"}
SETS = (
    "things/all", "things/testset1", "things/testset2_repeat", "things/images", "cichy2019", "king2019/set1",
    "king2019/set2", "cifar100/train", "cifar100/coarse_triplets", "levels", "levels/images",
)  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The profile full on the drawn world in published layouts, and mini; both measured here, from the same features.

    Measures that the book kept would not do: the last digits of an RDM depend on the number of threads.
    """
    profile, folder = open_source("mini").profile, tmp_path_factory.mktemp("published")
    (folder / "mini").mkdir()
    for name in ("world", shards.FOLDER):
        (profile.cache / name).mkdir(parents=True, exist_ok=True)
        (folder / "mini" / name).symlink_to(profile.cache / name, target_is_directory=True)
    mini = open_source(profile.with_(cache=folder / "mini"))
    root = published.write(folder / "data", NETWORKS)
    return open_source(get_profile("full", data=root, cache=folder / "cache")), mini, NETWORKS


def compared(measured, drawn, networks, keys=("dataset", "layer", "detail", "measure")):
    """Values of both, network by network, in one order."""
    one = measured.table.set_index(["model", *keys])["value"].sort_index()
    two = drawn.table.assign(model=drawn.table["model"].map(networks)).set_index(["model", *keys])["value"].sort_index()
    pd.testing.assert_index_equal(one.index, two.index)
    return np.abs(one - two).max()


def test_the_files_verify(both):
    for report in verify(both[0].profile, SETS):
        assert report.status == "ok", report.problems


def test_roles_and_answers(both):
    full, drawn = both[:2]
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
    roles = ("things", "coarse")
    found = zero_shot.measure(full, roles=roles)
    assert compared(found, zero_shot.measure(mini, list(networks), roles=roles), networks) < 1e-12
    found = rsa.measure(full)
    assert compared(found, rsa.measure(mini, list(networks)), networks) < 1e-12
    one, two = (zero_shot.ceilings(source).set_index("detail")["value"] for source in (full, mini))
    assert (one == two[one.index]).all()


def test_references_that_pictures_alone_give(both):
    full, mini, _ = both
    one, two = (zero_shot.references(source).set_index("model")["value"] for source in (full, mini))
    assert set(one.index) == {"pixels", "colour histogram", "category"}
    assert np.abs(one - two[one.index]).max() < 1e-12


def test_levels(both):
    full, mini, networks = both
    one, two = (levels.people_summary(source).set_index(["quantity", "level"]) for source in (full, mini))
    assert np.allclose(one["these sessions"], two["simulated observers"], atol=1e-12)
    found, drawn = levels.measure(full), levels.measure(mini, list(networks))
    assert compared(found, drawn, networks) < 1e-12

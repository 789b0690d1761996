"""Addresses: each of the package is one that was looked up, and each that was looked up is used or says why not."""

import hashlib

import pytest

from humalign.config import get_profile
from humalign.data import known, registry
from humalign.data.describe import SURE, describe_text, open_downloads
from humalign.zoo import facts, published

ROWS = known.sources()


def of_data():
    """Every address that a program fetches for a data set."""
    items = [item for one in registry.entries() for item in open_downloads(one)]
    return {url for item in items for url in (item.url, *item.mirrors)}


def addresses(loader):
    """Every address that weights of a loader are fetched from (not those that other libraries know)."""
    source, _, rest = loader.partition(":")
    if source == "url":
        return (rest.partition("|")[2],)
    found = tuple(url for item in published.downloads(loader) for url in (item.url, *item.mirrors))
    return (*found, published.PORT.url) if loader.endswith(f"|{published.PORTED}") else found


def of_networks():
    """Every address of weights."""
    return {address for row in facts.rows() for address in addresses(row["loader"])}


def test_every_address_was_looked_up():
    listed = {row["address"] for row in ROWS}
    assert of_data() | of_networks() <= listed
    assert all(address.startswith(("https://", "http://")) for address in listed - {""})


def test_every_row_is_used_or_says_why_not():
    used = of_data() | of_networks()
    for row in ROWS:
        assert (row["address"] in used) != bool(row["why_not"]), row
        assert row["sure"] in SURE or not row["address"], row
    assert {int(row["row"]) for row in ROWS if row["row"]} == set(range(1, 112))


def test_sets_without_an_open_copy_say_so():
    closed = {one.name for one in registry.entries("full") if "no open copy is known" in " ".join(one.steps)}
    arranged = {f"{name}{part}" for name in ("cichy2019", "king2019/set1", "king2019/set2") for part in ("", "/images")}
    rated = ("automobiles", "fruits", "furniture", "various", "vegetables")
    assert closed == arranged | {f"peterson/{name}{part}" for name in rated for part in ("", "/images")}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("things/vice_42", ["GPL-3.0", "83e7b9f4c10a0f2e8d117b6bad0627afe29d1776", "seen in public code"]),
        ("things/vice_45", ["not published", "things/vice_44"]),
        ("things/large", ["sorted", "https://osf.io/download/h2smy"]),
        ("things/trainset", ["as public code names it", "or https://osf.io/n9u4a/download", "likely"]),
        ("things/train_90", ["raw", "MirkoTh/semantic-representations-ID is another one"]),
        ("things/object_images", ["password things4all"]),
        ("alignet/representations", ["inferred, may be another", "numpy.load"]),
        ("imagenet/val", ["29b22e2961454d5413ddabcf34fc5622", "fa75699e90414af021442c21a62c3abf"]),
        ("cars196", ["rickyyyyyyy/torchvision-stanford-cars", "car_devkit.tgz"]),
    ],
)
def test_where_says_what_is_known(name, told):
    text = describe_text(registry.entry(name), get_profile("full", data=None))
    assert [line for line in told if line not in text] == []


def test_checksums_are_well_formed():
    lengths = {"sha256": 64, "md5": 32, "git": 40}
    for one in registry.entries():
        for item in open_downloads(one):
            for checksum in (item.checksum, *item.inner[1:]):
                kind, _, digits = checksum.partition(":")
                assert not checksum or (len(digits) == lengths[kind] and set(digits) <= set("0123456789abcdef"))


def test_a_git_name_guards_a_file(tmp_path, monkeypatch):
    name, content = "things/triplets/behavior_triplets_train90.txt", b"0 1 2\n"
    digest = hashlib.sha1(b"blob 6\0" + content).hexdigest()
    monkeypatch.setitem(known.published(), name, {"git": digest})
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    one = registry.entry("things/train_90")
    path.write_bytes(content)
    assert known.check_known(path, tmp_path, one)
    path.write_bytes(content + b" ")
    with pytest.raises(ValueError, match="differs from the known checksum"):
        known.check_known(path, tmp_path, one)


def test_torchvision_knows_the_same_addresses_and_checksums():
    from humalign import compat  # noqa: F401  isort: skip
    from torchvision import datasets

    def got(name):
        return {(item.url, item.checksum) for item in registry.entry(name).downloads}

    assert got("dtd") == {(datasets.DTD._URL, f"md5:{datasets.DTD._MD5}")}
    assert got("pets") == {(url, f"md5:{md5}") for url, md5 in datasets.OxfordIIITPet._RESOURCES}

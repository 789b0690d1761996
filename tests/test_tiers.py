"""Tiers over a local server that plays every host: fetch, extract, build from an empty folder, whatever goes wrong."""

import contextlib
import functools
import hashlib
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile

import numpy as np
import pytest
import rehearsal
import requests
from fetching import mapped
from rehearsing import NOTEBOOKS, adopt, notice, run
from rehearsing import figures as shown

from humalign.book import tiers
from humalign.cli import main
from humalign.config import get_profile
from humalign.data import fetch, known, registry
from humalign.errors import InputError
from humalign.zoo import checkpoints

NETWORKS = ("resnet18", "untrained-resnet50")


class Handler(http.server.BaseHTTPRequestHandler):
    """Every host: files by whole address; some answers slow, broken, moved or cut off, once each."""

    def __init__(self, state, *args):
        self.state = state
        super().__init__(*args)

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.do_GET(body=False)

    def do_GET(self, body=True):
        address = self.path.removeprefix("/")
        trouble = self.state["trouble"].pop(address, "") if body else ""
        if address in self.state["moved"]:
            self.send_response(301)
            self.send_header("Location", f"/{self.state['moved'][address]}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = self.state["files"].get(address)
        if data is None or trouble == "broken":
            self.send_error(404 if data is None else 500)
            return
        if trouble == "slow":
            time.sleep(1.5)
        data = b"something else" if trouble == "other" else data
        asked = self.headers.get("Range") if trouble != "other" else None
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}"')
        self.end_headers()
        if body:
            if trouble == "cut":
                data = data[: len(data) // 2]
            if trouble == "hang":  # half of it, then nothing, until the reader is gone
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                self.state["go on"].wait(60)
                return
            with contextlib.suppress(OSError):  # the reader may have given up
                self.wfile.write(data[start:])
            self.state["sent"].append((address, start))


def archive(root, folder, inside=""):
    """A zip of the files in a folder."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for path in sorted((root / folder).iterdir()):
            file.write(path, f"{inside}{path.name}")
        file.writestr(f"{inside}notes.txt", np.random.default_rng(0).bytes(300_000))  # more than a piece
    return out.getvalue()


def weights():
    """ResNet-18 as torchvision publishes it, with random numbers."""
    import torch

    from humalign import zoo

    out = io.BytesIO()
    torch.save(zoo.load("resnet18", pretrained=False).module.state_dict(), out)
    return out.getvalue()


def whole(item, root):
    """What lies at the address of a download."""
    if not item.unpack:
        text = (root / item.path).with_name(f"{item.path.rpartition('_')[2].removesuffix('.txt')}.npy")
        if "behavior_triplets" not in item.path:
            return (root / item.path).read_bytes()
        split = {"train90": "train_90", "test10": "test_10"}[text.stem]
        rows = np.load(root / f"things/triplets/{split}.npy")
        return "\n".join(" ".join(map(str, row)) for row in rows).encode()
    if item.path == "things":
        return archive(root, "things/object_images_CC0", "object_images_CC0/")
    return archive(root, "things/triplets", "triplet_dataset/")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server with the files of the tier "small", and a folder, a cache and addresses for the tests."""
    from humalign.data.describe import open_downloads

    folder = tmp_path_factory.mktemp("tiers")
    tiny, one = rehearsal.write(folder / "tiny"), tiers.tier("small")
    state = {"files": {}, "trouble": {}, "moved": {}, "sent": [], "folder": folder}
    sums = {}
    for name in one.data:
        for item in open_downloads(registry.entry(name)):
            if "unique_id" not in item.path:
                state["files"][item.url] = content = whole(item, tiny)
                if not item.unpack:
                    sums[item.path] = {"sha256": hashlib.sha256(content).hexdigest()}
    state["files"]["resnet18"] = weights()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, state)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        server = state["server"] = f"http://127.0.0.1:{running.server_port}/"
        patch = pytest.MonkeyPatch()
        get, head = requests.get, requests.head
        patch.setattr(requests, "get", lambda url, **more: get(server + url, **more))
        patch.setattr(requests, "head", lambda url, **more: head(server + url, **more))
        patch.setattr(checkpoints.hub, "answers", lambda url: True)
        load = checkpoints.fetch
        patch.setattr(checkpoints, "fetch", lambda url, name, digest="": load(f"{server}resnet18", name))
        patch.setattr(known, "published", lambda: sums)
        patch.setattr(fetch, "TIMEOUT", 1)
        patch.setattr(fetch, "open_downloads", lambda entry: [mapped(item, sums) for item in open_downloads(entry)])
        told = dict(tiers._file()["small"])
        patch.setitem(tiers._file(), "small", {**told, "networks": list(NETWORKS)})
        patch.setenv("TORCH_HOME", str(folder / "torch"))
        patch.setenv("HUMALIGN_CACHE", str(folder / "cache"))
        patch.setenv("HUMALIGN_DEVICE", "cpu")
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        yield state
        patch.undo()
        running.shutdown()


def address(name, end=""):
    from humalign.data.describe import open_downloads

    return next(item.url for item in open_downloads(registry.entry(name)) if item.url.endswith(end))


@pytest.fixture(scope="module")
def fetched(world):
    """The tier fetched in several calls: first with every trouble at once, then until nothing is wrong."""
    root = world["folder"] / "data"
    root.mkdir()
    (root / known.MANIFEST).write_text('{"rehearsal": true}')
    train, pictures = address("things/train_90", "train90.txt"), address("things/images_plus")
    world["trouble"] |= {
        train: "other",  # a wrong checksum
        address("things/vice_44"): "broken",
        address("things/vice_42"): "slow",
        pictures: "cut",  # as if killed half-way
    }
    table = address("things/categories_27")
    world["moved"][table], world["files"]["elsewhere"] = "elsewhere", world["files"].pop(table)
    said = []
    profile = get_profile("full", data=root)
    first = tiers.fetch("small", profile, said.append, progress=False)
    begun = said[:]
    said.clear()
    second = tiers.fetch("small", profile, said.append, progress=False)
    return {"first": first, "said": begun, "second": second, "again": said, "root": root, "train": train,
            "pictures": pictures}  # fmt: skip


def test_nothing_is_asked_and_trouble_stops_nothing(fetched):
    assert fetched["first"] is False
    wrong = [line for line in fetched["said"] if line.startswith("Not fetched: ")]
    told = {name: next(line for line in wrong if f" {name}:" in line) for name in
            ("things/train_90", "things/vice_44", "things/vice_42", "things/images_plus")}  # fmt: skip
    assert "differs from the known checksum" in told["things/train_90"]
    assert all("try again to go on" in told[f"things/{name}"] for name in ("vice_44", "vice_42", "images_plus"))
    assert not any("categories_27" in line for line in wrong)  # it moved, and was found
    assert "The same command goes on where this one stopped." in fetched["said"]
    assert "No figure is real yet." in fetched["said"]


def test_the_second_call_goes_on(fetched, world):
    assert fetched["second"] is True, fetched["again"]
    starts = [start for name, start in world["sent"] if name == fetched["pictures"]]
    assert starts[0] == 0
    assert starts[-1] > 0  # the rest alone
    assert "Next: humalign extract --tier small" in fetched["again"]
    assert "things/testset1: is here" in fetched["again"]


def test_costs_come_first(fetched):
    assert fetched["said"][0].startswith("Tier small: ")
    told = " ".join(fetched["said"][:12])
    assert "without a GPU" in told
    assert "disk" in told


@pytest.fixture(scope="module")
def extracted(fetched):
    from humalign.zoo import loading

    patch, said = pytest.MonkeyPatch(), []
    load = loading.load

    def small(*names, **more):
        from dataclasses import replace

        model = load(*names, **more)
        model.preprocess = replace(model.preprocess, size=32, resize=32)  # small pictures, for speed
        return model

    patch.setattr("humalign.zoo.load", small)
    profile = get_profile("full", data=fetched["root"], device="cpu")
    done = tiers.extract("small", profile, said.append, progress=False)
    again = []
    more = tiers.extract("small", profile, again.append, progress=False)
    patch.undo()
    return {"done": done, "said": said, "again": again, "more": more}


def test_features_of_every_network(extracted, fetched):
    assert extracted["done"], extracted["said"]
    assert [line for line in extracted["said"] if "features of 30 pictures of things/images_plus" in line] != []
    assert f"{NETWORKS[0]}: features are here" in extracted["again"]
    end = extracted["said"][extracted["said"].index("Real once the book is built:") :]
    assert any(line.startswith("  zero_shot: fig-zero-shot, ") for line in end)
    assert "Next: HUMALIGN_PROFILE=full make book" in extracted["said"]


def test_the_page_is_built_and_names_its_stand_ins(extracted, fetched, tmp_path):
    page = run(("zero_shot",), fetched["root"], tmp_path)["zero_shot"]
    said = notice(page)
    assert "a public split of the responses of paper 1" in said
    assert "Pictures: things/images_plus" in said
    assert "in the place of things/images" in said
    assert "People's dimensions: things/vice_44" in said
    assert "things/images_plus takes its place" not in said  # the page does not ask for pictures as data
    from humalign.book.requirements import Notice

    lines = Notice(get_profile("full", data=fetched["root"]), "concepts").lines
    of = {line.what.partition(" ")[0]: line for line in lines}
    assert of["things/images"].here
    assert of["things/images"].what.endswith(": things/images_plus takes its place")
    assert of["things/vice_45"].what.endswith(": things/vice_44 takes its place")
    assert {"fig-zero-shot", "fig-zero-shot-control"} <= shown(page)


def test_commands(fetched, capsys):
    root = str(fetched["root"])
    assert main(["plan", "--tier", "small", "--data", root]) == 0
    out = capsys.readouterr().out
    assert "Then: humalign data fetch --tier small" in out
    assert main(["data", "fetch", "--tier", "small", "--data", root]) == 0
    assert "things/all: is here" in capsys.readouterr().out
    assert main(["plan", "--tier", "smal", "--data", root]) == 2
    assert "choose one of small, paper1, paper2, all" in capsys.readouterr().err
    assert main(["data", "fetch", "--data", root]) == 2
    assert main(["data", "fetch", "things/all", "--tier", "small", "--data", root]) == 2
    assert main(["extract", "resnet18", "--tier", "small", "--data", root]) == 2
    assert main(["extract", "resnet18", "--data", root]) == 2
    assert main(["plan", "--tier", "small", "--notebook", "rsa", "--data", root]) == 2


def test_what_has_to_be_had_by_hand_is_told_in_one_sentence(tmp_path, monkeypatch):
    told = {"title": "one", "notebooks": ["rsa"], "data": ["cichy2019"], "roles": ["cichy"], "networks": []}
    monkeypatch.setitem(tiers._file(), "small", told)
    said = []
    assert tiers.fetch("small", get_profile("full", data=tmp_path), said.append, progress=False) is True
    (line,) = [line for line in said if "By hand" in line]
    assert "cichy2019" in line
    assert "Not fetched" not in " ".join(said)
    assert any("rsa: missing cichy2019" in line for line in said)


# ---- killed in the middle of a file ----------------------------------------------------------------------------------


def test_a_killed_command_goes_on_in_the_middle_of_the_file(world, tmp_path):
    """SIGKILL while bytes come: what came stays, the next call asks for the rest alone, and no scrap is left."""
    pictures, sums = address("things/images_plus"), {}
    told = {"title": "one", "notebooks": ["world"], "data": ["things/images_plus"], "roles": [], "networks": []}
    settings, root = tmp_path / "settings.json", tmp_path / "data"
    root.mkdir()
    (root / known.MANIFEST).write_text('{"rehearsal": true}')
    settings.write_text(json.dumps({"server": world["server"], "sums": sums, "tiers": {"small": told}}))
    command = [sys.executable, str(NOTEBOOKS.parent / "tests/fetching.py"), str(settings), "data", "fetch", "--tier",
               "small", "--data", str(root)]  # fmt: skip
    half = len(world["files"][pictures]) // 2
    world["trouble"][pictures], world["go on"] = "hang", threading.Event()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    came, until = 0, time.monotonic() + 90
    while not came and running.poll() is None and time.monotonic() < until:
        came = sum(p.stat().st_size for p in (root / ".partial").glob("*") if p.is_file() and p.suffix != ".mark")
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    assert running.wait(10) == -signal.SIGKILL
    world["go on"].set()
    (partial,) = [p for p in (root / ".partial").iterdir() if p.is_file() and p.suffix != ".mark"]
    kept = partial.stat().st_size
    assert 0 < kept <= half
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [start for name, start in world["sent"] if name == pictures][-1] == kept
    whole = {name: zipfile.ZipFile(io.BytesIO(world["files"][pictures])).read(name)
             for name in zipfile.ZipFile(io.BytesIO(world["files"][pictures])).namelist()}  # fmt: skip
    assert {name: (root / "things" / name).read_bytes() for name in whole} == whole
    assert not (root / ".partial").exists()


# ---- the other tiers -------------------------------------------------------------------------------------------------


def packed(item, entries, root) -> tuple[bytes, bytes]:
    """An archive at the address of a download, of the tiny files of the data sets it fills; and the one inside it."""
    out, top = io.BytesIO(), root / item.path
    filled = {path for entry in entries for path in entry.files_in(root).values()}
    files = sorted({file for path in filled if path.is_relative_to(top)
                    for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()})  # fmt: skip
    if item.inner:
        packed_inside = io.BytesIO()
        with tarfile.open(fileobj=packed_inside, mode="w:gz") as tar:
            for file in files:
                tar.add(file, file.relative_to(top))
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(item.inner[0], packed_inside.getvalue())
        return out.getvalue(), packed_inside.getvalue()
    if item.url.endswith((".tgz", ".tar", ".tar.gz")):
        with tarfile.open(fileobj=out, mode="w" if item.url.endswith(".tar") else "w:gz") as tar:
            for file in files:
                tar.add(file, file.relative_to(top))
    else:
        with zipfile.ZipFile(out, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(top))
    return out.getvalue(), b""


CLOSED = ("imagenet", "king2019", "cichy2019")  # what a reader gets by hand: folders of the tiny data
NOWHERE = {  # the tiny files are not those that are published: sessions for a pickle, other names
    "levels", "levels/images", "levels/triplets", "peterson/animals", "peterson/animals/images",
}  # fmt: skip
SEEN = ("things/images", "cichy2019/images", "king2019/set1/images", "king2019/set2/images", "imagenet/val",
        "caltech101", "cifar100/train", "cifar100/test", "dtd", "pets", "ucmerced", "cars196")  # fmt: skip


@pytest.fixture(scope="module")
def served(world):
    """The same server with the files of every tier."""
    from humalign.data.describe import open_downloads

    tiny, files, sums = world["folder"] / "tiny", {}, known.published()
    filling = {}
    for entry in registry.entries("full"):
        for item in open_downloads(entry):
            filling.setdefault(item.url, (item, []))[1].append(entry)
    for item, entries in filling.values():
        if item.url not in world["files"]:
            if item.unpack:
                files[item.url], inside = packed(item, entries, tiny)
                if inside:
                    sums[item.inner[0]] = {"sha256": hashlib.sha256(inside).hexdigest()}
            elif (tiny / item.path).is_file():
                files[item.url] = (tiny / item.path).read_bytes()
                sums[item.path] = {"sha256": hashlib.sha256(files[item.url]).hexdigest()}
    world["files"] |= files
    yield world
    for url in files:
        del world["files"][url]


def fetched_tier(served, name, folder, monkeypatch):
    """An empty folder after the fetch of a tier, with what is got by hand and with features of its networks."""
    root = folder / "data"
    root.mkdir()
    (root / known.MANIFEST).write_text('{"rehearsal": true}')
    monkeypatch.setitem(tiers._file(), name, {**tiers._file()[name], "networks": []})
    profile, said = get_profile("full", data=root, cache=folder / "cache", device="cpu"), []
    tiers.fetch(name, profile, said.append, progress=False)
    for part in CLOSED:
        shutil.copytree(served["folder"] / "tiny" / part, root / part, dirs_exist_ok=True)
    for part in ("tables", "levels"):
        shutil.copytree(served["folder"] / "tiny" / part, root / part, dirs_exist_ok=True)
    models = ["resnet18", "vgg16", *(f"SigLIP-B{state}" for state in ("", "+UnAligNet", "+AligNet"))]
    here = set(registry.available(profile))
    adopt(root, profile, {model: {"penultimate": 6} for model in models}, [one for one in SEEN if one in here])
    return profile, said


nightly = pytest.mark.skipif(
    not os.environ.get("HUMALIGN_NIGHTLY"), reason="takes minutes: HUMALIGN_NIGHTLY=FOLDER runs it"
)


@nightly
@pytest.mark.parametrize(("name", "pages"), [
    ("paper1", {"zero_shot", "rsa", "probing", "concepts", "calibration", "claims", "table1"}),
    ("paper2", {"student", "hierarchy", "generalisation"}),
    ("all", {"zero_shot", "rsa", "probing", "student", "hierarchy", "generalisation", "claims"}),
])  # fmt: skip
def test_everything_open_of_a_tier_is_fetched_and_its_figures_are_real(served, name, pages, tmp_path, monkeypatch):
    profile, said = fetched_tier(served, name, tmp_path, monkeypatch)
    wrong = {line.split(": ")[1] for line in said if line.startswith("Not fetched: ")}
    assert wrong <= NOWHERE, said
    assert said[0].startswith(f"Tier {name}: ")
    end = tiers.figures(tiers.tier(name), profile, NOTEBOOKS)
    real = {line.strip().partition(":")[0] for line in end[1 : end.index("Empty:") if "Empty:" in end else None]}
    assert pages <= real, end
    told = next((line for line in end if line.startswith("  student: ")), "")
    assert name == "paper1" or ("fig-student-levels" in told and "fig-student-controls" not in told)


@nightly
@pytest.mark.parametrize("name", tiers.names())
def test_the_whole_book_runs_on_what_a_tier_has(served, name, monkeypatch):
    """Every notebook in the profile full; the folder stays, for the build of the pages."""
    folder = NOTEBOOKS.parent / os.environ["HUMALIGN_NIGHTLY"] / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    profile, _ = fetched_tier(served, name, folder, monkeypatch)
    every = tuple(path.stem for path in NOTEBOOKS.glob("*.md"))
    less = {"claims": {"trials": 500}, "probing": {"max_epochs": 2}, "generalisation": {"shots": [1], "draws": 2}}
    done = run(every, profile.data, folder, **less)
    assert set(done) == set(every)


# ---- what tiers are --------------------------------------------------------------------------------------------------


def test_the_first_tier_costs_little():
    from humalign.book.costs import plan

    told = tiers._file()["small"]
    one = tiers.tier("small")
    assert len(told["networks"]) in (len(NETWORKS), 10)
    found = plan(get_profile("full"), tier=one)
    folder = 430e6  # of THINGS-data's triplets, unpacked: nobody states the size of the archive
    assert found.totals["disk_bytes"] + folder < 3e9
    assert found.totals["gpu_hours"] < 0.1
    assert found.totals["data"]["by_hand"] == 0


def test_every_tier_holds_the_one_before():
    every = [set(tiers.tier(name).networks) for name in ("paper1", "all")]
    assert every[0] < every[1]
    assert set(tiers.tier("paper2").networks) < every[1]
    assert not set(tiers.tier("paper2").networks) & every[0]
    assert set(tiers._file()["small"]["networks"]) <= every[0]
    with pytest.raises(InputError, match="no tier is called"):
        tiers.tier("everything")

"""Fetching over a local server (whole, resumed, corrupted, archived, from a mirror) and adopting files."""

import functools
import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile

import numpy as np
import pytest
import rehearsal

from humalign.cli import main
from humalign.config import get_profile
from humalign.data import adopt, fetch, known, registry
from humalign.data.registry import Download, Entry, File
from humalign.errors import HumalignError, InputError, MissingData

CONTENT = np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8).tobytes()
SHA = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves what the test put into ``files``, with ranges where ``ranges`` is true; may break off after some bytes."""

    def __init__(self, state, *args):
        self.state = state
        super().__init__(*args)

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        if self.path in self.state.get("redirect", {}):
            self.send_response(302)
            self.send_header("Location", self.state["redirect"][self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = self.state["files"].get(self.path)
        asked = self.headers.get("Range")
        if body:
            self.state["asked"].append((self.path, asked))
        if data is None:
            self.send_error(404)
            return
        tag = f'"{hashlib.md5(data + self.state.get("own tags", False) * self.path.encode()).hexdigest()}"'
        same = self.headers.get("If-Range", tag) == tag
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and same and self.state["ranges"] else 0
        if start >= len(data) and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", tag)
        self.end_headers()
        if body:
            stop = self.state.pop("break_after", None)
            self.wfile.write(data[start:] if stop is None else data[start:stop])


@pytest.fixture
def server():
    state = {"files": {"/a.bin": CONTENT}, "asked": [], "ranges": True}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, state)) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        state["url"] = f"http://127.0.0.1:{running.server_port}"
        yield state
        running.shutdown()


def get(server, root, **more):
    return fetch.download(Download(f"{server['url']}/a.bin", "folder/a.bin", **more), root, progress=False)


def partial(server, root):
    """Where unfinished bytes of :func:`get` lie."""
    path = fetch.partial_of(Download(f"{server['url']}/a.bin", "folder/a.bin"), root)
    path.parent.mkdir(exist_ok=True)
    return path


def test_a_whole_download(server, tmp_path):
    path = get(server, tmp_path, checksum=SHA)
    assert path == tmp_path / "folder/a.bin"
    assert path.read_bytes() == CONTENT
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder"]  # nothing else is left


def test_an_interrupted_download_goes_on(server, tmp_path):
    server["break_after"] = 100_000
    with pytest.raises(HumalignError, match="go on where it stopped"):
        get(server, tmp_path, checksum=SHA)
    path = partial(server, tmp_path)
    kept = path.read_bytes()
    assert 60_000 < len(kept) <= 100_000
    assert CONTENT.startswith(kept)
    assert not (tmp_path / "folder").exists()
    assert get(server, tmp_path, checksum=SHA).read_bytes() == CONTENT
    assert server["asked"] == [("/a.bin", None), ("/a.bin", f"bytes={len(kept)}-")]
    assert not path.exists()


def test_a_file_that_changed_meanwhile_starts_anew(server, tmp_path):
    server["break_after"] = 100_000
    with pytest.raises(HumalignError, match="go on where it stopped"):
        get(server, tmp_path)
    server["files"]["/a.bin"] = CONTENT[::-1]
    assert get(server, tmp_path).read_bytes() == CONTENT[::-1]  # no checksum is known that would tell
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder"]


def test_a_complete_partial_file_is_used(server, tmp_path):
    partial(server, tmp_path).write_bytes(CONTENT)
    assert get(server, tmp_path, checksum=SHA).read_bytes() == CONTENT


def test_a_server_without_ranges_starts_anew(server, tmp_path):
    server["ranges"] = False
    partial(server, tmp_path).write_bytes(b"old bytes")
    assert get(server, tmp_path, checksum=SHA).read_bytes() == CONTENT


def test_corrupted_bytes_are_thrown_away(server, tmp_path):
    server["files"]["/a.bin"] = CONTENT[:-1] + b"x"
    with pytest.raises(InputError, match="differs from the known checksum") as caught:
        get(server, tmp_path, checksum=SHA)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.rglob("a.bin*")) == []
    server["files"]["/a.bin"] = CONTENT
    assert get(server, tmp_path, checksum=SHA).read_bytes() == CONTENT


def test_a_damaged_partial_file_is_not_kept(server, tmp_path):
    partial(server, tmp_path).write_bytes(b"x" * 1000)
    with pytest.raises(InputError, match="checksum"):
        get(server, tmp_path, checksum=SHA)
    assert get(server, tmp_path, checksum=SHA).read_bytes() == CONTENT


def test_files_of_one_name_do_not_continue_each_other(server, tmp_path):
    other = CONTENT[::-1]
    server["files"] |= {"/one/t.npz": CONTENT, "/two/t.npz": other}
    server["break_after"] = 100_000
    one, two = (Download(f"{server['url']}/{part}/t.npz", f"{part}.npz") for part in ("one", "two"))
    with pytest.raises(HumalignError, match="go on where it stopped"):
        fetch.download(one, tmp_path, progress=False)
    assert fetch.download(two, tmp_path, progress=False).read_bytes() == other
    assert fetch.download(one, tmp_path, progress=False).read_bytes() == CONTENT


def test_mirrors_are_tried_in_turn(server, tmp_path):
    item = Download(
        f"{server['url']}/gone.bin",
        "a.bin",
        mirrors=(f"{server['url']}/away.bin", f"{server['url']}/a.bin"),
        checksum=SHA,
    )
    assert fetch.download(item, tmp_path, progress=False).read_bytes() == CONTENT
    assert [path for path, _ in server["asked"]] == ["/gone.bin", "/away.bin", "/a.bin"]


def test_a_mirror_with_tags_of_its_own_goes_on_with_the_same_bytes(server, tmp_path):
    server["files"]["/b.bin"], server["own tags"], server["break_after"] = CONTENT, True, 100_000
    assert get(server, tmp_path, mirrors=(f"{server['url']}/b.bin",), checksum=SHA).read_bytes() == CONTENT
    (_, first), (path, asked) = server["asked"]
    assert first is None
    assert path == "/b.bin"
    assert 60_000 < int(asked.removeprefix("bytes=").rstrip("-")) <= 100_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder"]


def test_without_a_checksum_a_mirror_starts_anew(server, tmp_path):
    server["files"]["/b.bin"], server["break_after"] = CONTENT[::-1], 100_000  # packed otherwise: other bytes
    assert get(server, tmp_path, mirrors=(f"{server['url']}/b.bin",)).read_bytes() == CONTENT[::-1]
    assert server["asked"] == [("/a.bin", None), ("/b.bin", None)]
    server["break_after"] = 100_000  # and so does the address itself, when the bytes of a mirror lie there
    with pytest.raises(HumalignError, match="go on where it stopped"):
        get(server, tmp_path, mirrors=(f"{server['url']}/gone.bin",))
    partial(server, tmp_path).with_name(partial(server, tmp_path).name + ".mark").write_text("http://other/a.bin\n1")
    assert get(server, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["sha256", "md5", "git"])
def test_kinds_of_checksums(server, tmp_path, kind):
    header = b"blob 300000\0" if kind == "git" else b""
    digest = hashlib.new({"git": "sha1"}.get(kind, kind), header + CONTENT).hexdigest()
    assert get(server, tmp_path, checksum=f"{kind}:{digest}").read_bytes() == CONTENT
    with pytest.raises(InputError, match="differs from the known checksum"):
        get(server, tmp_path, checksum=f"{kind}:{digest[::-1]}")


def test_a_mirror_is_tried_where_the_first_bytes_are_others(server, tmp_path):
    server["files"]["/b.bin"], server["files"]["/a.bin"] = CONTENT, b"moved"
    assert get(server, tmp_path, mirrors=(f"{server['url']}/b.bin",), checksum=SHA).read_bytes() == CONTENT


def test_only_the_web_is_fetched(server, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("s")
    server["redirect"] = {"/away": secret.as_uri(), "/on": f"{server['url']}/a.bin", "/ftp": "ftp://example.invalid/a"}
    for place in ("/away", "/ftp"):
        with pytest.raises(InputError, match="sends on to what is no address on the web") as caught:
            fetch.download(Download(f"{server['url']}{place}", "a.bin"), tmp_path / "data", progress=False)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="only http and https are fetched"):
        fetch.download(Download(secret.as_uri(), "a.bin"), tmp_path / "data", progress=False)
    assert list((tmp_path / "data").rglob("*")) == []
    fetch.download(Download(f"{server['url']}/on", "a.bin"), tmp_path / "data", progress=False)
    assert (tmp_path / "data/a.bin").read_bytes() == CONTENT


def test_what_another_host_sends_is_held_to_the_same_checksum(server, tmp_path):
    """Archives of data send on to stores of other names, so another host is no reason to refuse."""
    other = server["url"].replace("127.0.0.1", "localhost")
    server["redirect"], server["files"]["/b.bin"] = {"/on": f"{other}/b.bin"}, CONTENT[::-1]
    item = Download(f"{server['url']}/on", "a.bin", checksum=SHA)
    with pytest.raises(InputError, match="differs from the known checksum"):
        fetch.download(item, tmp_path / "data", progress=False)
    assert list((tmp_path / "data").rglob("*")) == []
    server["files"]["/b.bin"] = CONTENT
    assert fetch.download(item, tmp_path / "data", progress=False).read_bytes() == CONTENT


def test_an_archive_inside_the_archive_is_unpacked_and_checked(server, tmp_path):
    inner = tar_of({"classes/a/1.txt": b"1"})
    server["files"]["/set.zip"] = zip_of({"set/inner.tar.gz": inner, "set/notes.txt": b"n"})
    known_ = f"md5:{hashlib.md5(inner).hexdigest()}"
    item = Download(f"{server['url']}/set.zip", "set", unpack=True, inner=("set/inner.tar.gz", known_))
    fetch.download(item, tmp_path, progress=False)
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.*"))
    assert found == ["set/classes/a/1.txt", "set/set/notes.txt"]
    for wrong in (("set/inner.tar.gz", "md5:0"), ("set/other.tar.gz", known_)):
        item = Download(f"{server['url']}/set.zip", "again", unpack=True, inner=wrong)
        with pytest.raises(InputError, match=r"differs from the known|not where it was expected"):
            fetch.download(item, tmp_path, progress=False)


def test_an_address_that_does_not_answer_fails_in_one_line(server, tmp_path):
    with pytest.raises(HumalignError, match="404") as caught:
        fetch.download(Download(f"{server['url']}/gone.bin", "a.bin"), tmp_path, progress=False)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def tar_of(names):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zip_of(names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in names.items():
            file.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_archives_are_unpacked_beside_what_is_there(server, tmp_path, pack):
    (tmp_path / "set/images").mkdir(parents=True)
    (tmp_path / "set/images/old.txt").write_text("old")
    server["files"]["/set.pack"] = pack({"images/a.txt": b"a", "images/sub/b.txt": b"b"})
    fetch.download(Download(f"{server['url']}/set.pack", "set", unpack=True), tmp_path, progress=False)
    found = {p.relative_to(tmp_path).as_posix(): p.read_text() for p in tmp_path.rglob("*.txt")}
    assert found == {"set/images/a.txt": "a", "set/images/sub/b.txt": "b", "set/images/old.txt": "old"}


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_archives_cannot_write_outside(server, tmp_path, pack):
    server["files"]["/evil.pack"] = pack({"../../evil.txt": b"x"})
    with pytest.raises(InputError):
        fetch.download(Download(f"{server['url']}/evil.pack", "a/b", unpack=True), tmp_path, progress=False)
    assert list(tmp_path.rglob("evil.txt")) == []


def test_damaged_archives_are_refused(server, tmp_path):
    whole = tar_of({"a.txt": CONTENT})
    for data in (whole[: len(whole) // 2], b"<html>", b""):
        server["files"]["/set.tar.gz"] = data
        with pytest.raises(InputError, match=r"archive|unpacked"):
            fetch.download(Download(f"{server['url']}/set.tar.gz", "set", unpack=True), tmp_path, progress=False)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


# ---------------------------------------------------------------------------------------------- fetch, as a command


@pytest.fixture
def entry(server, monkeypatch):
    """An entry of one .npy file behind the local server."""
    buffer = io.BytesIO()
    np.save(buffer, np.arange(6.0).reshape(3, 2))
    server["files"]["/x.npy"] = buffer.getvalue()

    def loader(at):
        from humalign.data.files import read_npy

        return {"x": read_npy(at.path("x"), (None, 2))}

    one = Entry(
        "toy", "A toy", "table", ("full",), "http://example.invalid", "CC0", "Nobody 2000",
        files={"x": File("toy/x.npy", "(3, 2)", url=f"{server['url']}/x.npy")}, loader=loader, expect={"numbers": 6},
    )  # fmt: skip
    registry.entries()
    monkeypatch.setitem(registry._ENTRIES, "toy", one)
    return one


def test_licence_and_disk_use_are_shown_before_anything_is_fetched(server, entry, tmp_path):
    profile = get_profile("full", data=tmp_path)
    said = []

    def no(question):
        assert "CC0" in " ".join(said)
        assert any("free" in line and "to download" in line for line in said)
        return False

    assert fetch.fetch("toy", profile, ask=no, say=said.append, progress=False) is False
    assert server["asked"] == []  # only the size was asked for
    assert fetch.fetch("toy", profile, say=said.append, progress=False) is True
    assert said[-1].strip() == "verified: ok"
    assert fetch.fetch("toy", profile, say=said.append, progress=False) is True
    assert "already here" in said[-1]
    assert len(server["asked"]) == 1


def test_what_lies_at_another_known_place_is_not_fetched_again(server, entry, tmp_path, monkeypatch):
    from dataclasses import replace

    files = {"x": replace(entry.files["x"], also=("old/x.npy",)), "y": File("toy/y.npy", url=f"{server['url']}/x.npy")}
    monkeypatch.setitem(registry._ENTRIES, "toy", replace(entry, files=files))
    (tmp_path / "old").mkdir()
    (tmp_path / "old/x.npy").write_bytes(server["files"]["/x.npy"])
    assert fetch.fetch("toy", get_profile("full", data=tmp_path), say=lambda line: None, progress=False) is True
    assert len(server["asked"]) == 1
    assert not (tmp_path / "toy/x.npy").exists()


def test_where_names_addresses_for_programs(server, entry, capsys):
    assert main(["data", "where", "toy", "--profile", "full", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    (item,) = told["downloads"]
    assert {key: item[key] for key in ("url", "path", "unpack", "size")} == {
        "url": f"{server['url']}/x.npy", "path": "toy/x.npy", "unpack": False, "size": None
    }  # fmt: skip
    assert (item["mirrors"], item["sure"], item["checksum"]) == ([], "", "")


def test_a_command_sent_on_to_a_file_ends_in_one_line(server, entry, tmp_path, capsys):
    secret = tmp_path / "secret.npy"
    secret.write_bytes(server["files"]["/x.npy"])  # it would verify
    server["redirect"] = {"/x.npy": secret.as_uri()}
    (tmp_path / "data").mkdir()
    code = main(["data", "fetch", "toy", "--yes", "--profile", "full", "--data", str(tmp_path / "data")])
    told = capsys.readouterr().err.strip()
    assert code == 2
    assert told.startswith("humalign data: ")
    assert "sends on to what is no address on the web" in told
    assert "\n" not in told
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []


def test_too_little_room_stops_before_the_download(server, entry, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(HumalignError, match="10 bytes are free"):
        fetch.fetch("toy", get_profile("full", data=tmp_path), say=lambda line: None, progress=False)
    assert server["asked"] == []


def test_what_is_not_open_gives_exact_steps(tmp_path, capsys):
    assert main(["data", "fetch", "imagenet/train", "--profile", "full", "--data", str(tmp_path)]) == 2
    told = capsys.readouterr().out
    assert "1. register at https://image-net.org" in told
    assert str(tmp_path / "imagenet/train") in told
    assert "licence: research use" in told


def test_fetching_needs_a_folder_and_a_yes(server, entry, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("HUMALIGN_DATA", raising=False)
    assert main(["data", "fetch", "toy", "--profile", "full"]) == 2
    assert "needs a data folder" in capsys.readouterr().err
    assert main(["data", "fetch", "toy", "--profile", "full", "--data", str(tmp_path)]) == 2
    assert "repeat with --yes" in capsys.readouterr().err
    assert main(["data", "fetch", "toy", "--yes", "--profile", "full", "--data", str(tmp_path)]) == 0
    assert (tmp_path / "toy/x.npy").is_file()


# ---------------------------------------------------------------------------------------------- import


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return rehearsal.write(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture
def new(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    (root / known.MANIFEST).write_text('{"rehearsal": true}')
    return get_profile("full", data=root)


def test_files_are_adopted_and_verified(tiny, new, tmp_path):
    told = adopt.adopt(tiny / "things/concepts/things_concepts.tsv", "things/concepts", new)
    assert "30 rows" in told
    for name in ("train_90.npy", "test_10.npy"):
        adopt.adopt(tiny / f"things/triplets/{name}", f"things/{name[:-4]}", new)
    assert registry.load("things/all", new).triplets.shape == (1000, 3)
    # text instead of .npy goes to the place of text
    path = tmp_path / "mine.txt"
    np.savetxt(path, np.load(tiny / "things/triplets/correct_triplets.npy"), fmt="%d")
    told = adopt.adopt(path, "things/correct_triplets", new, key="triplets")
    assert (new.data / "things/triplets/correct_triplets.txt").is_file()


def test_folders_are_adopted_by_key_and_may_be_linked(tiny, new):
    told = adopt.adopt(tiny / "cichy2019/images", "cichy2019", new, key="images", link=True)
    assert "still missing: cichy2019/sim_judgements/judgments_general.mat" in told
    assert (new.data / "cichy2019/images").is_symlink()
    told = adopt.adopt(tiny / "cichy2019/sim_judgements/judgments_general.mat", "cichy2019", new)
    assert "12 images, 3 people" in told
    adopt.adopt(tiny / "caltech101/101_ObjectCategories", "caltech101", new)
    assert not (new.data / "caltech101/101_ObjectCategories").is_symlink()
    assert len(registry.load("caltech101", new)) == 12


def test_what_does_not_verify_changes_nothing(tiny, new, tmp_path):
    adopt.adopt(tiny / "things/concepts/things_concepts.tsv", "things/concepts", new)
    good = tiny / "things/triplets/testset1.txt"
    adopt.adopt(good, "things/testset1", new)
    bad = tmp_path / "testset1.txt"
    bad.write_text("1 2\n3 4\n")
    with pytest.raises(InputError, match="2 columns") as caught:
        adopt.adopt(bad, "things/testset1", new)
    assert "\n" not in str(caught.value)
    assert (new.data / "things/triplets/testset1.txt").read_bytes() == good.read_bytes()
    assert [p.name for p in (new.data / "things/triplets").iterdir()] == ["testset1.txt"]


def test_a_file_that_would_be_hidden_by_another_is_refused(tiny, new, tmp_path):
    adopt.adopt(tiny / "things/concepts/things_concepts.tsv", "things/concepts", new)
    adopt.adopt(tiny / "things/triplets/train_90.npy", "things/train_90", new)
    path = tmp_path / "train_90.txt"
    np.savetxt(path, np.load(tiny / "things/triplets/train_90.npy")[:500], fmt="%d")
    with pytest.raises(InputError, match=r"train_90\.npy comes first"):
        adopt.adopt(path, "things/train_90", new)
    assert [p.name for p in (new.data / "things/triplets").iterdir()] == ["train_90.npy"]


def test_another_checksum_needs_accept(tiny, tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    profile = get_profile("full", data=root)
    source = tiny / "tables/networks.csv"
    with pytest.raises(InputError, match="known checksum"):
        adopt.adopt(source, "tables/networks", profile)
    assert not (root / "tables/networks.csv").exists()
    assert not (root / known.MANIFEST).exists()
    adopt.adopt(source, "tables/networks", profile, accept=True)
    assert len(registry.load("tables/networks", profile)) == 2
    assert "tables/networks.csv" in json.loads((root / known.MANIFEST).read_text())["sha256"]
    (root / "tables/networks.csv").write_text("model,imagenet_accuracy,param_count,depth,arch\na,1,2,3,b\n")
    with pytest.raises(InputError, match="known checksum"):  # an accepted file is guarded as well
        registry.load("tables/networks", profile)


def test_import_says_what_it_needs(tiny, new, tmp_path, capsys):
    with pytest.raises(InputError, match="say --key"):
        adopt.adopt(tiny / "imagenet/val", "cars196", new)
    with pytest.raises(InputError, match="keys are"):
        adopt.adopt(tiny / "tables/networks.csv", "tables/networks", new, key="nothing")
    with pytest.raises(InputError, match="does not exist"):
        adopt.adopt(tmp_path / "nowhere.csv", "tables/networks", new)
    with pytest.raises(InputError, match="no data set is called"):
        adopt.adopt(tiny / "tables/networks.csv", "tables/netwerks", new)
    with pytest.raises(MissingData):
        adopt.adopt(tiny / "tables/networks.csv", "tables/networks", new.with_(data=None))
    code = main(
        ["data", "import", str(tiny / "tables/networks.csv"), "--as", "tables/networks", "--profile", "full", "--data",
         str(new.data)]
    )  # fmt: skip
    assert code == 0
    assert "copied; 2 rows" in capsys.readouterr().out

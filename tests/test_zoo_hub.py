"""Published weights of timm and open_clip: from the cache, a hub or a file; refused at once without a network."""

import contextlib
import functools
import hashlib
import http.server
import importlib
import logging
import socket
import threading
import time

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file

from humalign import cli, compat, zoo  # noqa: F401  (compat before timm)
from humalign.errors import InputError, MissingData
from humalign.zoo import checkpoints, hub

tower = functools.partial(zoo.load, head=False)
NAME = "test_vit.r160_in1k"  # timm's smallest vision transformer
REPO = "timm/test_vit.r160_in1k"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    return tmp_path / "hub"


@pytest.fixture
def no_network(cache, monkeypatch):
    """An address that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    return address


@pytest.fixture
def trained(tmp_path):
    """Weights of the small network, as its file on the hub has them."""
    import timm

    torch.manual_seed(5)
    path = tmp_path / "model.safetensors"
    save_file({k: v.contiguous() for k, v in timm.create_model(NAME).state_dict().items()}, path)
    return path


@contextlib.contextmanager
def server(monkeypatch, files, seen):
    """A hub on this machine: it knows ``files`` (name: bytes) of one repository, and answers 404 to all else."""

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self, body=False):
            seen.append(self.command + " " + self.path)
            content = files.get(self.path.rpartition("/")[2]) if self.path.startswith(f"/{REPO}/resolve/") else None
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            if content is not None:
                self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
                self.send_header("X-Repo-Commit", COMMIT)
            elif "resolve" in self.path:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            if body and content is not None:
                self.wfile.write(content)

        def do_GET(self):
            self.do_HEAD(body=True)

        def log_message(self, *args):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{running.server_port}")
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", constants.ENDPOINT + "/{repo_id}/resolve/{revision}/{filename}"
    )
    try:
        yield constants.ENDPOINT
    finally:
        running.shutdown()
        running.server_close()


@pytest.mark.parametrize("ask", [zoo.load, tower])
@pytest.mark.parametrize("name", [f"timm:{NAME}", "open_clip:RN50/openai"])
def test_without_a_network_it_ends_at_once(no_network, ask, name):
    importlib.import_module(name.partition(":")[0])  # which sets levels, once
    levels = [logging.getLogger(n).level for n in hub.CHATTER]
    start = time.monotonic()
    with pytest.raises(MissingData, match=f"{no_network} cannot be reached; .*checkpoint FILE") as caught:
        ask(name)
    assert time.monotonic() - start < 15  # the client of the hub alone takes a minute
    assert str(caught.value).startswith(name + ": its weights are not on this machine")
    assert "\n" not in str(caught.value)
    assert not constants.HF_HUB_OFFLINE  # nothing stays changed
    assert levels == [logging.getLogger(n).level for n in hub.CHATTER]


def test_the_commands_end_with_one_line(no_network, tmp_path, capsys):
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "a.png")
    images = ["--images", str(tmp_path / "pictures"), "--out", str(tmp_path / "out")]
    assert cli.main(["extract", f"timm:{NAME}", *images]) == 2
    assert cli.main(["alignet", "evaluate", f"timm:{NAME}", *images[:2], "--triplets", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert all(f"timm:{NAME}: its weights are not on this machine" in line for line in lines)


def test_offline_mode_is_obeyed_and_kept(no_network, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub.time, "sleep", pytest.fail)  # nobody is asked
    with pytest.raises(MissingData, match="HF_HUB_OFFLINE forbids downloads"):
        tower(f"timm:{NAME}")
    assert constants.HF_HUB_OFFLINE


def test_weights_in_the_cache_need_no_network(no_network, cache, trained):
    folder = cache / f"models--{REPO.replace('/', '--')}"
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "snapshots" / COMMIT / "model.safetensors").write_bytes(trained.read_bytes())
    start = time.monotonic()
    model = zoo.load(f"timm:{NAME}")
    assert time.monotonic() - start < 15
    assert model.checksum == zoo.load(f"timm:{NAME}", checkpoint=trained).checksum


def test_a_hub_that_answers_is_used(cache, trained, monkeypatch):
    seen = []
    with server(monkeypatch, {"model.safetensors": trained.read_bytes()}, seen):
        found = tower(f"timm:{NAME}").module.state_dict()
    assert any(line.startswith("GET") for line in seen)
    wanted = tower(f"timm:{NAME}", checkpoint=trained).module.state_dict()
    assert all(torch.equal(found[k], wanted[k]) for k in wanted)


def test_a_hub_without_the_file_is_told_from_no_hub(cache, monkeypatch):
    with server(monkeypatch, {}, []), pytest.raises(MissingData, match=r"could not be downloaded \(.*404") as caught:
        zoo.load(f"timm:{NAME}")
    assert "\n" not in str(caught.value)


def test_other_errors_pass():
    for error in (TypeError("img_size"), RuntimeError("Unknown model"), InputError("bad")):
        with pytest.raises(type(error)), hub.weights("x", wanted=False):
            raise error
    assert not hub._about_weights(RuntimeError("size mismatch"))
    assert hub._about_weights(RuntimeError("Failed to download weights for tag 'openai'"))


def test_weights_by_address(tmp_path, no_network, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(MissingData, match=f"is not on this machine, and {no_network} cannot be reached; .*FILE"):
        checkpoints.fetch(f"{no_network}/some/w.pth", "w.pth")
    with server(monkeypatch, {}, []) as address:
        assert hub.answers(f"{address}/w.pth")  # "not found" is an answer
        with pytest.raises(MissingData, match="could not be downloaded"):
            checkpoints.fetch(f"{address}/some/w.pth", "w.pth")


def test_what_does_not_speak_http_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk():
            heard, _ = listening.accept()
            with heard:
                heard.recv(1 << 12)
                heard.sendall(b"220 mail is spoken here\r\n\r\n")

        threading.Thread(target=talk, daemon=True).start()
        assert not hub.answers(f"http://127.0.0.1:{listening.getsockname()[1]}/w.pth")


def test_a_student_from_a_weights_file(trained, tmp_path):
    from humalign.alignet.pipeline import train

    made, other = tower(f"timm:{NAME}", checkpoint=trained), tower(f"timm:{NAME}", pretrained=False)
    assert set(made.module.state_dict()) == set(other.module.state_dict())
    with pytest.raises(MissingData, match="no such file"):
        tower(f"timm:{NAME}", checkpoint=tmp_path / "gone.pth")
    with pytest.raises(InputError, match="takes no weights file"):
        tower("mini:softmax-resnet-s", checkpoint=trained)
    with pytest.raises(InputError, match="not both"):
        train(None, f"timm:{NAME}", tmp_path, tmp_path, None, tmp_path, scratch=True, checkpoint=trained)


def test_the_image_side_of_a_whole_network(tmp_path):
    import open_clip

    torch.manual_seed(2)
    whole = open_clip.create_model("RN50")
    wanted = whole.visual.state_dict()
    torch.save(whole.state_dict(), tmp_path / "w.pt")
    found = tower("open_clip:RN50", checkpoint=tmp_path / "w.pt").module.state_dict()
    assert all(torch.equal(found[k], wanted[k]) for k in wanted)
    torch.save({k: v[:1] if v.ndim else v for k, v in wanted.items()}, tmp_path / "v.pt")
    with pytest.raises(InputError, match=r"has another shape \(1,.*of 'visual\."):
        tower("open_clip:RN50", checkpoint=tmp_path / "v.pt")


def test_training_starts_from_the_file(trained, tmp_path, capsys):
    from humalign.alignet import dataset, sampling
    from humalign.store import load_arrays

    rng, folder = np.random.default_rng(0), tmp_path / "pictures"
    folder.mkdir()
    names = [f"{k}.png" for k in range(12)]
    for name in names:
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(folder / name)
    groups = sampling.Groups(np.arange(12) % 3)
    path = dataset.write_triplets(tmp_path / "t.npz", 8, "cluster_border", rng.normal(size=(12, 4)), names, groups)
    command = ["alignet", "train", "--student", f"timm:{NAME}", "--images", str(folder), "--triplets", str(path)]
    command += ["--preset", "mini", "--set", "steps=1", "batch=4", "local=0", "lr=1e-9", "decay=0"]
    assert cli.main([*command, "--checkpoint", str(trained), "--out", str(tmp_path / "out")]) == 0
    arrays = load_arrays(tmp_path / "out" / "student.safetensors")[0]
    wanted = tower(f"timm:{NAME}", checkpoint=trained).module.state_dict()
    assert all(np.allclose(arrays[f"tower.{k}"], v, atol=1e-6) for k, v in wanted.items())
    random = [*command, "--checkpoint", str(trained), "--scratch", "--out", str(tmp_path / "out")]
    assert cli.main(random) == 2  # a start is random or from a file

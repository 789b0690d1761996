"""The GPU script runs on any machine at tiny size, and its exit code says what its table says."""

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from benchmarks import gpu  # noqa: E402


def test_gpu_script_on_the_cpu(tmp_path, monkeypatch, capsys):
    tiny = replace(gpu.SMALL, towers=("timm:test_resnet", "timm:test_vit"), triplets=600, strengths=(0.1,), pictures=4)
    monkeypatch.setattr(gpu, "SMALL", tiny)
    assert gpu.main(["--device", "cpu", "--small", "--json", str(tmp_path / "table.json")]) == 0
    written = json.loads((tmp_path / "table.json").read_text("utf8"))
    assert written["card"] == "cpu"
    assert all(row["ok"] for row in written["rows"] if "bound" in row)
    assert sum("bound" in row for row in written["rows"]) == 15 + 4 + 4 * 2 + 1 + 2
    assert all(row["seconds"] > 0 for row in written["rows"] if "seconds" in row)
    assert "All within bounds." in capsys.readouterr().out


@pytest.mark.parametrize("difference", [0.2, float("nan")])
def test_gpu_script_fails_outside_a_bound(difference, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "PARTS", (lambda table, size, device: table.same("probe", difference, 0.1),))
    assert gpu.main(["--device", "cpu", "--small"]) == 1
    assert "Outside their bounds: probe" in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_gpu_script_needs_its_device():
    with pytest.raises(SystemExit, match="2"):
        gpu.main([])

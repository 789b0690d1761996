"""What a profile costs and what a notebook needs: nothing invented or counted twice; cells that say what is missing."""

import json
from pathlib import Path

import numpy as np
import pytest

from humalign.book import costs as plan
from humalign.book import missing, requirements
from humalign.cli import main
from humalign.config import get_profile
from humalign.data import known, registry
from humalign.errors import InputError, MissingData
from humalign.roles import ROLES
from humalign.source import open_source

NOTEBOOKS = sorted(path.stem for path in (Path(__file__).resolve().parents[1] / "notebooks").glob("*.md"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return get_profile("full", data=tmp_path_factory.mktemp("empty"), cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def full(empty):
    return plan.plan(empty)


# ---- the plan --------------------------------------------------------------------------------------------------------


def test_every_data_set_stands_in_the_plan_once(full):
    assert sorted(item.name for item in full.of("data")) == [one.name for one in registry.entries("full")]


def test_unknown_sizes_stay_unknown_and_are_counted(full):
    of = {item.name: item for item in full.of("data")}
    assert registry.entry("levels").bytes is None
    assert of["levels"].bytes is None
    unknown = [item for item in full.of("data") if item.bytes is None]
    assert full.totals["data"]["unknown"] == len(unknown) > 0


def test_shared_files_count_once(full):
    of = {item.name: item for item in full.of("data")}
    one, other = of["cifar100/test"], of["cifar100/train"]  # two halves of one archive
    assert sorted([one.bytes, other.bytes]) == [0, registry.entry("cifar100/train").bytes]
    assert of["breeds/living17"].bytes == 0  # part of ImageNet
    assert full.totals["data"]["bytes"] == sum(item.bytes or 0 for item in full.of("data"))


def test_what_is_had_by_hand_says_so(full):
    of = {item.name: item for item in full.of("data")}
    assert "account" in of["imagenet/train"].by_hand
    assert "authors" in of["cichy2019"].by_hand
    assert of["things/images"].by_hand == of["things/all"].by_hand == ""
    assert not any(item.here for item in full.of("data") if item.name != "things/all")


def test_gpu_hours_follow_from_operations_and_pictures(empty):
    fast = plan.plan(empty, ["zero_shot"], tflops=1e9, rate=1e9)
    slow = plan.plan(empty, ["zero_shot"], tflops=1, rate=1e9)
    decode = plan.plan(empty, ["zero_shot"], tflops=1e9, rate=10)
    assert fast.totals["gpu_hours"] < 1e-3
    public = [item.name for item in slow.of("network") if item.what in ("public weights", "random weights")]
    flop = sum(plan.costs()[name]["flop"] for name in public)
    pictures = 1854 + 50_000  # registry: things/images, cifar100/train
    assert slow.totals["gpu_hours"] == pytest.approx(pictures * flop / 1e12 / 3600, rel=1e-6)
    assert decode.totals["gpu_hours"] == pytest.approx(len(public) * pictures / 10 / 3600, rel=1e-6)


def test_every_public_network_was_counted(full):
    public = [item for item in full.of("network") if item.what in ("public weights", "random weights")]
    assert len(public) > 40
    assert [item.name for item in public if item.bytes is None] == []


def counted(name):
    """Costs of one network, built without weights on torch's meta device: one picture, nothing is computed."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from humalign import zoo

    with torch.device("meta"):
        model = zoo.load(name, pretrained=False)
        picture = torch.empty(1, 3, model.preprocess.size, model.preprocess.size)
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            model.module(picture)
    values = sum(tensor.numel() for tensor in model.module.state_dict().values())
    return {"size": model.preprocess.size, "flop": counter.get_total_flops(), "values": values}


def test_the_counts_are_those_of_the_networks():
    assert counted("resnet18") == plan.costs()["resnet18"]
    assert plan.costs()["resnet18"]["values"] == pytest.approx(11_689_512, rel=1e-3)  # parameters; buffers are few


def test_plan_of_one_notebook(empty):
    found = plan.plan(empty, ["rsa"])
    names = {item.name for item in found.of("data")}
    assert {"cichy2019", "king2019/set1", "king2019/set2/images", "things/images"} <= names
    assert "imagenet/train" not in names
    assert {item.name for item in found.of("features")} >= {"cichy2019/images", "king2019/set1/images"}
    assert not found.of("probing")
    with pytest.raises(InputError, match="'nothing' are not declared"):
        plan.plan(empty, ["nothing"])


def test_command_prints_tables_and_json(tmp_path, capsys):
    asked = ["plan", "--profile", "full", "--data", str(tmp_path), "--notebook", "levels"]
    assert main(asked) == 0
    out = capsys.readouterr().out
    assert "levels/trials" in out
    assert "of unknown size" in out
    assert main([*asked, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    data = {item["name"] for item in said["items"] if item["kind"] == "data"}
    rated = {"levels/alignet_pairs", "levels/validation_ratings", "levels/validation_images"}
    assert data == {"levels", "levels/images", "levels/trials", *rated}
    shown = [item["name"] for item in said["items"] if item["kind"] == "features"]
    assert shown == ["levels/images", "levels/validation_images"]
    assert main(["plan", "--profile", "mini"]) == 0
    assert "nothing to download" in capsys.readouterr().out
    assert main([*asked, "--tflops", "0"]) == 2


def test_commands_of_the_extractions_still_to_do(empty):
    found = plan.plan(empty, ["rsa"], gpus=4).commands
    assert len(found) == len(set(found))
    mine = [line for line in found if " extract resnet18 " in line]
    assert len(mine) == 4  # three arrangement sets and THINGS
    assert all(line.startswith("torchrun --nproc-per-node 4 -m humalign extract") for line in mine)
    assert all("--layers penultimate logits " in line for line in mine)
    assert any("extract mocov2-rn50 " in line and "--layers penultimate --bf16" in line for line in found)
    assert not any(" extract align " in line for line in found)  # no public weights


# ---- needs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_notebook_declares_its_needs(notebook):
    text = Path(__file__).resolve().parents[1].joinpath("notebooks", f"{notebook}.md").read_text("utf8")
    assert f'"{notebook}")' in text.split("requirements.notice(")[1].split("\n")[0]
    for profile in ("slice", "full"):
        wanted = requirements.of_notebook(profile, notebook)
        assert wanted.data or wanted.students or wanted.drawn or wanted.elsewhere
        for name in (*wanted.data, *wanted.also):
            registry.entry(name, profile)  # raises for a name that the profile does not have
        for name in wanted.features:
            assert ROLES[name].pictures


def test_notice_is_one_quiet_line_in_mini():
    said = requirements.notice(get_profile("mini"), "zero_shot")
    assert len(repr(said).splitlines()) == 1
    assert missing.REQUIREMENTS not in said._repr_mimebundle_()[1]


def test_notice_names_what_is_missing_and_how_to_get_it(empty):
    said = requirements.Notice(empty, "zero_shot")
    text = said._repr_mimebundle_()[0]["text/markdown"]
    assert "something is missing" in text
    assert "`humalign data fetch things/all`" in text
    assert "humalign extract MODEL --dataset things/images" in text
    assert "humalign plan --profile full --notebook zero" in text.replace("\\_", "_")


def test_features_of_random_weights_do_not_stand_for_a_trained_network(tmp_path):
    from humalign.features import shards
    from humalign.store import write_json

    profile = get_profile("full", data=tmp_path, cache=tmp_path)
    folder, source = shards.place(tmp_path, "resnet18", "things/images"), open_source(profile)
    about = {"format": shards.FORMAT, "weights": "untrained, seed 0", "n": 2, "shard_size": 2}
    rest = dict.fromkeys(("weights_digest", "dtype", "ids_digest"), "") | {"model": "resnet18", "preprocess": {}}
    rest["layers"] = {"penultimate": {"module": "avgpool", "width": 2}}
    write_json(folder / shards.MANIFEST, {**about, **rest})
    assert source.refused("things") == ["resnet18 (extraction not finished)"]
    shards.write_shard(folder, 0, ["a", "b"], {"penultimate": np.eye(2, dtype=np.float32)})
    assert source.refused("things") == ["resnet18 (random weights)"]
    assert source.models("things") == []
    with pytest.raises(MissingData, match="no features of any network"):
        list(source.features("things", ("penultimate",)))
    write_json(tmp_path / known.MANIFEST, {"rehearsal": True})
    assert source.models("things") == ["resnet18"]


# ---- cells that cannot run -------------------------------------------------------------------------------------------


@pytest.fixture
def shell():
    from IPython.core.interactiveshell import InteractiveShell

    made = InteractiveShell()
    guard = missing.Guard(made)
    made.ast_transformers.append(guard)
    shown = []
    push = {"_humalign_missed": guard.missed, "_humalign_made": guard.made, "_humalign_show": shown.append}
    made.push({**push, "MissingData": MissingData}, interactive=False)
    made.shown = shown
    return made


def test_a_cell_without_its_data_is_noted_and_so_is_what_needs_it(shell, capsys):
    assert shell.run_cell("x = 1\nx + 1").success
    assert shell.shown == [2]
    assert shell.run_cell("x = 5\nraise MissingData('is not here', 'triplets', 'fetch it')\ny = 2").success
    assert "Not computed: triplets: is not here; fetch it" in capsys.readouterr().out
    assert shell.run_cell("x * 2").success  # the old x must not stand for the one that is missing
    assert shell.run_cell("y").success
    assert capsys.readouterr().out.count("Not computed: triplets") == 2
    assert shell.shown == [2]
    assert shell.run_cell("x = 3\nx").success
    assert shell.shown == [2, 3]


@pytest.mark.parametrize("code", ["1 / 0", "never_defined", "raise ValueError('MissingData')"])
def test_other_errors_end_the_run(shell, code, capsys):
    assert not shell.run_cell(code).success


def test_the_note_keeps_the_label_of_a_table():
    note = missing.Missed("x: is not here", "tab-one")
    assert ":name: tab-one" in note._repr_mimebundle_()[0]["text/markdown"]


def test_keys_that_no_cell_glued_are_filled():
    import nbformat

    book = nbformat.v4.new_notebook()
    cell = nbformat.v4.new_code_cell("")
    cell.outputs = [nbformat.v4.new_output("display_data", metadata={missing.REQUIREMENTS: {}})]
    book.cells = [nbformat.v4.new_markdown_cell("{glue:}`one` and {glue:}`two`"), cell]
    glued = nbformat.v4.new_output("display_data", data={"text/plain": "1"}, metadata={"scrapbook": {"name": "one"}})
    cell.outputs.append(glued)
    assert missing.fill(book) == 1
    assert book.cells[-1].outputs[0].metadata["scrapbook"]["name"] == "two"
    cell.outputs = [glued]  # in mini a forgotten key stays an error of the build
    assert missing.fill(book) == 0

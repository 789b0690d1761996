"""Every data set's layout, written tiny: each loads, verifies, aligns by name, and refuses ten kinds of damage."""

import io
import json
import pickle
import shutil

import numpy as np
import pytest
import rehearsal
import scipy.io

from humalign.config import get_profile
from humalign.data import known, registry, things
from humalign.data.multi_arrangement import square
from humalign.data.types import ConceptEmbedding, Features, HumanRDM, Stimuli, Triplets
from humalign.data.verify import verify, verify_one
from humalign.errors import InputError

PICTURES = (".webp", ".jpg", ".jpeg", ".png", ".tif")
HTML = b"<!DOCTYPE html><html><body>404 Not Found: 12 34 56</body></html>\n"


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    root = rehearsal.write(tmp_path_factory.mktemp("rehearsal") / "data")
    return get_profile("full", data=root, cache=root.parent / "cache")


def one_line(text):
    assert "\n" not in text
    assert ";" in text, text  # problem; remedy
    assert ": " in text, text  # where: problem


# ---------------------------------------------------------------------------------------------- all entries


def test_every_entry_of_the_full_profile_is_read_and_verified(profile):
    reports = verify(profile)
    assert {r.name for r in reports} == {e.name for e in registry.entries("full")}
    bad = {r.name: r.problems for r in reports if r.status != "ok"}
    assert not bad
    assert set(registry.available(profile)) == {e.name for e in registry.entries(profile)}


def test_the_issue_s_data_sets_have_entries():
    names = {e.name for e in registry.entries()}
    needed = """things/images things/object_images things/train_90 things/test_10 things/trainset things/validationset
    things/testset1 things/testset2 things/testset2_repeat things/testset3 things/large things/concepts
    things/categories_53 things/categories_27 things/vice_42 things/vice_44 things/vice_45 things/spose_49
    things/spose_66 cichy2019 king2019/set1 king2019/set2
    peterson/animals peterson/automobiles peterson/fruits peterson/furniture peterson/various
    peterson/vegetables mur92 cifar100/coarse_triplets levels alignet/representations alignet/clusters
    levels/validation_ratings imagenet/train imagenet/val imagenet_a breeds/entity13 breeds/entity30 breeds/living17
    breeds/nonliving26 caltech101 cars196 cifar100/train dtd pets ucmerced"""
    assert set(needed.split()) <= names
    assert sum(name.startswith(("alignet/uncertainty", "alignet/untransformed")) for name in names) == 2 * 2 * 5


def test_every_entry_says_where_it_comes_from():
    for entry in registry.entries():
        assert entry.title
        assert entry.source
        assert entry.licence
        assert entry.files, entry.name
        from humalign.data.describe import describe_text, open_downloads

        told = describe_text(entry, get_profile("full", data=None))
        assert "to get it" in told, entry.name
        assert open_downloads(entry) or entry.steps or "import" in told


# ---------------------------------------------------------------------------------------------- content by layout


def test_row_orders_meet_by_name(profile):
    vice, spose = registry.load("things/vice_42", profile), registry.load("things/spose_49", profile)
    assert vice.ids == spose.ids == rehearsal.CONCEPTS
    np.testing.assert_allclose(vice.values, spose.values, atol=1e-5)  # one latent embedding, two orders on disk
    lying = np.load(profile.data / "things/embeddings/vice_42d.npy")
    assert not np.allclose(lying, spose.values)


def test_orders_by_rule_equal_the_map(profile):
    maps = registry.load("things/orders", profile)
    for order in things.ORDERS:
        assert things.in_order(rehearsal.CONCEPTS, order, maps) == things.in_order(rehearsal.CONCEPTS, order)


def test_the_large_table_is_made_0_based_with_the_odd_one_last(profile):
    large = registry.load("things/large", profile)
    path = profile.data / "things/triplets/triplets_large_final_correctednc_correctedorder.csv"
    first = path.read_text().splitlines()[1].split("\t")
    shown = [int(v) - 1 for v in first[:3]]
    odd = shown.pop(int(first[3]) - 1)
    assert large.triplets[0].tolist() == [*shown, odd]
    assert large.participants[0] == first[6]
    assert large.ids == rehearsal.CONCEPTS


def test_text_triplets_equal_npy_triplets(profile, tmp_path):
    both = registry.load("things/train_90", profile)
    root = tmp_path / "data"
    shutil.copytree(profile.data / "things/concepts", root / "things/concepts")
    (root / "things/triplets").mkdir()
    (root / known.MANIFEST).write_text('{"rehearsal": true}')
    np.savetxt(root / "things/triplets/train_90.txt", both.triplets, fmt="%d")
    again = registry.load("things/train_90", get_profile("full", data=root))
    assert again.checksum == both.checksum


def test_paper_1_reads_train_then_test(profile):
    everything = registry.load("things/all", profile)
    parts = [registry.load(name, profile).triplets for name in ("things/train_90", "things/test_10")]
    np.testing.assert_array_equal(everything.triplets, np.vstack(parts))
    assert everything.meta["which"] == "train_90 and test_10 of paper 1"
    assert everything.meta["parts"] == [900, 100]


def copied(profile, root, names):
    """A folder with some of the tiny files, under other names where a pair is given."""
    (root / "things").mkdir(parents=True)
    (root / known.MANIFEST).write_text('{"rehearsal": true}')
    shutil.copytree(profile.data / "things/concepts", root / "things/concepts")
    for name in names:
        old, new = (name, name) if isinstance(name, str) else name
        (root / "things" / new).parent.mkdir(exist_ok=True)
        shutil.copy(profile.data / "things" / old, root / "things" / new)
    return get_profile("full", data=root)


TRAIN, TENTH = "triplets/train_90.npy", "triplets/data1854_batch5_test10.txt"
DATA = ("triplets/trainset.txt", "triplets/validationset.txt")


@pytest.mark.parametrize(
    ("names", "which", "n"),
    [
        ((TRAIN, "triplets/test_10.npy", *DATA, TENTH), "train_90 and test_10 of paper 1", 1000),
        ((TRAIN, *DATA, TENTH), "trainset and validationset of THINGS-data", 1100),
        ((DATA[0], TENTH), "the public tenth of the responses of paper 1", 100),
    ],
)
def test_stand_ins_come_in_their_order_and_are_named(profile, tmp_path, names, which, n):
    own = copied(profile, tmp_path / "data", names)
    found = registry.load("things/all", own)
    assert found.meta["which"] == which
    assert len(found) == n == sum(found.meta["parts"])
    last = registry.load(f"things/{'public_tenth' if 'tenth' in which else 'validationset'}", own)
    if n != 1000:  # aligned by name, whatever the order on disk
        names_of = np.array(found.ids)[found.triplets][-len(last) :]
        assert (names_of == np.array(last.ids)[last.triplets]).all()


def test_the_public_split_stands_in_for_the_files_of_paper_1(profile, tmp_path):
    public = [f"triplets/behavior_triplets_{name}.txt" for name in ("train90", "test10")]
    own = copied(profile, tmp_path / "data", [(DATA[0], public[0]), (DATA[1], public[1])])
    found = registry.load("things/all", own)
    assert found.meta["which"] == "a public split of the responses of paper 1"
    assert found.meta["row_order"] == "raw"
    assert registry.load("things/train_90", own).meta["file"] == "behavior_triplets_train90.txt"
    shutil.copy(profile.data / "things" / TRAIN, own.data / "things" / TRAIN)  # the papers' own comes first
    assert registry.load("things/train_90", own).meta["file"] == "train_90.npy"


def test_doubt_comes_from_what_is_there(profile, tmp_path):
    own = copied(
        profile, tmp_path / "data", [*DATA, "probas/probabilities_all_triplets.npy", "embeddings/vice_42d.npy"]
    )
    found = registry.load("things/entropies", own)  # 1,000 probabilities for 1,100 triplets
    assert found["which"] == "the mean VICE embedding with 42 dimensions"
    assert found["entropies"].shape == (1100,)
    vice, triplets = registry.load("things/vice_42", own), registry.load("things/all", own)
    a, b, odd = (vice.align(triplets.ids).values[triplets.triplets[0, k]] for k in range(3))
    logits = np.array([a @ b, a @ odd, b @ odd], float)
    p = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    np.testing.assert_allclose(found["probabilities"][0], p, rtol=1e-5)
    shutil.copy(profile.data / "things/embeddings/vice_44d.npy", own.data / "things/embeddings/vice_44d.npy")
    assert registry.load("things/entropies", own)["which"].endswith("44 dimensions")
    assert registry.load("things/entropies", profile)["which"] == "VICE's published probabilities"
    (note,) = verify_one(registry.entry("things/vice_probabilities"), own).notes
    assert "has 1000 rows, the triplets at hand 900 + 200" in note


def test_responses_that_vice_predicts_are_rebuilt(profile, tmp_path):
    names = [TRAIN, "triplets/test_10.npy", "probas/probabilities_all_triplets.npy"]
    own = copied(profile, tmp_path / "data", names)
    found, everything = registry.load("things/correct_triplets", own), registry.load("things/all", own)
    chosen = np.load(own.data / "things/probas/probabilities_all_triplets.npy").argmax(1) == 0
    np.testing.assert_array_equal(found.triplets, everything.triplets[chosen])


def test_verification_tells_when_triplets_lie_in_another_row_order(profile, damaged):
    swapped = things.in_order(rehearsal.CONCEPTS, "raw")
    table = np.loadtxt(profile.data / "things/triplets/test_10_ID.txt", dtype=int)[:, :3]
    many = np.array([swapped.index(rehearsal.CONCEPTS[k]) for k in range(len(swapped))])[table]
    with damaged("things/triplets/testset1.txt") as path:
        np.savetxt(path, many, fmt="%d")
        problems = verify_one(registry.entry("things/testset1"), profile).problems
        assert any("raw order" in line for line in problems)
        kept = (profile.data / known.MANIFEST).read_text()
        (profile.data / known.MANIFEST).write_text('{"rehearsal": true, "row_order": {"things/testset1": "raw"}}')
        assert verify_one(registry.entry("things/testset1"), profile).status == "ok"
        declared = '{"rehearsal": true, "row_order": {"things/testset1": "python"}}'
        (profile.data / known.MANIFEST).write_text(declared)
        assert verify_one(registry.entry("things/testset1"), profile).status == "problem"
        np.savetxt(path, many[:200], fmt="%d")  # too few to tell "python" from "raw"
        assert verify_one(registry.entry("things/testset1"), profile).status == "ok"
        (profile.data / known.MANIFEST).write_text(kept)


def test_verification_tells_1_based_indices_and_other_columns(profile, damaged):
    entry = registry.entry("things/testset1")
    table = np.loadtxt(profile.data / "things/triplets/test_10_ID.txt", dtype=int)[:, :3]
    with damaged("things/triplets/testset1.txt") as path:
        np.savetxt(path, table[(table < len(rehearsal.CONCEPTS) - 2).all(1)] + 1, fmt="%d")
        assert any("indices look 1-based" in line for line in verify_one(entry, profile).problems)
        np.savetxt(path, table[:, [2, 0, 1]], fmt="%d")
        assert any("odd one looks to be in column 0" in line for line in verify_one(entry, profile).problems)


def test_king_vector_is_the_upper_triangle_read_by_rows(profile):
    vector = np.arange(1.0, 7.0)[None]
    assert square(vector, 4)[0].tolist() == [[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]]
    assert square(vector, 4, "lower")[0].tolist() == [[0, 1, 2, 4], [1, 0, 3, 5], [2, 3, 0, 6], [4, 5, 6, 0]]
    rdm = registry.load("king2019/set1", profile)
    np.testing.assert_allclose(rdm.rdm, rdm.rdm.transpose(0, 2, 1))
    same = np.equal.outer(np.arange(12) // 3, np.arange(12) // 3) & ~np.eye(12, dtype=bool)
    off = ~np.eye(12, dtype=bool) & ~same
    assert rdm.mean()[same].mean() < 0.5 * rdm.mean()[off].mean()


def test_a_lower_triangle_vector_is_noticed(profile, damaged):
    rdm = registry.load("king2019/set1", profile)
    rows, columns = np.tril_indices(12, -1)
    with damaged("king2019/sim_judgements/BEHAVIOR.mat") as path:
        vectors = rdm.rdm[:, rows, columns]
        scipy.io.savemat(path, {"BEHAVIOR": {w: {"pairwisedistances": vectors} for w in ("set1", "set2")}})
        (line,) = verify_one(registry.entry("king2019/set1"), profile).problems
        assert "triangle" in line


def test_cichy_and_peterson_follow_sorted_file_names(profile):
    cichy = registry.load("cichy2019", profile)
    assert cichy.ids == tuple(f"{k:03d}" for k in range(1, 13))
    assert cichy.ids == registry.load("cichy2019/images", profile).ids
    fruits = registry.load("peterson/fruits", profile)
    table = (profile.data / "peterson/fruits/sim_judgements/fruits_pairs.csv").read_text().splitlines()[1].split(",")
    i, j = fruits.ids.index(table[0][:2]), fruits.ids.index(table[1][:2])
    assert fruits.rdm[i, j] == pytest.approx(10 - float(table[2]))


def test_imagenet_validation_labels_come_from_the_devkit(profile, damaged):
    val, train = registry.load("imagenet/val", profile), registry.load("imagenet/train", profile)
    assert sorted(set(val.concepts)) == sorted(set(train.concepts)) == list(rehearsal.SYNSETS)
    by_kit = dict(zip(val.ids, val.concepts))
    lines = [f"{name} {rehearsal.SYNSETS.index(synset)}" for name, synset in by_kit.items()]
    kit = profile.data / "imagenet/ILSVRC2012_devkit_t12"
    with damaged("imagenet/ILSVRC2012_devkit_t12"):
        shutil.rmtree(kit)
        listed = profile.data / "imagenet/val.txt"
        listed.write_text("\n".join(lines) + "\n")
        again = registry.load("imagenet/val", profile)
        listed.unlink()
    assert dict(zip(again.ids, again.concepts)) == by_kit
    # the older arrangement in class folders gives the same answer
    with damaged("imagenet/val") as folder:
        for name, synset in by_kit.items():
            (folder / synset).mkdir(exist_ok=True)
            (folder / name).rename(folder / synset / name)
        folders = registry.load("imagenet/val", profile)
    assert dict(zip(folders.ids, folders.concepts)) == by_kit


def test_breeds_source_and_target_share_superclasses_not_classes(profile):
    stimuli = registry.load("breeds/living17", profile)
    domain, wnid = np.array(stimuli.meta["domain"]), np.array(stimuli.meta["wnid"])
    assert set(domain) == {"source", "target"}
    assert not set(wnid[domain == "source"]) & set(wnid[domain == "target"])
    concepts = np.array(stimuli.concepts)
    assert set(concepts[domain == "source"]) == set(concepts[domain == "target"])


def test_breeds_needs_every_class_since_places_number_them(profile, damaged):
    with damaged("imagenet/val") as folder:
        stimuli = registry.load("imagenet/val", profile)
        for name, synset in zip(stimuli.ids, stimuli.concepts):
            if synset == rehearsal.SYNSETS[0]:
                (folder / name).unlink()
        with pytest.raises(InputError, match="shows 23 of 24 classes"):
            registry.load("breeds/living17", profile)


def test_facts_of_single_rows_follow_their_rows(profile):
    features = registry.load("things_eeg2/clip_vit_l14", profile)
    turned = features.align(features.ids[::-1])
    assert turned.meta["images"] == features.meta["images"][::-1]


def test_the_sets_of_the_large_table_are_numbers(profile, damaged):
    assert set(registry.load("things/large", profile).level) == set("0123")
    name = "things/triplets/triplets_large_final_correctednc_correctedorder.csv"
    with damaged(name) as path:
        head, first, *rest = path.read_text().splitlines()
        cells = first.split("\t")
        cells[5] = "yes"
        path.write_text("\n".join([head, "\t".join(cells), *rest]) + "\n")
        with pytest.raises(InputError, match="noise_ceiling holds text"):
            registry.load("things/large", profile)


def test_the_archive_of_all_images_may_wrap_them(profile, damaged):
    whole = registry.load("things/object_images", profile)
    with damaged("things/object_images") as folder:
        folder.rename(folder.with_name("aside"))
        folder.mkdir()
        folder.with_name("aside").rename(folder / "images")
        assert registry.load("things/object_images", profile).ids == whole.ids


def test_ratings_without_the_distances_of_networks(profile, damaged):
    whole = registry.load("levels/validation_ratings", profile)
    with damaged("levels/max_divergence_top_100_of_1.csv") as path:
        path.unlink()
        found = registry.load("levels/validation_ratings", profile)
    assert list(found) == ["participant", "image1", "image2", "response", "slider"]
    assert found.equals(whole[list(found)])


def test_representations_under_the_keys_of_their_file(profile, damaged):
    whole, groups = registry.load("alignet/representations", profile), registry.load("alignet/clusters", profile)
    with damaged("alignet/representations.npz") as path:
        arrays = {"embeddings": whole.values, "kmeans500": groups["cluster"].to_numpy()}
        np.savez(path, **arrays)  # the names come from alignet/filenames
        assert registry.load("alignet/representations", profile).ids == whole.ids
        np.savez(path, **arrays, image_ids=np.array(whole.ids))
        assert registry.load("alignet/clusters", profile).equals(groups)
        np.savez(path, **arrays, more=whole.values)
        with pytest.raises(InputError, match="has no array called representations"):
            registry.load("alignet/representations", profile)


def test_levels_sessions_become_trials(profile, damaged):
    frame = registry.load("levels", profile)
    assert frame["participant"].nunique() == 5
    assert (frame["kind"] == "catch").sum() == 15
    assert frame["selected"].isna().sum() == 1
    answered = frame.dropna(subset=["selected"])
    assert answered["seconds"].between(0.8, 6).all()  # milliseconds became seconds
    catch = frame[frame["kind"] == "catch"]
    assert (catch["selected"] == catch["correct"]).all()
    from humalign.levels import check_trials

    check_trials(frame)
    # the same trials as a table, and as one JSON list a session
    folder = profile.data / "levels/raw_data"
    with damaged("levels/raw_data"):
        for path in folder.iterdir():
            path.write_text(json.dumps([json.loads(line) for line in path.read_text().splitlines()]))
        assert registry.load("levels", profile).equals(frame)
        shutil.rmtree(folder)
        table = profile.data / "levels/levels_trials.csv"
        frame.to_csv(table, index=False)
        again = registry.load("levels", profile)
        table.unlink()
    assert again["selected"].fillna("").tolist() == frame["selected"].fillna("").tolist()


def test_levels_trials_as_triplets(profile):
    frame, triplets = registry.load("levels", profile), registry.load("levels/triplets", profile)
    answered = frame[(frame["kind"] == "trial") & frame["selected"].notna()]
    assert len(triplets) == len(answered) == 119
    names = np.array(triplets.ids)[triplets.triplets]
    assert names[:, 2].tolist() == answered["selected"].tolist()
    shown = answered[["image1", "image2", "image3"]].to_numpy()
    assert (np.sort(names, 1) == np.sort(shown.astype(str), 1)).all()
    assert triplets.level.tolist() == answered["level"].tolist()


def test_breeds_without_its_lists_or_pictures_is_missing_not_damaged(profile, damaged):
    one = registry.entry("breeds/living17")
    for name in ("tables/breeds.json", "imagenet/val"):
        with damaged(name) as path:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            assert verify_one(one, profile).status == "missing"
    assert verify_one(one, profile).status == "ok"


def test_training_images_alone_are_no_damaged_pictures_of_levels(profile, damaged):
    one = registry.entry("levels/images")
    with damaged("levels/raw_data"):
        shutil.rmtree(profile.data / "levels/raw_data")
        assert verify_one(one, profile).status == "missing"
    with damaged("imagenet/train"):
        shutil.rmtree(profile.data / "imagenet/train")
        assert verify_one(one, profile).status == "missing"
    assert verify_one(one, profile).status == "ok"


def test_the_public_animals_are_met_by_the_numbers_of_their_pictures(profile, damaged):
    """As published: a folder in the archive, numbers that are not padded, more pictures than rated ones, batches."""
    from PIL import Image

    whole = registry.load("peterson/animals", profile)
    numbers = np.array([7, 19, 35, 101, 102, 110], dtype=np.uint16)
    similarity = 10 - np.asarray(whole.mean())
    with (
        damaged("peterson/animals/images") as images,
        damaged("peterson/animals/sim_judgements", "judgements") as rated,
    ):
        for folder in (images, rated):
            shutil.rmtree(folder)
            folder.mkdir()
        (images / "animals").mkdir()
        for number in (3, *numbers, 111):
            Image.new("RGB", (8, 8), (int(number), 0, 0)).save(images / f"animals/{number}.png")
        content = {"animals_big_idx": numbers[None], "simMatrixFirstBatch": similarity / 2, "simMatrix": similarity}
        scipy.io.savemat(rated / "turkResults_CogSci2016.mat", content)
        found = registry.load("peterson/animals", profile)
        assert found.ids == ("7", "19", "35", "101", "102", "110")  # sorted as text, 101 would come first
        np.testing.assert_allclose(found.mean(), whole.mean())
        assert len(registry.load("peterson/animals/images", profile)) == 8
        (images / "animals/19.png").unlink()
        with pytest.raises(InputError, match="rates image 19, which the folder does not hold"):
            registry.load("peterson/animals", profile)


def test_peterson_pickle_stays_closed(profile, damaged):
    with damaged("peterson/fruits/sim_judgements") as folder:
        (folder / "fruits_pairs.csv").unlink()
        (folder / "fruits_mturkRESULTS_all.pickle").write_bytes(pickle.dumps({"1,2": [3]}))
        with pytest.raises(InputError, match=r"never loaded; convert it .* CSV") as caught:
            registry.load("peterson/fruits", profile)
    one_line(str(caught.value))


def test_levels_come_from_the_processed_pickle_too(profile, damaged):
    whole = registry.load("levels", profile)
    folder = profile.data / "levels/raw_data"
    people = {path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in folder.iterdir()}
    for trials in people.values():
        for trial in trials:
            trial["rt"] = np.int64(trial["rt"])
    with damaged("levels/raw_data"):
        shutil.rmtree(folder)
        for name in ("pruned_dataset.pkl", "pruned_processed_dataset.pkl"):
            path = profile.data / "levels/processed_data" / name
            path.parent.mkdir()
            path.write_bytes(pickle.dumps(people))
            found = registry.load("levels", profile)
            order = ["participant", "image1", "image2", "image3"]
            for frame in (found, whole):
                frame["selected"] = frame["selected"].fillna("")
            left, right = (f.sort_values(order, ignore_index=True).drop(columns="correct") for f in (found, whole))
            assert left.equals(right)
            shutil.rmtree(path.parent)


def test_a_levels_pickle_that_tries_more_is_refused(profile, damaged):
    marker = profile.data / "opened"

    class Trap:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    with damaged("levels/raw_data"):
        shutil.rmtree(profile.data / "levels/raw_data")
        path = profile.data / "levels/processed_data/pruned_dataset.pkl"
        path.parent.mkdir()
        lines = []
        for content in (Trap(), {"p": Trap()}, [1], {}, {"p": 3}, {"p": [3]}, {"p": [{"exp_trial_type": "exp_trial"}]}):
            path.write_bytes(pickle.dumps(content))
            with pytest.raises(InputError) as caught:
                registry.load("levels", profile)
            lines.append(str(caught.value))
        shutil.rmtree(path.parent)
    for line in lines:
        one_line(line)
    assert "nothing of it was executed" in lines[0]
    assert not marker.exists()


def test_validation_study_tells_pilots_from_the_slider(profile):
    frame = registry.load("levels/validation_ratings", profile)
    assert set(frame.loc[frame["participant"] == "subject_3", "slider"]) == {"1-10"}
    assert set(frame.loc[frame["participant"] != "subject_3", "slider"]) == {"1-5"}
    means = frame[frame["slider"] == "1-5"].groupby("closer")["response"].mean()
    assert means["alignet"] > means["unalignet"]


def test_words_on_other_screens_do_not_spoil_the_ratings(profile, damaged):
    whole = registry.load("levels/validation_ratings", profile)
    with damaged("levels/AligNet_Human_Validation_results.csv") as path:
        text = path.read_text() + "subject_0,survey,I liked it,,\n"
        path.write_text(text)
        assert registry.load("levels/validation_ratings", profile).equals(whole)
        path.write_text(text.replace("exp_trial,4,", "exp_trial,four,", 1))
        with pytest.raises(InputError, match="responses are not numbers"):
            registry.load("levels/validation_ratings", profile)


def test_alignet_order_is_checked_and_reported(profile, damaged):
    name = "alignet/untransformed/val_within_class"
    file = registry.load(name, profile)
    assert len(file) == 40
    assert not any(file.order.values())
    with damaged(f"{name}.npz") as path:
        arrays = dict(np.load(path))
        arrays["similarities"][:10] = arrays["similarities"][
            :10, [1, 0, 2]
        ]  # s02 largest: only the stricter rule breaks
        np.savez(path, **arrays)
        report = verify_one(registry.entry(name), profile)
        assert report.status == "ok"
        assert any("25.00% of rows break s01 >= s02" in note for note in report.notes)
        arrays["similarities"][:10] = arrays["similarities"][:10, ::-1]  # now the last image is not the odd one
        np.savez(path, **arrays)
        report = verify_one(registry.entry(name), profile)
        assert any("not the odd one out" in line for line in report.problems)


def test_coarse_triplets_follow_the_published_draws(profile):
    from humalign.data.cifar import generate

    triplets = registry.load("cifar100/coarse_triplets", profile)
    coarse = np.array(registry.load("cifar100/train", profile).meta["coarse"])
    a, b, odd = (coarse[triplets.triplets[:, k]] for k in range(3))
    assert (a == b).all()
    assert (a != odd).all()
    assert len(triplets) + triplets.meta["dropped"] == 50000
    # the reference draws with the module-level generator of Python, one triplet after the other
    import random

    labels = np.arange(60) % 5
    random.seed(0)
    lists = []
    for label in range(5):
        lists.append(np.flatnonzero(labels == label).tolist())
        random.shuffle(lists)
    expected = []
    for _ in range(50):
        same = random.choice(range(5))
        other = random.choice([k for k in range(5) if k != same])
        expected.append([random.choice(lists[same]), random.choice(lists[same]), random.choice(lists[other])])
    assert generate(labels, 50).tolist() == expected


def test_counts_that_differ_from_the_published_ones_are_reported(profile, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(profile.data / "things", root / "things")  # no manifest: not a rehearsal any more
    own = get_profile("full", data=root)
    lines = verify_one(registry.entry("things/images"), own).problems
    assert any("truncated or altered" in line for line in lines)  # the concepts have a published checksum
    (root / known.MANIFEST).write_text(
        json.dumps(
            {"sha256": {"things/concepts/things_concepts.tsv": _sha(root / "things/concepts/things_concepts.tsv")}}
        )
    )
    known.file_digest.cache_clear()
    (line,) = verify_one(registry.entry("things/images"), own).problems
    assert "has 30 images, 1854 are expected" in line


def _sha(path):
    from humalign.store import sha256

    return sha256(path)


# ---------------------------------------------------------------------------------------------- ten kinds of damage


@pytest.fixture
def damaged(profile, tmp_path):
    """A context in which a file or folder may be spoilt; afterwards it is as before."""
    import contextlib

    @contextlib.contextmanager
    def spoil(name, aside="kept"):
        path = profile.data / name
        kept = tmp_path / aside
        shutil.copytree(path, kept) if path.is_dir() else shutil.copy2(path, kept)
        try:
            yield path
        finally:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            shutil.move(kept, path)

    return spoil


def raw_damages(path):
    """What can happen to any file."""
    whole = path.read_bytes()
    yield "gone", None
    yield "empty", b""
    yield "a web page", HTML
    yield "noise", bytes(range(256)) * 3
    yield "a pickle", pickle.dumps({"a": [1, 2, 3]})
    if path.suffix in (".npy", ".npz", ".mat", ".bin"):
        yield "cut short", whole[: len(whole) * 2 // 3 - 1]


def saved(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped(arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def matlab(content):
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, content)
    return buffer.getvalue()


def texts(rows):
    rows = [[row] for row in rows] if rows.ndim == 1 else rows
    return ("\n".join(" ".join(str(v) for v in row) for row in rows) + "\n").encode()


def triplet_damages(table, write, m):
    def changed(row, column, value):
        copy = table.astype(object if isinstance(value, str) else type(value)).copy()
        copy[row, column] = value
        return write(copy)

    yield "two columns", write(table[:, :2])
    yield "a column too many", write(np.column_stack([table, table[:, :1]]))
    yield "half an index", changed(1, 0, 0.5)
    yield "not a number", changed(2, 1, float("nan"))
    yield "negative", changed(3, 2, -1)
    yield "past the objects", changed(4, 0, m)
    one_based = table.copy() + (np.arange(table.shape[1]) < 3)
    yield "1-based", write(one_based)
    yield "one object twice", changed(5, 1, int(table[5, 0]))
    yield "no rows", write(table[:0])


def matrix_damages(values, write):
    def changed(value):
        copy = values.copy()
        copy.reshape(len(copy), -1)[1, 0] = value
        return write(copy)

    yield "a row too few", write(values[:-1])
    yield "a row too many", write(np.concatenate([values, values[:1]]))
    yield "turned round", write(np.swapaxes(values, 0, -1)[..., :3])
    yield "NaN", changed(np.nan)
    yield "infinite", changed(np.inf)
    yield "constant", write(np.ones_like(values))
    yield "one long row", write(values.reshape(-1))
    yield "text", saved(values.astype(str)) if write is saved else texts(np.full((3, 2), "word"))


def table_damages(path, sep):
    lines = path.read_text().splitlines()
    head, body = lines[0], lines[1:]
    yield "header only", f"{head}\n".encode()
    yield "no header", ("\n".join(body) + "\n").encode()
    yield "another separator", path.read_text().replace(sep, "|").encode()
    yield "columns renamed", "\n".join([sep.join(f"x{k}" for k in range(head.count(sep) + 1)), *body]).encode()
    yield "more cells than columns", "\n".join([head, body[0], body[1] + 5 * (sep + "x"), *body[2:]]).encode()
    yield "first column doubled", "\n".join([head, body[0], body[0].split(sep)[0] + sep + body[1], *body[2:]]).encode()


def mat_damages(content):
    def each(change):
        copy = {key: change(value) for key, value in content.items()}
        return matlab(copy)

    yield "variables renamed", matlab({f"x{k}": value for k, value in enumerate(content.values())})
    yield "text for numbers", matlab(dict.fromkeys(content, "text"))
    yield "one number", matlab(dict.fromkeys(content, 1.0))
    yield "nothing in it", each(lambda v: np.zeros((0, 0)))
    yield "a wrong structure", matlab({key: {"other": 1.0} for key in content})
    yield "a cube", each(lambda v: np.zeros((2, 3, 4)))


def npz_damages(arrays):
    for key in arrays:
        yield f"no {key}", zipped({k: v for k, v in arrays.items() if k != key})
    for key, value in arrays.items():
        if value.ndim and len(value) > 1:
            yield f"{key} shorter", zipped({**arrays, key: value[:-1]})
        yield f"{key} objects", zipped({**arrays, key: np.array([{"a": 1}], dtype=object)})
        if value.dtype.kind == "f":
            spoilt = np.array(value, copy=True)
            spoilt.reshape(-1)[:1] = np.nan
            yield f"{key} NaN", zipped({**arrays, key: spoilt})


def folder_damages(folder):
    """Ways to spoil a folder of pictures; each is a function of the folder."""

    def pictures(root):
        return sorted(p for p in root.rglob("*") if p.suffix.lower() in PICTURES and "BACKGROUND" not in str(p))

    def write(data):
        return lambda root: pictures(root)[1].write_bytes(data)

    def to_file(root):
        shutil.rmtree(root)
        root.write_text("x")

    def only_notes(root):
        for path in pictures(root):
            path.rename(path.with_suffix(".notes"))

    def cut(root):
        path = pictures(root)[1]
        path.write_bytes(path.read_bytes()[:120])

    def same_name(root):
        path = pictures(root)[0]
        other = {".jpg": ".jpeg", ".jpeg": ".jpg", ".png": ".jpg", ".tif": ".tiff", ".webp": ".png"}[
            path.suffix.lower()
        ]
        shutil.copy(path, path.with_suffix(other))

    def one_gone(root):
        pictures(root)[0].unlink()

    def link(root):
        path = pictures(root)[1]
        path.unlink()
        path.symlink_to("nowhere.jpg")

    yield "gone", shutil.rmtree
    yield "a file instead", to_file
    yield "empty", lambda root: [shutil.rmtree(p) if p.is_dir() else p.unlink() for p in list(root.iterdir())]
    yield "no pictures", only_notes
    yield "an empty picture", write(b"")
    yield "a web page for a picture", write(HTML)
    yield "a picture cut short", cut
    yield "a pickle for a picture", write(pickle.dumps([1, 2]))
    yield "two pictures of one name", same_name
    yield "a link to nowhere", link
    yield "one picture gone", one_gone


def specific(name, path):  # noqa: C901 (a list of kinds of file)
    """Damages of content, by kind of file."""
    m = len(rehearsal.CONCEPTS)
    if "/triplets/" in name and path.suffix == ".npy":
        yield from triplet_damages(np.load(path), saved, m)
    elif path.name == "cifar100_coarse_triplets.npy":
        yield from triplet_damages(np.load(path), saved, 160)
    elif ("/triplets/" in name or "/llm/" in name) and path.suffix == ".txt":
        yield from triplet_damages(np.loadtxt(path, dtype=int), texts, m)
    elif path.name == "imagenet2012_filenames.npy":
        names = np.load(path)
        yield "a name twice", saved(np.r_[names, names[:1]])
        yield "an empty name", saved(np.r_[names, [""]])
        yield "numbers", saved(np.arange(5))
        yield "two columns", saved(np.stack([names, names], 1))
        yield "objects", saved_objects()
    elif path.suffix == ".npy" and "probas" not in name and "entropies" not in name:
        yield from matrix_damages(np.load(path), saved)
        yield "objects", saved_objects()
    elif path.suffix == ".txt" and "embeddings" in name:
        yield from matrix_damages(np.loadtxt(path), texts)
    elif path.suffix == ".npy":
        yield from share_damages(np.load(path))
    elif path.suffix == ".bin":
        yield from record_damages(path.read_bytes())
    elif path.name.endswith("label_names.txt"):
        lines = path.read_text().splitlines()
        yield "a class twice", "\n".join([*lines, lines[0]]).encode()
        yield "a class too few", "\n".join(lines[:-1]).encode()
    elif path.suffix == ".json":
        yield from json_damages(path)
    elif path.name == "category_mat_manual_27.tsv":
        yield from flag_damages(path)
    elif path.suffix == ".npz":
        damages = npz_damages(dict(np.load(path)))
        # AligNet's list of file names stands in for those of the representations
        yield from ((what, data) for what, data in damages if "representations" not in name or what != "no filenames")
    elif path.suffix == ".mat":
        content = {k: v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__")}
        yield from mat_damages(content)
    elif path.suffix in (".csv", ".tsv") and path.name != "category_mat_manual_27.tsv":
        sep = "\t" if "\t" in path.read_text().splitlines()[0] else ";" if ";" in path.read_text() else ","
        yield from table_damages(path, sep)


def share_damages(values):
    """Probabilities (n, 3) or entropies (n,)."""

    def changed(value):
        copy = values.copy()
        copy.reshape(-1)[4] = value
        return saved(copy)

    yield "negative", changed(-0.5)
    yield "above what is possible", changed(3.0)
    yield "NaN", changed(np.nan)
    yield "infinite", changed(np.inf)
    yield "another shape", saved(values.reshape(-1, 2))
    yield "whole numbers", saved(values.astype(int))
    yield "text", saved(values.astype(str))
    yield "objects", saved_objects()


def record_damages(whole):
    from humalign.data.cifar import RECORD

    yield "a byte too many", whole + b"x"
    yield "a record without its labels", whole[2:]
    yield "unknown coarse label", bytes([200]) + whole[1:]
    yield "unknown fine label", whole[:1] + bytes([200]) + whole[2:]
    yield "a fine class in two coarse ones", bytes([3]) + whole[1:]
    yield "records missing", whole[: -3 * RECORD]


def json_damages(path):
    text = path.read_text()
    content = json.loads(text) if path.parent.name != "raw_data" else None
    yield "cut short", text[: len(text) * 2 // 3].encode()
    yield "a list of numbers", b"[1, 2, 3]"
    yield "one number", b"7"
    yield "nothing in it", b"{}"
    if content is None:  # a session of Levels
        trials = [json.loads(line) for line in text.splitlines()]

        def changed(**values):
            rows = [*trials[:2], {**trials[2], **values}, *trials[3:]]
            return "\n".join(json.dumps({k: v for k, v in row.items() if v != "drop"}) for row in rows).encode()

        yield "no response time", changed(rt="drop")
        yield "a negative response time", changed(rt=-5)
        yield "a response time in words", changed(rt="fast")
        yield "a choice not shown", changed(selected_image="n00000000_1.JPEG")
        yield "no third image", changed(image3Path="drop")
        yield "one image twice", changed(image2Path=trials[2]["image1Path"])
        yield "not an ImageNet file", changed(image1Path="stimuli/cat.jpg")
        yield "only instructions", json.dumps(trials[0]).encode()
    elif "test_img_concepts_THINGS" in content:
        names = content["test_img_concepts_THINGS"]
        yield "a name twice", json.dumps({"test_img_concepts_THINGS": [*names[:-1], names[0]]}).encode()
        yield "a name too few", json.dumps({"test_img_concepts_THINGS": names[:-1]}).encode()
        yield "names without numbers", json.dumps({"test_img_concepts_THINGS": ["dog"] * len(names)}).encode()
    else:  # BREEDS
        task = "living17"

        def other(change):
            copy = json.loads(text)
            change(copy)
            return json.dumps(copy).encode()

        yield "no source", other(lambda c: c[task][0].pop("source"))
        yield "a class of no number", other(lambda c: c[task][0].update(source=["dog"]))
        yield "a class past the last", other(lambda c: c[task][0].update(source=[1000]))
        yield "a class twice", other(lambda c: c[task][0].update(source=[3, 3]))
        yield "source and target share a class", other(lambda c: c[task][0].update(source=c[task][1]["target"]))
        yield "a superclass twice", other(lambda c: c[task][0].update(super=c[task][1]["super"]))
        yield "no classes", other(lambda c: c.update({task: []}))


def flag_damages(path):
    lines = path.read_text().splitlines()
    yield "a row too few", "\n".join(lines[:-1]).encode()
    yield "a row too many", "\n".join([*lines, lines[-1]]).encode()
    yield "a cell of 2", "\n".join([lines[0], lines[1].replace("1", "2"), *lines[2:]]).encode()
    yield "a word", "\n".join([lines[0], lines[1].replace("1", "yes"), *lines[2:]]).encode()
    yield "an empty cell", "\n".join([lines[0], lines[1].replace("1", ""), *lines[2:]]).encode()
    yield "header only", lines[0].encode()
    yield "a cell too many", "\n".join([lines[0], lines[1], lines[2] + "\t0", *lines[3:]]).encode()


def saved_objects():
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def refusal(entry, profile):
    """The line that refuses the entry's files, or None."""
    known.file_digest.cache_clear()
    try:
        loaded = registry.load(entry.name, profile)
    except InputError as error:
        return str(error)
    report = verify_one(entry, profile)
    assert report.status != "missing"
    del loaded
    return report.problems[0] if report.problems else None


PICKED = ("peterson/animals", "peterson/fruits", "breeds/living17")


def subjects():
    """One entry for each loader with files of its own."""
    skip = {
        "things/all",
        "things/entropies",
        "alignet/clusters",
        "levels/triplets",
        "levels/images",
        "levels/validation_images",
    }  # of others' files
    for entry in registry.entries("full"):
        if entry.name in skip or (entry.name.startswith("glocal/") and "slice" not in entry.profiles):
            continue  # one loader, tested once
        if entry.name.startswith(("peterson/", "king2019/set2", "breeds/")) and not entry.name.startswith(PICKED):
            continue
        if entry.name.startswith("alignet/un") and entry.name != "alignet/untransformed/val_class_border":
            continue
        yield entry.name


def own_files(entry):
    """Files of an entry that are not shared with another one's test."""
    shared = {"concepts", "maps", "list", "licence"}
    keys = [k for k in entry.files if k not in shared or entry.name in ("things/concepts", "things/orders")]
    keys = [k for k in keys if not (entry.files[k].optional and entry.files[k].shared)]  # what stands in
    if entry.name == "things/orders":
        keys = ["maps"]
    return keys


@pytest.mark.parametrize("name", list(subjects()))
def test_ten_kinds_of_damage_are_refused_in_one_line(name, profile, damaged):
    entry = registry.entry(name)
    assert refusal(entry, profile) is None
    refused, passed = {}, []

    def look(key, what):
        line = refusal(entry, profile)
        if line is None:
            passed.append((key, what))
        else:
            one_line(line)
            refused[key, what] = line

    for key in own_files(entry):
        file = entry.files[key]
        found = file.find(profile.data)
        if found is None:
            continue
        inside = found.relative_to(profile.data).as_posix()
        if file.folder and name != "levels" and not file.path.endswith(("sim_judgements", "features")):
            for what, spoil in folder_damages(found):
                with damaged(inside) as path:
                    spoil(path)
                    look(key, what)
        else:
            targets = [found] if found.is_file() else sorted(p for p in found.iterdir())[:1]
            for target in targets:
                place = target.relative_to(profile.data).as_posix()
                for what, data in [*raw_damages(target), *specific(place, target)]:
                    if file.optional and what == "gone":
                        continue
                    with damaged(place) as path:
                        path.unlink()
                        if data is not None:
                            path.write_bytes(data)
                        look(key, what)
    assert len({what for _, what in refused}) >= 10, (sorted(refused), passed)
    assert not passed


def test_types_align_by_id_and_refuse_strangers(profile):
    for name in ("things/testset1", "cichy2019", "things/spose_49", "things/word2vec", "cichy2019/images"):
        loaded = registry.load(name, profile)
        assert isinstance(loaded, (Triplets, HumanRDM, ConceptEmbedding, Features, Stimuli))
        turned = loaded.align(loaded.ids[::-1])
        assert turned.ids == loaded.ids[::-1]
        assert turned.align(loaded.ids).checksum == loaded.checksum
        assert turned.checksum != loaded.checksum
        if not isinstance(loaded, Triplets):
            with pytest.raises(InputError, match="has no row for nobody"):
                loaded.align([*loaded.ids[:2], "nobody"])
        with pytest.raises(InputError, match="more than once"):
            loaded.align([*loaded.ids, loaded.ids[0]])

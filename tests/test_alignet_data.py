"""Sampling of triplets, the released file layout, pictures."""

import zipfile

import numpy as np
import pytest
import torch

from humalign.alignet import dataset, images, sampling
from humalign.alignet.dataset import TripletWriter
from humalign.data.alignet import TripletFile, order_rows, violations
from humalign.errors import InputError

M = 60


@pytest.fixture
def groups():
    return sampling.Groups(np.arange(M) % 7)


def distinct(t):
    return (t[:, 0] != t[:, 1]) & (t[:, 0] != t[:, 2]) & (t[:, 1] != t[:, 2])


@pytest.mark.parametrize("rule", list(sampling.RULES))
def test_rules_give_what_their_names_say(groups, rule):
    t = sampling.sample(4000, rule, M, groups, rng=np.random.default_rng(0))
    g = np.sort((np.arange(M) % 7)[t], axis=1)
    n = 1 + (np.diff(g, axis=1) > 0).sum(1)
    assert t.shape == (4000, 3)
    assert distinct(t).all()
    assert set(np.unique(t)) == set(range(M))
    if rule in ("between_class",):
        assert (n == 3).all()
    elif rule in ("class_border", "cluster_border"):
        assert (n == 2).all()
        g = (np.arange(M) % 7)[t]
        assert (g[:, 0] == g[:, 1]).all()  # the odd one by group stands last
    elif rule in ("within_class", "cluster"):
        assert (n == 1).all()
    elif rule == "mixed":
        assert 0.5 < (n == 2).mean() < 0.9
        assert (n == 3).any()


def test_random_triplets_are_uniform():
    t = sampling.sample(60_000, "random", 5, rng=np.random.default_rng(0))
    counts = np.unique(t @ [25, 5, 1], return_counts=True)[1]
    assert len(counts) == 60  # 5 * 4 * 3 ordered triplets
    assert abs(counts / 1000 - 1).max() < 0.15


def test_draw_without_replacement_is_uniform():
    groups = sampling.Groups(np.zeros(4, int))
    t = groups.draw(np.zeros(48_000, int), 3, np.random.default_rng(1))
    counts = np.unique(t @ [16, 4, 1], return_counts=True)[1]
    assert len(counts) == 24
    assert abs(counts / 2000 - 1).max() < 0.12


def test_too_few_groups_are_refused():
    with pytest.raises(InputError):
        sampling.sample(5, "class_border", 10, sampling.Groups(np.zeros(10, int)), rng=np.random.default_rng(0))
    with pytest.raises(InputError):
        sampling.sample(5, "within_class", 10, sampling.Groups(np.arange(10)), rng=np.random.default_rng(0))
    with pytest.raises(InputError):
        sampling.sample(5, "cluster_border", 10, rng=np.random.default_rng(0))
    with pytest.raises(InputError):
        sampling.sample(5, "cluster-border", 10, rng=np.random.default_rng(0))


@pytest.mark.parametrize("chunk", [20_000, 64])
def test_kmeans_finds_separate_blobs_also_in_pieces(chunk):
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 80)
    x = rng.normal(size=(320, 5)) * 0.05 + np.eye(4, 5)[truth] * 9
    order = rng.permutation(320)
    labels, centres = sampling.kmeans(x[order], 4, seed=1, chunk=chunk)
    assert centres.shape == (4, 5)
    assert all(len(np.unique(labels[truth[order] == k])) == 1 for k in range(4))
    assert len(np.unique(labels)) == 4


# ---------------------------------------------------------------------------------------------- order and files


def test_rows_are_ordered_with_the_odd_one_last():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, 6))
    t = sampling.sample(500, "random", 40, rng=rng)
    t, s = order_rows(t, dataset.dot_products(z, t))
    g = z @ z.T
    direct = np.stack([g[t[:, 0], t[:, 1]], g[t[:, 0], t[:, 2]], g[t[:, 1], t[:, 2]]], 1)
    np.testing.assert_allclose(s, direct, rtol=1e-5, atol=1e-5)
    assert (s[:, 0] >= s[:, 1]).all()
    assert (s[:, 1] >= s[:, 2]).all()
    assert not any(violations(s).values())


def write(path, seed=0, n=3000, memory=1, **options):
    rng = np.random.default_rng(5)
    z = rng.normal(size=(M, 4)).astype(np.float32)
    names = [f"n{i:08d}_{i}.JPEG" for i in range(M)]
    groups = sampling.Groups(np.arange(M) % 7)
    path = dataset.write_triplets(path, n, "cluster_border", z, names, groups, seed=seed, memory=memory, **options)
    return path, z, names


def test_written_file_reads_with_numpy_and_is_reproducible(tmp_path):
    path, z, names = write(tmp_path / "train_cluster_border.npz")
    with np.load(path) as file:
        assert set(file.files) == {"filenames", "similarities", "indices"}
        assert file["filenames"].dtype.kind == "U"
        assert file["similarities"].dtype == np.float32
        g = z @ z.T
        i = file["indices"]
        np.testing.assert_allclose(file["similarities"][:, 0], g[i[:, 0], i[:, 1]], rtol=1e-4, atol=1e-5)
        assert (file["filenames"] == np.array(names)[i]).all()
    other = write(tmp_path / "again.npz")[0]
    with np.load(other) as a, np.load(path) as b:
        assert all((a[k] == b[k]).all() for k in a.files)
    assert not list(tmp_path.glob("*.parts"))


def test_interrupted_writing_goes_on(tmp_path):
    class Stop(Exception):
        pass

    calls = []

    def stop(k):
        calls.append(k)
        if len(calls) == 2:
            raise Stop

    with pytest.raises(Stop):
        write(tmp_path / "a.npz", progress=stop)
    assert not (tmp_path / "a.npz").exists()
    with open(tmp_path / "a.npz.parts" / "similarities", "ab") as file:
        file.write(b"half a row")  # a piece that was cut off
    calls.clear()
    path = write(tmp_path / "a.npz", progress=calls.append)[0]
    assert calls[0] == 2048  # what was there
    with np.load(path) as a, np.load(write(tmp_path / "b.npz")[0]) as b:
        assert all((a[k] == b[k]).all() for k in a.files)


def test_reading_is_mapped_and_checked(tmp_path):
    path, _, names = write(tmp_path / "a.npz")
    file = TripletFile.read(path)
    assert isinstance(file.similarities, np.memmap)
    assert file.names([0, 5]).shape == (2, 3)
    with np.load(path) as raw:
        arrays = dict(raw)
    np.savez_compressed(tmp_path / "c.npz", **arrays)
    assert (np.asarray(TripletFile.read(tmp_path / "c.npz").similarities) == arrays["similarities"]).all()
    arrays["filenames"] = arrays["filenames"].astype("S")
    np.savez(tmp_path / "s.npz", **arrays)
    assert TripletFile.read(tmp_path / "s.npz").names([0])[0, 0] in names


def test_wrong_order_is_refused_and_reported(tmp_path):
    path = write(tmp_path / "a.npz")[0]
    with np.load(path) as raw:
        arrays = dict(raw)
    np.savez(tmp_path / "w.npz", **{**arrays, "similarities": arrays["similarities"][:, [1, 0, 2]]})
    with pytest.raises(InputError, match="s01 >= s02"):
        TripletFile.read(tmp_path / "w.npz")
    report = TripletFile.read(tmp_path / "w.npz", order="report").order
    assert report["s01 >= s02"] > 0.9
    assert report["s12 smallest"] == 0  # the README's inequality holds, the column order does not


@pytest.mark.parametrize("kind", ["object", "cut", "missing", "nan", "shape", "text"])
def test_bad_files_are_refused_in_one_line(tmp_path, kind):
    path = write(tmp_path / "a.npz")[0]
    with np.load(path) as raw:
        arrays = dict(raw)
    bad = tmp_path / "bad.npz"
    if kind == "object":
        np.savez(bad, **{**arrays, "filenames": arrays["filenames"].astype(object)})
    elif kind == "missing":
        np.savez(bad, filenames=arrays["filenames"])
    elif kind == "nan":
        np.savez(bad, **{**arrays, "similarities": arrays["similarities"] * np.nan})
    elif kind == "shape":
        np.savez(bad, **{**arrays, "indices": arrays["indices"][:-1]})
    elif kind == "cut":
        bad.write_bytes(path.read_bytes()[:5000])
    else:
        bad.write_text("no archive")
    with pytest.raises(InputError) as error:
        TripletFile.read(bad)
    assert "\n" not in str(error.value)


def test_writer_counts_rows(tmp_path):
    writer = TripletWriter(tmp_path / "a.npz", 4, 3)
    writer.append(np.array([["a", "b", "c"]]), np.zeros((1, 3)), np.zeros((1, 3), int))
    with pytest.raises(InputError):
        writer.close()
    with pytest.raises(InputError):
        TripletWriter(tmp_path / "a.txt", 4, 3)


def test_npz_members_are_stored_uncompressed(tmp_path):
    with zipfile.ZipFile(write(tmp_path / "a.npz")[0]) as archive:
        assert all(i.compress_type == zipfile.ZIP_STORED for i in archive.infolist())


# ---------------------------------------------------------------------------------------------- pictures


def cubic(x):
    a, x = -0.75, abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def test_resize_is_bicubic_without_antialiasing():
    x = torch.rand(1, 1, 11, 7, dtype=torch.float64) * 0.4 + 0.3
    out = images.resize(x.clone(), 5)

    def axis(n):
        w = np.zeros((5, n))
        for k in range(5):
            centre = (k + 0.5) * n / 5 - 0.5
            for j in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
                w[k, min(max(j, 0), n - 1)] += cubic(centre - j)
        return w

    np.testing.assert_allclose(out[0, 0], axis(11) @ x[0, 0].numpy() @ axis(7).T, atol=1e-6)


def test_folder_of_pictures(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("a/x.png", "b/y.png", "z.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)).save(tmp_path / name)
    pictures = images.Pictures.folder(tmp_path, 8)
    assert pictures.ids == ("a/x.png", "b/y.png", "z.png")
    first = pictures.pixels([0, 2])
    assert first.shape == (2, 3, 8, 8)
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1
    torch.testing.assert_close(first, pictures.pixels([0, 2]))
    assert pictures.rows([["b/y.png", "x.png", "z.png"]]).tolist() == [[1, 0, 2]]  # also by file name alone
    assert pictures.rows(["train/a/x.png", "train/z.png"]).tolist() == [0, 2]  # one path is the end of the other
    for elsewhere in ("c/x.png", "b/x.png"):  # a picture of another folder with the same file name
        with pytest.raises(InputError, match="not among"):
            pictures.rows([elsewhere])
    with pytest.raises(InputError, match="not among"):
        pictures.rows(["q.png"])
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(InputError, match="cannot be read"):
        images.Pictures.folder(tmp_path, 8).pixels(np.arange(4))


def test_flip_and_shift_depends_on_the_seed_alone():
    x = torch.rand(6, 3, 8, 8)
    assert torch.equal(images.flip_and_shift(x, [1, 2]), images.flip_and_shift(x, [1, 2]))
    assert not torch.equal(images.flip_and_shift(x, [1, 2]), images.flip_and_shift(x, [1, 3]))

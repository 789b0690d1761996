"""From a folder of pictures to an aligned student, step by step: what the command ``humalign alignet`` does."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from ..data.alignet import TripletFile
from ..data.types import Stimuli
from ..errors import InputError
from ..source import open_source
from ..store import atomic_path, cached, digest, read_json, sha256, write_json
from . import judged
from . import teacher as teachers
from .dataset import write_triplets
from .images import Pictures, progress_bar
from .sampling import RULES, Groups, kmeans
from .settings import CHOICES, Settings

FOLDERS = {  # of the released files; "permuted" is a control of this package
    "human-aligned": "uncertainty_distillation", "untransformed": "untransformed", "permuted": "permuted",
}  # fmt: skip
ALL = "all"  # no stored triplets: a step shows some pictures, and all triplets among them count
CHUNK = 4096  # pictures or rows at a time


# ---- triplets --------------------------------------------------------------------------------------------------------


def classes(names) -> np.ndarray:
    """Class of each picture: its folder, or, in a flat folder, the part of its name before the first underscore."""
    names = [str(n) for n in names]
    nested = any("/" in n for n in names)
    return np.array([n.rpartition("/")[0] if nested else n.rpartition("/")[2].partition("_")[0] for n in names])


def _table(path, key: str, rows: int, parts) -> np.ndarray:
    """A memory-mapped table (rows, p) of parts that come one after the other, made once for a key."""
    path, state = Path(path), Path(path).with_suffix(".json")
    if _sound(path) != key:
        state.unlink(missing_ok=True)
        with atomic_path(path) as partial, open(partial, "wb") as file:  # written, not mapped: a full disk is an error
            done = 0
            for part in parts:
                if not done:
                    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, part.shape[1])}
                    np.lib.format.write_array_header_1_0(file, header)
                file.write(np.ascontiguousarray(part, "<f4").data)
                done += len(part)
            file.close()
            checksum = sha256(partial)
        write_json(state, {"key": key, "sha256": checksum})
    return np.load(path, mmap_mode="r")


def _sound(path: Path) -> str:
    """The key of a table of :func:`_table` that is there, whole and as it was written; else ""."""
    state = path.with_suffix(".json")
    if not (path.is_file() and state.is_file()):
        return ""
    try:
        known = read_json(state, {"key": str, "sha256": str})
    except InputError:
        return ""
    return known["key"] if known["sha256"] == sha256(path) else ""


def _embedded(teacher, images, out: Path, profile):
    """Features of a folder of pictures on disk, their ids, and a digest of what they are."""
    from ..features import extract, from_folder, shards

    stimuli, model = from_folder(images, suffix=True), judged.frozen(teacher.network, profile)
    folder = extract(model, stimuli, device=profile.torch_device(), out=out / "features")
    key = shards.content_digest(folder)
    values = _table(out / "features.npy", key, len(stimuli), (part for _, part in shards.stream(folder)))
    return list(stimuli.ids), values, key


def _named(images, features, profile):
    """Stored features of a folder of pictures, by their names without suffix; the names, and a digest."""
    from ..features import from_folder

    names = list(from_folder(images, suffix=True).ids)
    found = judged.read_features(features, open_source(profile))
    known, stems = set(found.ids), [_stem(name) for name in names]
    if lost := [stem for stem in stems if stem not in known]:
        raise InputError(f"there are none of '{lost[0]}'", features, "name features of all pictures of the folder")
    return names, found.align(stems).values


def _stem(name: str) -> str:
    """Name of a picture without folders and suffix."""
    return PurePosixPath(name).stem


def _pictured(profile, teacher, out: Path, images, features, exclude):
    """Names of the pictures that are labelled, their features, and a digest of both."""
    if images and not features:
        names, values, source = _embedded(teacher, images, out, profile)
    else:
        if images:
            names, values = _named(images, features, profile)
        else:
            found = judged.read_features(features, open_source(profile))
            names, values = list(found.ids), found.values
        source = digest(names, np.asarray(values))
    if exclude:
        rows = np.flatnonzero(judged.left_out([_stem(name) for name in names], exclude, "pictures"))
        names, values, source = [names[i] for i in rows], np.asarray(values)[rows], digest(source, rows)
    return names, values, source


def make_triplets(
    profile,
    teacher,
    out,
    *,
    images=None,
    features=None,
    transform: str = "human-aligned",
    rule: str = "cluster_border",
    clusters: int = 500,
    n: int = 10_000_000,
    validation: int = 10_000,
    memory: int = 256 << 20,
    seed: int = 0,
    exclude=(),
) -> list[Path]:
    """AligNet triplets of a folder of pictures (or of stored features), in the layout of the release.

    Parameters
    ----------
    profile : Profile
    teacher : path
        Folder of a saved teacher.
    out : path
        Gets ``<transform>/train_<rule>.npz`` and ``val_<rule>.npz`` (cluster rules carry k in their name), and the
        features and clusters on the way; an interrupted call goes on.
    images, features : path
        One of both; or both, then the features go by the names of the pictures without suffix.
    transform : {"human-aligned", "untransformed", "permuted"}
        Whose similarities label the triplets. Untransformed features are centred, and scaled until soft labels are as
        sure as those of the map. "permuted": those of the map, handed to the wrong pictures.
    rule : str
        Of :data:`humalign.alignet.sampling.RULES`; or "all": no training triplets are stored, since :func:`train` takes
        all those among the pictures of a step.
    clusters, n, validation, memory, seed
    exclude : sequence of str
        Pictures that are held out, by name without suffix.

    Returns
    -------
    list of Path
        The files written.
    """
    if transform not in FOLDERS:
        raise InputError(f"'{transform}' is not known", "transform", f"choose one of {', '.join(FOLDERS)}")
    if rule not in (*RULES, ALL):
        raise InputError(f"'{rule}' is not known", "sampling", f"choose one of {', '.join((*RULES, ALL))}")
    if not (images or features):
        raise InputError("give pictures or features", "sample", "--images DIR, or --features FILE")
    out, teacher = Path(out), teachers.Teacher.load(teacher)
    names, values, source = _pictured(profile, teacher, out, images, features, exclude)
    write_json(out / "names.json", names)
    kind = teacher.transform
    if transform == "untransformed":
        some = np.asarray(values[:: max(1, math.ceil(len(values) / 50_000))])
        kind = teachers.scaled_to(some, teacher.apply(some))
    key = digest("map", teacher.key, transform, source)
    order = np.arange(len(names))
    if transform == "permuted":
        order, key = np.random.default_rng(seed).permutation(len(names)), digest(key, seed)
    parts = (kind.apply(np.asarray(values[order[i : i + CHUNK]], np.float32)) for i in range(0, len(names), CHUNK))
    mapped = _table(out / f"{FOLDERS[transform]}.npy", key, len(names), parts)
    groups, name = None, rule
    if rule == ALL:
        rule, n = "random", 0  # validation triplets are some of them
    if RULES[rule][1] == "classes":
        groups = Groups(classes(names))
    elif RULES[rule][1] == "clusters":
        name = f"{rule}_{clusters}"

        def make():
            with progress_bar(0, "k-means") as bar:
                return {"labels": kmeans(mapped, clusters, seed, progress=bar.update)[0]}

        groups = Groups(cached(out, f"clusters-{FOLDERS[transform]}", [key, clusters, seed], make)["labels"])
    files = []
    for split, count, own in (("train", n, seed), ("val", validation, seed + 1_000_003)):
        if not count:
            continue
        path = out / FOLDERS[transform] / f"{split}_{name}.npz"
        with progress_bar(count, f"{split} triplets", "triplet") as bar:
            write_triplets(
                path,
                count,
                rule,
                mapped,
                names,
                groups,
                seed=own,
                memory=memory,
                made_from=[key],
                progress=bar.update,
            )
        TripletFile.read(path)  # asserts the order
        files.append(path)
    return files


def find_triplets(path, transform: str = "human-aligned", sampling: str | None = None, split: str = "train") -> Path:
    """The npz with triplets: the file itself, or ``<transform>/<split>_<sampling>.npz`` below a folder.

    Raises
    ------
    InputError
        When there is none, or several and none is named.
    """
    path = Path(path)
    if path.is_file():
        return path
    folder = path / FOLDERS.get(transform, transform)
    found = sorted(folder.glob(f"{split}_*.npz"))
    if sampling:
        found = [f for f in found if f.stem in (f"{split}_{sampling}", sampling)]
    if len(found) != 1:
        listed = ", ".join(f.stem.partition("_")[2] for f in sorted(folder.glob(f"{split}_*.npz"))) or "none"
        raise InputError(
            f"{len(found)} files fit (there are: {listed})",
            folder / f"{split}_{sampling or '*'}.npz",
            "give --sampling",
        )
    return found[0]


# ---- student ---------------------------------------------------------------------------------------------------------


def parse_settings(pairs) -> dict:
    """Settings from ``key=value`` texts; numbers, true/false and none are understood."""
    known, out = {f.name for f in fields(Settings)}, {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign or key not in known:
            raise InputError(
                f"'{pair}' is no setting", "--set", f"write KEY=VALUE with one of {', '.join(sorted(known))}"
            )
        words = {"none": None, "true": True, "false": False}
        if key in CHOICES:  # names, of which 'none' may be one
            out[key] = text
            continue
        try:
            out[key] = words[text.lower()] if text.lower() in words else int(text)
        except ValueError:
            try:
                out[key] = float(text)
            except ValueError:
                out[key] = text
    return out


def _references(path: Path, pictures: Pictures):
    """Untransformed features of the pictures, where ``sample`` left them beside the triplets."""
    for folder in (path, path.parent, path.parent.parent):
        if (folder / "names.json").is_file() and _sound(folder / "features.npy"):
            row = {name: i for i, name in enumerate(read_json(folder / "names.json", [str]))}
            values = np.load(folder / "features.npy", mmap_mode="r")
            if len(values) == len(row) and all(name in row for name in pictures.ids):
                return values, np.array([row[name] for name in pictures.ids])
    return None


def _batches(path, transform: str, sampling, pictures: Pictures, settings: Settings):
    """What a student sees, from stored triplets or from the pictures of a labelled folder; and a digest of it."""
    from ..features.images import MOST, content
    from .batches import FileBatches, PoolBatches

    s = settings
    if sampling == ALL:
        table, names = path / f"{FOLDERS.get(transform, transform)}.npy", path / "names.json"
        if not (table.is_file() and names.is_file()):
            raise InputError(
                "holds no representations of pictures", path, f"run 'humalign alignet sample --transform {transform}'"
            )
        values, rows = np.load(table), pictures.rows(read_json(names, [str]))
        if len(values) != len(rows):
            raise InputError(f"{len(values)} rows for {len(rows)} names", table, "sample again")
        pictures = Pictures([pictures.ids[i] for i in rows], [pictures.source[i] for i in rows], pictures.side)
        start = [ALL, values]
    else:
        file, start = TripletFile.read(path), [sha256(path)]
    shown = Stimuli(pictures.ids, "", "", images=pictures.source)
    start += [shown.checksum, content(shown, most=MOST)]
    reference = _references(path, pictures) if s.local else None
    if s.local and reference is None:
        raise InputError("the local term needs the teacher's features", path, "sample from --images, or --set local=0")
    if sampling == ALL:
        near = None if reference is None else np.asarray(reference[0])[reference[1]]
        seen = {"seed": s.seed, "augmentation": s.augmentation, "reference": near}
        return PoolBatches(values, pictures, s.steps, s.batch, ALL, **seen), start
    return FileBatches(file, pictures, s.steps, s.batch, s.seed, s.augmentation, reference=reference), start


def train(
    profile,
    student: str,
    images,
    triplets,
    settings: Settings,
    out,
    *,
    transform: str = "human-aligned",
    sampling=None,
    scratch: bool = False,
    checkpoint=None,
    workers: int = 0,
    side: int | None = None,
):
    """Fine-tune a student on stored triplets; a started folder is continued.

    Parameters
    ----------
    sampling : str, optional
        Which stored triplets; or "all": ``settings.batch`` pictures a step and all triplets among them, labelled by the
        representations that :func:`make_triplets` left in the folder.
    side : int, optional
        Pixels of the pictures (default: what the network was trained with).
    scratch : bool
        Start from random weights.
    checkpoint : path, optional
        Start from the weights of this file, not from the published ones.

    Returns
    -------
    Outcome or None
        None in all processes but the first.
    """
    from ..zoo import load
    from .student import Student
    from .training import Processes, Trainer

    if scratch and checkpoint is not None:
        raise InputError("starts from random weights or from a file, not both", student, "leave one of them out")
    path = Path(triplets) if sampling == ALL else find_triplets(triplets, transform, sampling)
    group = Processes.join(profile.torch_device().type)
    try:
        seed = settings.seed if scratch else 0
        tower = load(student, not scratch, checkpoint, seed=seed, profile=profile, head=False, side=side)
        if side and tower.preprocess.size != side:
            raise InputError(f"sees {tower.preprocess.size} pixels only", student, "leave --side out")
        network = Student(tower, settings.head, settings.input, settings.seed)
        if group.device.type == "cpu":
            network = network.to(memory_format=torch.channels_last)  # a third less time
        batches, parts = _batches(path, transform, sampling, Pictures.folder(images, network.side), settings)
        parts += [scratch]
        parts += [sha256(checkpoint)] if checkpoint is not None else []
        trainer = Trainer(network, batches, settings, out, group, workers, parts)
        begun = trainer.resume()
        if group.rank:
            trainer.run()
            return None
        with progress_bar(settings.steps, f"{settings.teacher} labels", "step") as bar:
            bar.update(begun)

            def progress(_step, loss):
                bar.update(1)
                bar.set_postfix(loss=f"{loss:.4f}", refresh=False)

            return trainer.run(progress=progress)
    finally:
        group.leave()


def load_or_make(profile, student: str):
    """A trained student from its folder, or a network as it is by name."""
    from ..zoo import load
    from .student import Student, load_student

    if Path(student).exists():
        return load_student(student, profile)
    return Student(load(student, profile=profile, head=False), 0, "native").eval()


def evaluate(
    profile,
    student: str,
    *,
    images,
    triplets,
    transform: str = "human-aligned",
    sampling=None,
):
    """Measure a student: choices on stored validation triplets.

    Returns
    -------
    DataFrame
        A result table.
    """
    from ..results import table
    from .student import embed

    network = load_or_make(profile, student)
    file = find_triplets(triplets, transform, sampling, "val")
    stored, pictures = TripletFile.read(file), Pictures.folder(images, network.side)
    rows_of = pictures.rows(stored.names(np.arange(len(stored))))
    used, places = np.unique(rows_of, return_inverse=True)
    part = Pictures([pictures.ids[i] for i in used], [pictures.source[i] for i in used], network.side)
    with progress_bar(len(part), "features") as bar:
        values = embed(network, part, device=profile.torch_device(), progress=bar.update)
    rows = _choices(values, places.reshape(rows_of.shape), file.stem)
    common = {"model": network.facts["tower"], "stage": Path(student).name, "layer": "penultimate"}
    return table(rows, profile=profile.name, source=str(file.name), **common)


def _choices(values: np.ndarray, triplets: np.ndarray, detail: str) -> list[dict]:
    """Agreement with the teacher's pair by cosine and by dot product, with Wilson's interval."""
    from scipy.stats import binomtest

    from .dataset import dot_products

    out = []
    unit = values / (np.linalg.norm(values, axis=1, keepdims=True) + 1e-12)
    for kernel, x in (("cosine", unit), ("dot", values)):
        s = dot_products(x, triplets)
        right = (s[:, 0] > s[:, 1]) & (s[:, 0] > s[:, 2])
        low, high = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
        about = {"dataset": "alignet", "measure": "accuracy", "detail": f"{detail}, {kernel}", "n": len(right)}
        out.append({**about, "value": right.mean(), "low": low, "high": high})
    return out

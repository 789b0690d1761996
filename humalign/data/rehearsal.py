"""A tiny data folder in the exact layouts of every data set, for rehearsing the full profile and for tests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..store import write_json, write_text
from . import alignet, cifar, imagenet, peterson, registry
from .registry import MANIFEST
from .things import in_order

CONCEPTS = (
    "aardvark", "apple", "bear", "bicycle", "bus", "camera_lens", "camera1", "camera2", "car", "cat", "chair", "dog",
    "duck", "guitar", "hammer", "hot_chocolate", "hot_tub", "hot-air_balloon", "ice", "ice_cream", "ice_cube",
    "ice-cream_cone", "pepper_mill", "pepper1", "pepper2", "piano", "rose", "sofa", "table", "violin",
)  # fmt: skip
SYNSETS = tuple(f"n{1440000 + 137 * k:08d}" for k in range(24))
FIRE = {  # SqueezeNet 1.0: place of each fire module, and its inputs, squeezed channels, and each half of its outputs
    3: (96, 16, 64), 4: (128, 16, 64), 5: (128, 32, 128), 7: (256, 32, 128), 8: (256, 48, 192), 9: (384, 48, 192),
    10: (384, 64, 256), 12: (512, 64, 256),
}  # fmt: skip
LEVELS = {"coarse": 3, "fine": 1, "boundary": 2}


class Writer:
    """Writes tiny files under ``root``; everything follows from ``seed``.

    Parameters
    ----------
    root : path
        An empty or new folder.
    seed : int
    """

    def __init__(self, root, seed: int = 0):
        self.root, self.rng = Path(root), np.random.default_rng(seed)
        self.root.mkdir(parents=True, exist_ok=True)
        if any(self.root.iterdir()):
            raise InputError("is not empty", root, "rehearse in a new folder")
        write_json(self.root / MANIFEST, {"rehearsal": True, "note": "tiny files in the published layouts, not data"})
        m = len(CONCEPTS)
        self.latent = self.rng.gamma(0.4, 1.0, (m, 6))

    def path(self, name: str) -> Path:
        """A path under the root whose folder exists."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def npy(self, name, array):
        """A .npy file."""
        np.save(self.path(name), array)

    def text(self, name, rows, form="%d"):
        """Rows of numbers, separated by blanks."""
        np.savetxt(self.path(name), rows, fmt=form)

    def mat(self, name, **variables):
        """A MATLAB file (version 5)."""
        import scipy.io

        scipy.io.savemat(self.path(name), variables)

    def image(self, name, side: int = 20):
        """A small picture: one colour with noise; the format follows the ending."""
        from PIL import Image

        pixels = self.rng.integers(0, 200, 3) + self.rng.integers(0, 56, (side, side, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(self.path(name))

    # ------------------------------------------------------------------------------------------ THINGS

    def choices(self, n: int, order: str = "sorted") -> np.ndarray:
        """Responses (n, 3) by the latent embedding, objects numbered in ``order``."""
        ids = in_order(CONCEPTS, order)
        place = np.array([CONCEPTS.index(name) for name in ids])
        values = self.latent[place]
        rows = self.rng.random((n, len(ids))).argsort(1)[:, :3]
        a, b, c = (values[rows[:, k]] for k in range(3))
        logits = np.stack([(b * c).sum(1), (a * c).sum(1), (a * b).sum(1)], 1)  # similarity of the pair without 0, 1, 2
        odd = (logits + self.rng.gumbel(size=logits.shape)).argmax(1)
        kept = rows[np.arange(3) != odd[:, None]].reshape(-1, 2)
        return np.column_stack([kept, rows[np.arange(n), odd]])

    def repeated(self, questions: int, answers: int) -> np.ndarray:
        """Responses to some questions, each asked of ``answers`` people: most choose as the first one does."""
        rows = np.repeat(self.choices(questions), answers, axis=0)
        other = self.rng.random(len(rows)) < 0.3
        rows[other] = rows[other][:, [0, 2, 1]]
        return rows

    def things(self):
        """Concepts, categories, triplets, embeddings, features and images of THINGS."""
        m = len(CONCEPTS)
        lines = ["Word\tuniqueID\tTop-down Category (WordNet)"]
        lines += [f"{name.replace('_', ' ')}\t{name}\tkind{k % 5}" for k, name in enumerate(CONCEPTS)]
        write_text(self.path("things/concepts/things_concepts.tsv"), "\n".join(lines) + "\n")
        raw, python = (in_order(CONCEPTS, name) for name in ("raw", "python"))
        rows = [f"{k},{name},{raw.index(name)},{python.index(name)}" for k, name in enumerate(CONCEPTS)]
        head = "sorted_index,uniqueID,raw_index,python_sorted_index"
        write_text(self.path("things/concepts/index_maps.csv"), "\n".join([head, *rows]) + "\n")
        flags = np.eye(5, dtype=int)[np.arange(m) % 5]
        for name, head, cells in (
            (
                "Categories_final_20200131_fixedUniqueID.tsv",
                "uniqueID\tWord\t",
                lambda f: ["1" if v else "" for v in f],
            ),
            ("category_mat_manual_27.tsv", "", lambda f: [str(v) for v in f]),
        ):
            table = [head + "\t".join(f"kind{k}" for k in range(5))]
            for concept, row in zip(CONCEPTS, flags):
                own = [concept.replace("_", " "), concept] if head else []
                table.append("\t".join([*own, *cells(row)]))
            write_text(self.path(f"things/concepts/{name}"), "\n".join(table) + "\n")
        for name, n in (("trainset", 900), ("validationset", 200), ("testset3", 300)):
            self.text(f"things/triplets/{name}.txt", self.choices(n))
        self.text("things/triplets/testset1.txt", self.repeated(120, 4))
        first = self.repeated(120, 4)
        again = np.where(self.rng.random((len(first), 1)) < 0.2, first[:, [2, 1, 0]], first)
        self.text("things/triplets/testset2.txt", first)
        self.text("things/triplets/testset2_repeat.txt", again)
        people = self.rng.integers(0, 9, 6000)
        self.text("things/triplets/test_10_ID.txt", np.column_stack([self.choices(6000), people]))
        for name, n in (("train_90", 900), ("test_10", 100), ("correct_triplets", 400)):
            self.npy(f"things/triplets/{name}.npy", self.choices(n))
        self._large()
        of = {
            name: self.latent[[CONCEPTS.index(c) for c in in_order(CONCEPTS, name)]]
            for name in ("sorted", "raw", "python")
        }
        self.npy("things/embeddings/vice_42d.npy", of["raw"].astype(np.float32))
        self.npy("things/embeddings/vice_44d.npy", of["raw"].astype(np.float32))
        self.npy("things/dimensions/vice_embedding.npy", of["raw"].astype(np.float32))
        for name in ("49d", "66d"):
            self.text(f"things/embeddings/spose_embedding_{name}_sorted.txt", of["sorted"], "%.6f")
        mix = self.rng.normal(size=(6, 16))
        self.npy("things/features/clip_vit_b32.npy", (of["python"] @ mix).astype(np.float32))
        self.npy("things/features/word2vec.npy", (of["sorted"] @ mix).astype(np.float32))
        p = self.rng.dirichlet([1, 1, 1], 1000)
        self.npy("things/probas/probabilities_all_triplets.npy", p)
        self.npy("things/entropies/entropies_all_triplets.npy", -(p * np.log(p)).sum(1))
        for name in CONCEPTS:
            self.image(f"things/images/{name}.jpg")
            for letter in "bs":
                self.image(f"things/object_images/{name}/{name}_01{letter}.jpg")
        self.npy("things_eeg2_200/clip_vit_l14.npy", self.rng.normal(size=(20, 1, 12)).astype(np.float32))
        names = [f"{k + 1:05d}_{name}" for k, name in enumerate(CONCEPTS[:20])]
        write_json(
            self.path("things_eeg2_200/things_eeg2_test200.json"),
            {
                "test_img_concepts": names,
                "test_img_concepts_THINGS": names,
                "test_img_files": [f"{n[6:]}_01b.jpg" for n in names],
            },
        )

    def _large(self):
        rows = self.choices(600, "raw")
        lines = ["\t".join(("image1", "image2", "image3", "choice", "RT", "noise_ceiling", "subject_id"))]
        for a, b, odd in rows:
            place = int(self.rng.integers(3))
            shown = [a, b]
            shown.insert(place, odd)
            person, ceiling = int(self.rng.integers(20)), int(self.rng.integers(4))
            lines.append(
                "\t".join(str(v) for v in (*[s + 1 for s in shown], place + 1, 2500, ceiling, f"p{person:03d}"))
            )
        name = "things/triplets/triplets_large_final_correctednc_correctedorder.csv"
        write_text(self.path(name), "\n".join(lines) + "\n")

    # ------------------------------------------------------------------------------------------ arrangements

    def _rdms(self, people: int, m: int) -> np.ndarray:
        points = np.repeat(self.rng.normal(size=(4, 3)), -(-m // 4), axis=0)[:m]
        own = points + 0.3 * self.rng.normal(size=(people, m, 3))
        return np.linalg.norm(own[:, :, None] - own[:, None], axis=-1)

    def arrangements(self):
        """Cichy 2019, King 2019 (both sets), Mur 2013 and Peterson (six categories)."""
        rdms = self._rdms(3, 12)
        for k in range(12):
            self.image(f"cichy2019/images/{k + 1:03d}.jpg")
        self.mat("cichy2019/sim_judgements/judgments_general.mat", judgments=rdms)
        behavior, labels = {}, ["category, subcategory, number"]
        upper = np.triu_indices(12, 1)
        for which in ("set1", "set2"):
            behavior[which] = {"pairwisedistances": self._rdms(4, 12)[:, upper[0], upper[1]]}
            for k in range(12):
                self.image(f"king2019/images/{which}/{k + 1:04d}.jpg")
        labels += [f"kind{k // 3},part,{k + 1}" for k in range(12)]
        write_text(self.path("king2019/images/stimulus_category_labels.txt"), "\n".join(labels) + "\n")
        self.mat("king2019/sim_judgements/BEHAVIOR.mat", BEHAVIOR=behavior)
        self._mur()
        for category in peterson.CATEGORIES:
            for k in range(6):
                self.image(f"peterson/{category}/images/{k + 1:02d}.png")
            distance = self._rdms(1, 6)[0]
            similarity = 10 * (1 - distance / distance.max() * 0.9)
            folder = f"peterson/{category}/sim_judgements"
            if category == "fruits":  # these come as a pickle and are converted to a table
                pairs = [(i, j) for i in range(6) for j in range(i)]
                lines = [f"{i + 1:02d}.png,{j + 1:02d}.png,{similarity[i, j]:.4f}" for i, j in pairs]
                write_text(self.path(f"{folder}/fruits_pairs.csv"), "\n".join(["image1,image2,rating", *lines]) + "\n")
            else:
                self.mat(f"{folder}/{category}_similarity.mat", simMatrix=similarity)

    def _mur(self):
        people = np.zeros(3, dtype=[("RDM", "O"), ("name", "O"), ("color", "O")])
        for k, rdm in enumerate(self._rdms(3, 8)):
            people[k] = (rdm, f"simJudge | subject{k + 1}", np.full(3, 0.5))
        self.mat("mur92/92_behavRDMs.mat", rdms_behav_92=people[None])
        fields = ("category", "human", "face", "animal", "natural", "image")
        stimuli = np.zeros(8, dtype=[(name, "O") for name in fields])
        for k in range(8):
            pixels = self.rng.integers(0, 256, (15, 15, 3), dtype=np.uint8)
            flag = np.uint8(k % 2)
            stimuli[k] = (("human face", "natural inanimate")[k % 2], 1 - flag, 1 - flag, 1 - flag, flag, pixels)
        labels = np.array(["animate", "inanim"], dtype=object)
        vectors = np.stack([np.arange(8) % 2 == 0, np.arange(8) % 2 == 1], 1).astype(np.uint8)
        self.mat(
            "mur92/Kriegeskorte_Neuron2008_supplementalData.mat",
            stimuli_92objs=stimuli[None],
            categoryLabels=labels[None],
            categoryVectors=vectors,
        )

    # ------------------------------------------------------------------------------------------ image sets

    def image_sets(self):
        """ImageNet (train folders, flat validation with devkit), ImageNet-A, BREEDS and the few-shot sets."""
        for number, synset in enumerate(SYNSETS):
            for k in range(4):
                self.image(f"imagenet/train/{synset}/{synset}_{10 * number + k}.JPEG")
            if number < 6:
                self.image(f"imagenet-a/{synset}/0.001_thing_{number}.jpg")
        official = self.rng.permutation(len(SYNSETS))  # the devkit's class ids are in another order
        truth = np.repeat(np.arange(len(SYNSETS)), 4)  # enough to learn, to choose and to test in a shift
        for k in range(len(truth)):
            self.image(f"imagenet/val/ILSVRC2012_val_{k + 1:08d}.JPEG")
        kit = "imagenet/ILSVRC2012_devkit_t12/data"
        self.text(f"{kit}/ILSVRC2012_validation_ground_truth.txt", official[truth] + 1)
        synsets = np.zeros((len(SYNSETS), 1), dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")])
        for number, synset in enumerate(SYNSETS):
            synsets[number, 0] = (float(official[number] + 1), synset, f"thing {number}")
        self.mat(f"{kit}/meta.mat", synsets=synsets)
        tasks = {}
        for task in imagenet.TASKS:
            # the first class is in every task, so that a damaged first picture concerns all
            numbers = np.r_[0, 1 + self.rng.permutation(len(SYNSETS) - 1)[:11]].reshape(3, 4)
            tasks[task] = [
                {"super": k, "source": [int(v) for v in row[:2]], "target": [int(v) for v in row[2:]]}
                for k, row in enumerate(numbers)
            ]
        write_json(self.path("tables/breeds.json"), tasks)
        write_text(
            self.path("tables/networks.csv"),
            "model,imagenet_accuracy,param_count,depth,arch\nresnet18,69.758,11.69,,ResNet\nvgg16,71.592,138.36,16,VGG\n",
        )
        self._few_shot()
        self._cifar()

    def _few_shot(self):
        for k in range(4):
            for j in range(3):
                self.image(f"caltech101/101_ObjectCategories/class{k}/image_{j + 1:04d}.jpg")
                self.image(f"dtd/images/texture{k}/texture{k}_{j + 1:04d}.jpg")
                self.image(f"pets/images/Breed_{k}_{j + 1}.jpg")
                self.image(f"ucmerced/UCMerced_LandUse/Images/use{k}/use{k}{j:02d}.tif")
        self.image("caltech101/101_ObjectCategories/BACKGROUND_Google/image_0001.jpg")
        for j, part in enumerate(("train", "val", "test")):
            lines = [f"texture{k}/texture{k}_{j + 1:04d}.jpg" for k in range(4)]
            write_text(self.path(f"dtd/labels/{part}1.txt"), "\n".join(lines) + "\n")
        for part, numbers in (("trainval", (1, 2)), ("test", (3,))):
            lines = [f"Breed_{k}_{j} {k + 1} 1 {k + 1}" for k in range(4) for j in numbers]
            write_text(self.path(f"pets/annotations/{part}.txt"), "\n".join(lines) + "\n")
        for part, n in (("train", 8), ("test", 4)):
            rows = np.zeros((1, n), dtype=[("bbox_x1", "O"), ("class", "O"), ("fname", "O")])
            for k in range(n):
                self.image(f"cars196/cars_{part}/{k + 1:05d}.jpg")
                rows[0, k] = (1, k % 4 + 1, f"{k + 1:05d}.jpg")
            place = (
                "cars196/devkit/cars_train_annos.mat" if part == "train" else "cars196/cars_test_annos_withlabels.mat"
            )
            self.mat(place, annotations=rows)
        self.mat(
            "cars196/devkit/cars_meta.mat", class_names=np.array([f"car {k}" for k in range(4)], dtype=object)[None]
        )

    def _cifar(self):
        fine, coarse = [f"fine{k}" for k in range(8)], [f"coarse{k}" for k in range(4)]
        write_text(self.path(f"{cifar.FOLDER}/fine_label_names.txt"), "\n".join(fine) + "\n")
        write_text(self.path(f"{cifar.FOLDER}/coarse_label_names.txt"), "\n".join(coarse) + "\n")
        for split, n in (("train", 160), ("test", 40)):
            labels = np.arange(n) % 8
            pixels = self.rng.integers(0, 256, (n, cifar.RECORD - 2))
            records = np.column_stack([labels // 2, labels, pixels]).astype(np.uint8)
            self.path(f"{cifar.FOLDER}/{split}.bin").write_bytes(records.tobytes())

    # ------------------------------------------------------------------------------------------ Levels and AligNet

    def _names(self, classes: int) -> list[str]:
        """Three different training images of ``classes`` different classes."""
        chosen = self.rng.choice(len(SYNSETS), classes, replace=False)
        spread = {1: [0, 0, 0], 2: [0, 0, 1], 3: [0, 1, 2]}[classes]
        used: dict[int, int] = {}
        names = []
        for slot in spread:
            number = int(chosen[slot])
            used[number] = used.get(number, -1) + 1
            names.append(f"{SYNSETS[number]}_{10 * number + used[number]}.JPEG")
        return names

    def levels(self):
        """Levels: sessions (line-delimited), trial lists; the validation study."""
        folder = "stimuli/imagenet2012"
        triplets = [(level, self._names(classes)) for level, classes in LEVELS.items() for _ in range(8)]
        for person in range(5):
            trials = [{"trial_type": "instructions", "rt": 5000}]
            for level, names in triplets:
                order = [names[k] for k in self.rng.permutation(3)]
                chosen = names[2] if level == "boundary" else names[int(self.rng.integers(3))]
                if person == 0 and level == "coarse" and names is triplets[0][1]:
                    chosen = "No image selected"
                trials.append(self._trial(folder, order, chosen, "exp_trial", person))
            for _ in range(3):
                names = self._names(2)
                trial = self._trial(folder, names, names[2], "catch_trial", person)
                trials.append(trial | {"catch_trial_correct": True})
            lines = "\n".join(json.dumps(one) for one in trials)
            write_text(self.path(f"levels/raw_data/2024-04-1{person} 12_00_00.json"), lines + "\n")
        kinds = {"coarse": "between_class", "fine": "within_class", "boundary": "class_boundary"}
        lines = ["id,image1,image2,image3,trial,triplet_class"]
        for number, (level, names) in enumerate(triplets):
            lines.append(",".join(["participant_0", *[f"{folder}/{n}" for n in names], str(number), kinds[level]]))
        write_text(self.path("levels/triplets_experiment_first_20_participants.csv"), "\n".join(lines) + "\n")
        self._validation()

    def _trial(self, folder, names, chosen, kind, person) -> dict:
        return {
            "rt": int(self.rng.integers(800, 6000)),
            "subject_id": f"participant_{person}",
            **{f"image{k + 1}Path": f"{folder}/{name}" for k, name in enumerate(names)},
            "selected_image": chosen,
            "exp_trial_type": kind,
        }

    def _validation(self):
        pairs = [(f"{s}_{10 * k}.JPEG", f"{s}_{10 * k + 1}.JPEG") for k, s in enumerate(SYNSETS[:10])]
        lines = ["id;image1;image2;trial_type"]
        lines += [f"participant_{p};{a};{b};X" for p in range(2) for a, b in pairs]
        write_text(self.path("levels/alignet_validation_pairs.csv"), "\n".join(lines) + "\n")
        models = ["Image1;Image2;alignet;unalignet;align_unalign_z_diff_signed"]
        for k, (a, b) in enumerate(pairs):
            near, far = 0.2 + 0.01 * k, 0.8
            closer = k % 2 == 0
            models.append(f"{a};{b};{near if closer else far};{far if closer else near};{-1.5 if closer else 1.5}")
        write_text(self.path("levels/max_divergence_top_100_of_1.csv"), "\n".join(models) + "\n")
        rows = ["prolific_id,exp_trial_type,response,image1Path,image2Path"]
        for person in range(4):
            rows.append(f"subject_{person},training_trial,2,practice/a.JPEG,practice/b.JPEG")
            for k, (a, b) in enumerate(pairs):
                rating = (4 if k % 2 == 0 else 2) + int(self.rng.integers(2))
                rating = 2 * rating if person == 3 else rating  # a pilot on the longer slider
                rows.append(f"subject_{person},exp_trial,{rating},stimuli/{a},stimuli/{b}")
        write_text(self.path("levels/AligNet_Human_Validation_results.csv"), "\n".join(rows) + "\n")

    def alignet(self):
        """AligNet triplets (all transforms, splits and samplings) and representations with clusters."""
        names = [f"{s}_{10 * k + j}.JPEG" for k, s in enumerate(SYNSETS) for j in range(4)]
        for transform in alignet.TRANSFORMS:
            for split in alignet.SPLITS:
                for sampling in alignet.SAMPLINGS:
                    classes = {"within_class": 1, "class_border": 2, "between_class": 3}.get(sampling, 3)
                    files = np.array([self._names(classes) for _ in range(40)])
                    similarities = np.sort(self.rng.normal(size=(40, 3)), axis=1)[:, ::-1].astype(np.float32)
                    indices = np.array([[names.index(one) for one in row] for row in files])
                    np.savez_compressed(
                        self.path(f"alignet/{transform}/{split}_{sampling}.npz"),
                        filenames=files,
                        similarities=similarities,
                        indices=indices,
                    )
        np.savez(
            self.path("alignet/representations.npz"),
            filenames=np.array(names),
            representations=self.rng.normal(size=(len(names), 12)).astype(np.float32),
            clusters=self.rng.integers(0, 5, len(names)),
        )

    def transforms(self):
        """gLocal transforms, and SqueezeNet with random weights."""
        for name in [one.name.split("/", 1)[1] for one in registry.entries("full") if one.name.startswith("glocal/")]:
            d = 10 if name.startswith("resnet") else 12
            weights = np.eye(d, dtype=np.float32) + 0.1 * self.rng.normal(size=(d, d)).astype(np.float32)
            np.savez(
                self.path(f"glocal_transforms/{name}.npz"), weights=weights, mean=np.float64(0.1), std=np.float64(1.2)
            )
        shapes = {"features.0": (96, 3, 7, 7), "classifier.1": (1000, 512, 1, 1)}
        for place, (wide, narrow, half) in FIRE.items():
            shapes |= {
                f"features.{place}.squeeze": (narrow, wide, 1, 1),
                f"features.{place}.expand1x1": (half, narrow, 1, 1),
                f"features.{place}.expand3x3": (half, narrow, 3, 3),
            }
        arrays = {}
        for name, shape in shapes.items():
            scale = np.float32(np.sqrt(2 / np.prod(shape[1:])))
            arrays[f"{name}.weight"] = scale * self.rng.standard_normal(shape, np.float32)
            arrays[f"{name}.bias"] = np.zeros(shape[0], np.float32)
        np.savez(self.path("weights/squeezenet1_0_torchvision_state_dict.npz"), **arrays)


def write(root, seed: int = 0) -> Path:
    """Write the whole tiny folder; its manifest says that it is a rehearsal.

    Parameters
    ----------
    root : path
        New or empty.
    seed : int

    Returns
    -------
    Path
        The folder, for ``get_profile("full", data=...)``.
    """
    writer = Writer(root, seed)
    for part in (
        writer.things,
        writer.arrangements,
        writer.image_sets,
        writer.levels,
        writer.alignet,
        writer.transforms,
    ):
        part()
    _note_expectations(writer.root)
    return writer.root


def _note_expectations(root: Path) -> None:
    """Write the counts of every data set into the manifest, so that verification notices what goes missing."""
    from ..config import get_profile
    from .verify import verify

    reports = verify(get_profile("full", data=root))
    if bad := [report for report in reports if report.status != "ok"]:
        raise InputError(f"the tiny folder does not verify ({bad[0].name}: {bad[0].problems[0]})", root)
    counts = {r.name: {k: v for k, v in r.facts.items() if isinstance(v, int)} for r in reports}
    write_json(root / MANIFEST, {**registry.manifest(root), "expect": counts})

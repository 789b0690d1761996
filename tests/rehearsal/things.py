"""Tiny files of THINGS: concepts, triplets, embeddings, features and images."""

from __future__ import annotations

import numpy as np

from humalign.data.row_orders import ORDERS, in_order
from humalign.store import write_json, write_text

from .writer import CONCEPTS


def choices(writer, n: int, order: str = "sorted") -> np.ndarray:
    """Responses (n, 3) by the latent embedding, objects numbered in ``order``."""
    ids = in_order(CONCEPTS, order)
    place = np.array([CONCEPTS.index(name) for name in ids])
    values = writer.latent[place]
    rows = writer.rng.random((n, len(ids))).argsort(1)[:, :3]
    a, b, c = (values[rows[:, k]] for k in range(3))
    logits = np.stack([(b * c).sum(1), (a * c).sum(1), (a * b).sum(1)], 1)  # similarity of the pair without 0, 1, 2
    odd = (logits + writer.rng.gumbel(size=logits.shape)).argmax(1)
    kept = rows[np.arange(3) != odd[:, None]].reshape(-1, 2)
    return np.column_stack([kept, rows[np.arange(n), odd]])


def repeated(writer, questions: int, answers: int) -> np.ndarray:
    """Responses to some questions, each asked of ``answers`` people: most choose as the first one does."""
    rows = np.repeat(choices(writer, questions), answers, axis=0)
    other = writer.rng.random(len(rows)) < 0.3
    rows[other] = rows[other][:, [0, 2, 1]]
    return rows


def things(writer):
    """Concepts, categories, triplets, embeddings, features and images of THINGS."""
    m = len(CONCEPTS)
    lines = ["Word\tuniqueID\tTop-down Category (WordNet)"]
    lines += [f"{name.replace('_', ' ')}\t{name}\tkind{k % 5}" for k, name in enumerate(CONCEPTS)]
    write_text(writer.path("things/concepts/things_concepts.tsv"), "\n".join(lines) + "\n")
    others = [in_order(CONCEPTS, name) for name in ORDERS[1:]]
    rows = [",".join(map(str, (k, name, *(one.index(name) for one in others)))) for k, name in enumerate(CONCEPTS)]
    head = "sorted_index,uniqueID," + ",".join(f"{name}_index" for name in ORDERS[1:])
    write_text(writer.path("things/concepts/row_orders.csv"), "\n".join([head, *rows]) + "\n")
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
        write_text(writer.path(f"things/concepts/{name}"), "\n".join(table) + "\n")
    for name, n in (("trainset", 900), ("validationset", 200), ("testset3", 300)):
        writer.text(f"things/triplets/{name}.txt", choices(writer, n))
    writer.text("things/triplets/testset1.txt", repeated(writer, 120, 4))
    first = repeated(writer, 120, 4)
    again = np.where(writer.rng.random((len(first), 1)) < 0.2, first[:, [2, 1, 0]], first)
    writer.text("things/triplets/testset2.txt", first)
    writer.text("things/triplets/testset2_repeat.txt", again)
    people = writer.rng.integers(0, 9, 6000)
    writer.text("things/triplets/test_10_ID.txt", np.column_stack([choices(writer, 6000), people]))
    some, people = repeated(writer, 60, 4), np.tile(np.arange(4), 60)
    writer.text("things/triplets/responses_2025.txt", np.column_stack([some, people]))
    for name in ("people", "gpt4", "chatgpt35"):
        writer.text(f"things/llm/{name}.txt", choices(writer, 400))
    for name, n in (("train_90", 900), ("test_10", 100), ("correct_triplets", 400)):
        writer.npy(f"things/triplets/{name}.npy", choices(writer, n, "raw"))
    writer.text("things/triplets/data1854_batch5_test10.txt", choices(writer, 100, "raw"))
    _large(writer)
    of = {name: writer.latent[[CONCEPTS.index(c) for c in in_order(CONCEPTS, name)]] for name in ORDERS}
    writer.npy("things/embeddings/vice_42d.npy", of["raw"].astype(np.float32))
    writer.npy("things/embeddings/vice_44d.npy", of["raw"].astype(np.float32))
    writer.npy("things/dimensions/vice_embedding.npy", of["raw"].astype(np.float32))
    for name in ("49d", "66d"):
        writer.text(f"things/embeddings/spose_embedding_{name}_sorted.txt", of["sorted"], "%.6f")
    mix = writer.rng.normal(size=(6, 16))
    writer.npy("things/features/clip_vit_b32.npy", (of["upper"] @ mix).astype(np.float32))
    writer.npy("things/features/word2vec.npy", (of["sorted"] @ mix).astype(np.float32))
    writer.npy("things/features/vgg16_srf200.npy", np.abs(of["raw"] @ mix).astype(np.float32))
    p = writer.rng.dirichlet([1, 1, 1], 1000)
    writer.npy("things/probas/probabilities_all_triplets.npy", p)
    writer.npy("things/entropies/entropies_all_triplets.npy", -(p * np.log(p)).sum(1))
    for name in CONCEPTS:
        writer.image(f"things/images/{name}.jpg")
        writer.image(f"things/object_images_CC0/{name}.jpg")
        for letter in "bs":
            writer.image(f"things/object_images/{name}/{name}_01{letter}.jpg")
    writer.npy("things_eeg2_200/clip_vit_l14.npy", writer.rng.normal(size=(20, 1, 12)).astype(np.float32))
    names = [f"{k + 1:05d}_{name}" for k, name in enumerate(CONCEPTS[:20])]
    write_json(
        writer.path("things_eeg2_200/things_eeg2_test200.json"),
        {
            "test_img_concepts": names,
            "test_img_concepts_THINGS": names,
            "test_img_files": [f"{n[6:]}_01b.jpg" for n in names],
        },
    )


def _large(writer):
    rows = choices(writer, 600)
    lines = ["\t".join(("image1", "image2", "image3", "choice", "RT", "noise_ceiling", "subject_id"))]
    for a, b, odd in rows:
        place = int(writer.rng.integers(3))
        shown = [a, b]
        shown.insert(place, odd)
        person, ceiling = int(writer.rng.integers(20)), int(writer.rng.integers(4))
        lines.append("\t".join(str(v) for v in (*[s + 1 for s in shown], place + 1, 2500, ceiling, f"p{person:03d}")))
    name = "things/triplets/triplets_large_final_correctednc_correctedorder.csv"
    write_text(writer.path(name), "\n".join(lines) + "\n")

"""Odd-one-out accuracy and RSA at the size of THINGS."""

import numpy as np

from humalign import odd_one_out, rsa
from humalign.similarity import similarity_matrix

from .timing import best, head, line, once

OBJECTS, WIDTH, TRIPLETS = 1854, 768, 4_200_000


def random_triplets(n, m=OBJECTS, seed=0):
    """n triplets of three different objects."""
    rows = np.random.default_rng(seed).integers(0, m, (n + n // 50 + 100, 3))
    keep = (rows[:, 0] != rows[:, 1]) & (rows[:, 0] != rows[:, 2]) & (rows[:, 1] != rows[:, 2])
    return rows[keep][:n]


def gather_rows(features, triplets, batch=10_000):
    """Reference: cosine similarities by gathering the feature rows of each batch of triplets."""
    hits = 0
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    for start in range(0, len(triplets), batch):
        a, b, c = (unit[triplets[start : start + batch, column]] for column in range(3))
        ab, ac, bc = ((u * v).sum(1) for u, v in ((a, b), (a, c), (b, c)))
        hits += int(((ab >= ac) & (ab >= bc)).sum())
    return hits / len(triplets)


def gather_rows_torch(features, triplets, batch=10_000):
    """The same reference with torch."""
    import torch

    unit = torch.nn.functional.normalize(torch.from_numpy(features), dim=1)
    rows, hits = torch.from_numpy(triplets), 0
    for part in rows.split(batch):
        a, b, c = (unit[part[:, column]] for column in range(3))
        ab, ac, bc = ((u * v).sum(1) for u, v in ((a, b), (a, c), (b, c)))
        hits += int(((ab >= ac) & (ab >= bc)).sum())
    return hits / len(triplets)


def zero_shot():
    """Accuracy of 4.2 million triplets, similarity matrix included."""
    head(f"zero-shot odd-one-out accuracy: {TRIPLETS:,} triplets, {OBJECTS:,} objects x {WIDTH}, float32")
    features = np.random.default_rng(0).standard_normal((OBJECTS, WIDTH)).astype(np.float32)
    triplets = random_triplets(TRIPLETS)
    seconds = best(lambda: odd_one_out.accuracy(similarity_matrix(features), triplets), 5)
    share = 10
    few = triplets[: TRIPLETS // share]
    part, value = once(lambda: gather_rows(features, few))
    agree = abs(value - odd_one_out.accuracy(similarity_matrix(features), few))
    note = f"reference: {share * part:.1f} s (gathered rows, NumPy, from a tenth); difference {agree:.0e}"
    line("accuracy(similarity_matrix(features), triplets)", seconds, share * part, "<= 0.4 s", note)
    part, _ = once(lambda: gather_rows_torch(features, few))
    line("  the same beside torch", seconds, share * part, ">= 100 x", f"reference: {share * part:.1f} s (torch)")


def representational_similarity():
    """Two RDMs and their Spearman correlation."""
    head(f"RSA: two correlation RDMs of {OBJECTS:,} objects and their Spearman correlation")
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((OBJECTS, WIDTH)).astype(np.float32) for _ in range(2))
    seconds = best(lambda: rsa.compare(rsa.rdm(x), rsa.rdm(y)))
    try:
        import rsatoolbox
    except ImportError:
        line("rdm, rdm, compare", seconds, None, "<= 1 s", "rsatoolbox is not installed")
        return

    def reference():
        sets = [rsatoolbox.data.Dataset(values) for values in (x, y)]
        rdms = [rsatoolbox.rdm.calc_rdm(one, method="correlation") for one in sets]
        return rsatoolbox.rdm.compare(*rdms, method="spearman")

    other, value = once(reference)
    difference = abs(float(np.squeeze(value)) - rsa.compare(rsa.rdm(x), rsa.rdm(y)))
    line("rdm, rdm, compare", seconds, other, "<= 1 s", f"rsatoolbox: {other:.2f} s; difference {difference:.0e}")

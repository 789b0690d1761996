"""The list of alignment experiments of the drawn world, in the order of the protocol (PROTOCOL.md)."""

from __future__ import annotations

from dataclasses import dataclass

from ..alignet.settings import PRIMARY
from ..chapters.student import NAMES
from ..edition import NOW
from .students import StudentRun

STUDENTS = tuple(NAMES)
MAIN, SEEN_TEACHER = "teacher-web", "teacher-seen"
SEEDS = (0, 1, 2)
LEAKY, SEEN = "all-resnet-l", "softmax-resnet-l"  # of the second world: labels of all concepts, of seen ones
OVERLAP = ("sigmoid-resnet-m", *(f"rewired-{share}-resnet-m" for share in (0, 25, 50, 75)), "taxonomy-resnet-m")
STEPS = 300  # of students of the second world


@dataclass(frozen=True)
class Experiment:
    """One row of the list: a stage (as in result tables) of one student and seed.

    Attributes
    ----------
    stage : str
        "base", "teacher", "AligNet", "UnAligNet", or one of these with a change behind a comma.
    model : str
    seed : int
    run : StudentRun or None
        None where nothing is trained.
    kind : str
        Map that is applied to the network's features where nothing is trained.
    """

    stage: str
    model: str
    seed: int = 0
    run: StudentRun | None = None
    kind: str = ""

    @property
    def name(self) -> str:
        """File name of its results."""
        plain = "".join(c if c.isalnum() else "-" for c in self.stage.lower())
        return f"{self.model}.s{self.seed}.{plain}"

    @property
    def key(self) -> str:
        """What its results depend on."""
        return self.run.key if self.run else f"{self.stage}/{self.kind}"


def _aligned(stage: str, model: str, seed: int, run: dict | None = None, **settings) -> Experiment:
    own = "untransformed" if stage.startswith("UnAligNet") else "human-aligned"
    steps = {"steps": STEPS, "warmup": STEPS // 20} if NOW.folder else {}
    s = PRIMARY.with_(teacher=own, seed=seed, **steps, **settings)
    return Experiment(stage, model, seed, StudentRun(student=model, seed=seed, settings=s, **(run or {})))


def _both(change: str, model: str, seed: int, run: dict | None = None, **settings):
    for stage in ("AligNet", "UnAligNet"):
        yield _aligned(f"{stage}{', ' + change if change else ''}", model, seed, run, **settings)


def plan() -> list[Experiment]:
    """All experiments of this world, in the order of its protocol."""
    return _second() if NOW.folder else _first()


def _second() -> list[Experiment]:
    """Students of a teacher that saw photographs only; then what rewired labels and other teachers change."""
    main = [Experiment("base", NOW.teacher), Experiment("teacher", NOW.teacher, kind="uncertainty")]
    for seed in SEEDS:
        for student in STUDENTS:
            main += [Experiment("base", student, seed), *_both("", student, seed)]
            main.append(_aligned("permuted", student, seed, {"kind": "permuted"}))
    for seed in SEEDS:
        for student in OVERLAP:
            main += [Experiment("base", student, seed), *_both("overlap", student, seed)]
    for change, teacher in (("leaky teacher", LEAKY), ("seen teacher", SEEN)):
        main += [Experiment("base", teacher), Experiment("teacher", teacher, kind="uncertainty")]
        for seed in SEEDS:
            main += _both(change, STUDENTS[0], seed, {"teacher": teacher})
    return main


def _first() -> list[Experiment]:
    """All but the diagnosis of ports (:mod:`humalign.experiments.diagnose`)."""
    first, main = STUDENTS[0], []
    seen = {"teacher": SEEN_TEACHER}
    for name in (MAIN, SEEN_TEACHER):
        main += [Experiment("base", name), Experiment("teacher", name, kind="uncertainty")]
    main += [Experiment("teacher, plain", MAIN, kind="plain"), Experiment("teacher, gLocal", MAIN, kind="glocal")]
    for student in STUDENTS:
        main += [Experiment("base", student), *_both("", student, 0)]
    main += _both("seen teacher", first, 0, seen)
    main += _both("from scratch", first, 0, {"scratch": True})
    main += _both("seen pictures", first, 0, {"pictures": "seen"})
    for seed in SEEDS[1:]:
        for student in STUDENTS:
            main += [Experiment("base", student, seed), *_both("", student, seed)]
    for decay in (0.0, 1.0, 30.0):
        main.append(_aligned(f"AligNet, decay {decay:g}", first, 0, decay=decay))
    main += _both("no local term", first, 0, local=0.0)
    main.append(_aligned("AligNet, JSD", first, 0, loss="jsd"))
    main.append(_aligned("AligNet, head", first, 0, head=1024))
    main.append(_aligned("AligNet, cosine", first, 0, similarity="cosine"))
    main.append(_aligned("AligNet, border only", first, 0, {"rule": "cluster_border"}))
    main.append(_aligned("AligNet, random only", first, 0, {"rule": "random"}))
    main.append(_aligned("AligNet, temperature 10", first, 0, temperature=10.0))
    main.append(_aligned("AligNet, judged all", first, 0, {"judged": "all"}))
    main.append(_aligned("AligNet, plain teacher", first, 0, {"kind": "plain"}))
    main.append(_aligned("AligNet, gLocal teacher", first, 0, {"kind": "glocal"}))
    main.append(_aligned("AligNet, without H2 pictures", first, 0, {"pictures": "without H2"}))
    for student in STUDENTS[1:]:
        main += _both("seen teacher", student, 0, seen)
    for change, run in (
        ("seen teacher", seen),
        ("from scratch", {"scratch": True}),
        ("seen pictures", {"pictures": "seen"}),
    ):
        for seed in SEEDS[1:]:
            main += _both(change, first, seed, run)
    return main

"""AligNet on real people: networks pretrained on ImageNet, aligned on photographs with a teacher that people taught."""

from __future__ import annotations

ROLES, OPTIONAL = (), ()  # recorded runs
VERSION = 1  # of what is kept: goes up when its numbers change
CLAIMS = "claims_aligned.toml"
RUNS, LOG, CHOSEN, TEACHER = (f"real_alignet_{name}.csv" for name in ("runs", "log", "chosen", "teacher"))
HELD_OUT, CHOOSING = "real_alignet_held_out.txt", "real_alignet_choosing.txt"
STUDENTS = {  # short names, for axes
    "efficientnet-lite0": "EfficientNet-Lite0",
    "efficientnet-lite1": "EfficientNet-Lite1",
    "squeezenet1_0": "SqueezeNet",
}
STAGES = ("base", "permuted", "UnAligNet", "AligNet")
NATIVE = "base, own size"  # the untouched network with pictures of the size that it was trained with
EMBEDDINGS = ("things/spose_49", "things/vice_42")  # fitted to people's choices, about held-out concepts, too
KINDS = ("human bodypart", "human face", "nonhuman bodypart", "nonhuman face", "artificial inanimate",
         "natural inanimate")  # of the 92 images  # fmt: skip
SHOTS = (1, 2, 4)


def examples(shots: int) -> str:
    """The detail of rows on categories learned from some examples of each."""
    return f"categories, {shots} example{'s' if shots > 1 else ''}"

"""Results of further training runs of the mini zoo, recorded where their weights exist."""

from __future__ import annotations

from pathlib import Path

from ..errors import MissingData
from ..measured import Measured, combine
from . import concepts, networks, probing, rsa, zero_shot

FURTHER = (1, 2)


def measure(profile, seeds=FURTHER) -> Measured:
    """Zero-shot accuracy, probing, RSA and regression of the training runs at hand.

    Parameters
    ----------
    profile : Profile
    seeds : sequence of int
        Training runs; those without any weights are left out.

    Raises
    ------
    MissingData
        When no weights of these runs are at hand.
    """
    here = tuple(seed for seed in seeds if networks.trained(profile, seed))
    if not here:
        listed = ", ".join(map(str, seeds))
        raise MissingData(f"there are no weights of seeds {listed}", "mini zoo", "run 'humalign world train --all'")
    parts = [study.measure(profile, here) for study in (zero_shot, probing, rsa)]
    return combine(*parts, concepts.regression_accuracy(profile, here))


def record(profile, folder=None) -> list[Path]:
    """Measure the further training runs and store them beside the package's other records."""
    path = networks.recorded_path() if folder is None else Path(folder) / networks.recorded_path().name
    return [measure(profile).save(path)]

"""Linear transforms of features towards human choices: probe, cross-validation, gLocal, soft teacher."""

from .certificate import Certificate, certify
from .cv import STRENGTHS, CrossValidation, cross_validate, cross_validation, harsh_scores, select_strength
from .engine import Objective, TripletLikelihood, loss
from .fitting import fit
from .glocal import fit_glocal, local_loss
from .partitions import object_folds, partition, partition_masks
from .transform import LinearTransform, standardisation

__all__ = [
    "STRENGTHS",
    "Certificate",
    "CrossValidation",
    "LinearTransform",
    "Objective",
    "TripletLikelihood",
    "certify",
    "cross_validate",
    "cross_validation",
    "fit",
    "fit_glocal",
    "harsh_scores",
    "local_loss",
    "loss",
    "object_folds",
    "partition",
    "partition_masks",
    "select_strength",
    "standardisation",
]

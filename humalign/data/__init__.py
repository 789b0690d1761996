"""Human data: triplets, dissimilarities, embeddings, images; one registry, everything aligned by id."""

from .registry import available, entries, entry, load, table
from .types import ConceptEmbedding, Features, HumanRDM, Stimuli, Triplets

__all__ = [
    "ConceptEmbedding",
    "Features",
    "HumanRDM",
    "Stimuli",
    "Triplets",
    "available",
    "entries",
    "entry",
    "load",
    "table",
]

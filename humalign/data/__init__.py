"""Human data: triplets, dissimilarities, embeddings, images; one registry, everything aligned by id."""

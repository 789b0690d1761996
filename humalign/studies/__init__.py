"""What the book computes: one module a topic, from a profile to tidy tables; measures above, figures below."""

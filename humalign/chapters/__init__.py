"""The chapters of the book: one module a notebook, with what it measures, its numbers and its figures."""

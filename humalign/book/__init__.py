"""The book: what its pages require and cost, how its notebooks run, and how Sphinx builds them."""

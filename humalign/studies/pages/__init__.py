"""What a page of the book shows of a study: numbers for its prose, rows for its tables; nothing is measured here."""

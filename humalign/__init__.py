"""How neural networks see compared with people: measures, data, models and the book of two papers."""

__version__ = "0.1.0"

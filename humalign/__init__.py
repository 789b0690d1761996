"""How neural networks see compared with people: measures, data, models and the book of two papers."""

import os as _os

__version__ = "0.1.0"

# Threads that wait for each other without spinning: on a busy machine two of them are up to 17 times slower otherwise.
# OpenMP reads it once, when torch is loaded.
_os.environ.setdefault("OMP_WAIT_POLICY", "passive")

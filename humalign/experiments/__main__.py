"""``python -m humalign.experiments``: run the alignment experiments that are not finished."""

import sys

from .queue import main

sys.exit(main())

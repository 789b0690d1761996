"""``python -m benchmarks``: all benchmarks, or those named on the command line."""

import sys

from .run import main

sys.exit(main())

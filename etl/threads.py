"""One thread for libraries' small steps, where this is imported before them: they ask once.

A load is thousands of small steps and a few long passes. To wake a second thread for each small step costs more than it
helps: a twentieth of the work, and no load ends earlier by it. (Making the demo country is long steps, and does not
import this.)
"""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

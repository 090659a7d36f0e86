"""What a load asks of its process, where this is imported before the libraries: they look once.

One thread for libraries' small steps. A load is thousands of small steps and a few long passes. To wake a second thread
for each small step costs more than it helps: a twentieth of the work, and no load ends earlier by it. (Making the demo
country is long steps, and does not import this.)

Memory that Polars lets go of stays with it for a minute. A month's load is over by then; to give back each large column
and ask for it again soon after is another twentieth of its work.

Rubbish that refers to itself is looked for seldom. The libraries make half a million objects that stay, and looking
through them again and again is a thirtieth of a month's load; what a load itself lets go of is arrays, which are free
at once.

Numba without linear algebra. It imports SciPy's for functions that nothing here compiles, which takes a fortieth of a
month's load.
"""

import gc
import os
import sys

os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:60000,muzzy_decay_ms:60000")
gc.set_threshold(100_000, 50, 100)

if "scipy.linalg" not in sys.modules:
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment]  # to Numba it is not installed
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        del sys.modules["scipy.linalg"]

"""m26 under limits of descriptors: ``python -m tests.support.limited SOFT HARD ARGUMENTS…``."""

from __future__ import annotations

import os
import resource
import sys

if __name__ == "__main__":
    soft, hard, *arguments = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(soft), int(hard)))
    os.execv(sys.executable, [sys.executable, "-m", "m26", *arguments])

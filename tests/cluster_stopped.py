# SPDX-License-Identifier: GPL-2.0
"""Two boots on a cluster that come to no good end; for test_cluster.py.

python -m tests.cluster_stopped lasts|bars SCHEDULER FOLDER
"""

import sys
from pathlib import Path

from harness.cluster import Cluster
from harness.dispatch import Dispatcher, Manner
from harness.errors import HarnessError, Outcome
from harness.past import Past
from harness.places import Places
from harness.progress import SilentProgress
from harness.record import KernelRecord
from harness.session import recorded
from tests.test_cluster import WAITS, order

SPEAKS = "Linux version 6.1.0 (user@host)\n"
"""And does not power off, which would end it."""


def main(act: str, scheduler: str, folder: Path) -> int:
    places = Places(folder / "cache", folder / "runs")
    try:
        with recorded(places, ("slqb",), 1, Path("slqb")) as recorder:
            recorder.add(KernelRecord(name="k", image="k/vmlinux", image_sha256=""))
            lasts = f"echo $$ >> {folder}/qemus; {WAITS}"
            orders = [order(folder, recorder, name, SPEAKS, lasts) for name in "ab"]
            if act == "bars":  # what comes back cannot be written here
                (recorder.folder / "a" / "console.log").mkdir(parents=True)
                (folder / "fake-a" / "fake-qemu").write_text("#!/bin/sh\necho QEMU 0\n")
            engine = Cluster(scheduler, places, recorder.record.name)
            past = Past.of(places)
            Dispatcher(engine, recorder, SilentProgress(), past, Manner()).carry_out(orders)
    except KeyboardInterrupt:
        return Outcome.INTERRUPTED.exit_code
    except HarnessError as error:
        print(error)
        return error.outcome.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))

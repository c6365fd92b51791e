# SPDX-License-Identifier: GPL-2.0
"""Two boots that last, on a cluster; for test_cluster.py, which interrupts them.

python tests/cluster_interrupted.py SCHEDULER FOLDER
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.cluster import Cluster
from harness.dispatch import Dispatcher, Manner
from harness.past import Past
from harness.places import Places
from harness.progress import SilentProgress
from harness.record import KernelRecord
from harness.session import recorded
from tests.fakes import PASSES
from tests.test_cluster import WAITS, order


def main(scheduler: str, folder: Path) -> int:
    places = Places(folder / "cache", folder / "runs")
    act = f"echo $$ >> {folder}/qemus; {WAITS}"
    try:
        with recorded(places, ("slqb",), 1, Path("slqb")) as recorder:
            recorder.add(KernelRecord(name="k", image="k/vmlinux", image_sha256=""))
            orders = [order(folder, recorder, name, PASSES, act) for name in "ab"]
            engine = Cluster(scheduler, places, recorder.record.name)
            past = Past.of(places)
            Dispatcher(engine, recorder, SilentProgress(), past, Manner()).carry_out(orders)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))

"""A process that has imported everything and plays cases in forked children: names on stdin, outcomes on stdout.

python warm.py {pmpo|trl} FOLDER       a case's name a line -> its outcome as a line of JSON
"""

import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "integrations")]
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

from cases import CASES, Bench  # noqa: E402 - the folders must be on the path first


def main() -> None:
    kind, folder = sys.argv[1:]
    bench = Bench(kind, Path(folder))
    for line in sys.stdin:
        print(json.dumps(bench.play(CASES[line.rstrip("\n")])), flush=True)


if __name__ == "__main__":
    main()

"""`python -m pmpo` is the same as the console script `pmpo`."""

import sys

from pmpo.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""`python -m gramspec.cli`: the same as the `gramspec` command."""

import sys

from gramspec.cli import main

if __name__ == "__main__":
    sys.exit(main())

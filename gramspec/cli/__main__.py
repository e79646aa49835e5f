"""`python -m gramspec.cli`: the same as the `gramspec` command.

Law: exit codes of `gramspec.cli.main`.
Source: API, "Command line".
"""

import sys

from gramspec.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Run agents on an unlearning environment, measure what is left, and write a report.

The same as ``unlearn-gym evaluate``; the code is in ``unlearn_gym/cli/evaluate``.
"""

import sys

from unlearn_gym import cli

if __name__ == "__main__":  # worker processes import this file
    sys.exit(cli.run("evaluate", sys.argv[1:], ("python", sys.argv[0])))

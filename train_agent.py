"""Train an agent to choose λ, or finish a run that was killed (``--resume runs/ppo``).

The same as ``unlearn-gym train``; the code is in ``unlearn_gym/cli/train.py``.
"""

import sys

from unlearn_gym import cli

if __name__ == "__main__":  # environments in processes of their own import this file
    sys.exit(cli.run("train", sys.argv[1:], ("python", sys.argv[0])))

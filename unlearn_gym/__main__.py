"""``python -m unlearn_gym``, and the command ``unlearn-gym``."""

import sys

from unlearn_gym.cli import main

if __name__ == "__main__":
    sys.exit(main())

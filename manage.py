#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it starts the embedded PostgreSQL first."""

import os
import sys

from jhe import env


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jhe.settings")
    if not env.DATABASE_URL and env.DEBUG:
        from jhe import embedded  # a development package: production installs without it

        embedded.ensure_running(env.DATA_DIR)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

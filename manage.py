#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it starts the embedded PostgreSQL first."""

import os
import sys

from jhe import env

UNDEFINED_TABLE = "42P01"  # PostgreSQL, Appendix A


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jhe.settings")
    if not env.DATABASE_URL and env.DEBUG:
        from jhe import embedded  # a development package: production installs without it

        embedded.ensure_running(env.DATA_DIR)
    from django.core.management import execute_from_command_line
    from django.db import ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ProgrammingError as error:
        if getattr(error.__cause__, "pgcode", None) != UNDEFINED_TABLE:
            raise
        sys.exit("This database lacks tables: run `manage.py migrate` or `make demo`, or set JHE_DATA_DIR to theirs.")


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it starts the embedded PostgreSQL first."""

import os
import sys

from jhe import env

OWNERS_COMMANDS = {"migrate", "seed", "database_password"}
"""Run as the owner of the tables (DATABASE_OWNER_URL). All else runs as the role of the services."""

UNDEFINED_TABLE = "42P01"  # PostgreSQL, Appendix A
MIGRATE_FIRST = "This database lacks tables: run `manage.py migrate` or `make demo`, or set JHE_DATA_DIR to theirs."


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jhe.settings")
    if os.environ["DJANGO_SETTINGS_MODULE"] == "jhe.settings" and {*sys.argv[1:2]} & OWNERS_COMMANDS:
        os.environ["DJANGO_SETTINGS_MODULE"] = "jhe.owner_settings"
    if not env.DATABASE_URL and env.DEBUG:
        from jhe import embedded  # a development package: production installs without it

        embedded.ensure_running(env.DATA_DIR)
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ProgrammingError as error:
        if getattr(error.__cause__, "pgcode", None) != UNDEFINED_TABLE:
            raise
        sys.exit(MIGRATE_FIRST)
    except OperationalError as error:
        if 'role "jhe_app" does not exist' not in str(error):  # made by the first migration
            raise
        sys.exit(MIGRATE_FIRST)


if __name__ == "__main__":
    main()

"""The settings of the commands that make or own tables (manage.py names them); the services use jhe/settings.py."""

import dj_database_url

from jhe import development
from jhe.settings import *  # noqa: F403

DATABASES = {"default": dj_database_url.parse(development.database_owner_url(), conn_max_age=0)}

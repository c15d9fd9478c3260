"""The settings of the web service on a throw-away database that ends with the test run."""

import atexit
import os
import signal
from contextlib import ExitStack

from jhe import embedded

# A run that is told to end ends like one that is interrupted, so that the database goes too.
signal.signal(signal.SIGTERM, signal.default_int_handler)
_until_the_end = ExitStack()
atexit.register(_until_the_end.close)
DATA_DIR = _until_the_end.enter_context(embedded.throw_away())

os.environ["JHE_DATA_DIR"] = str(DATA_DIR)
os.environ["DATABASE_URL"] = embedded.database_url(DATA_DIR)

from jhe.settings import *  # noqa: E402, F403  (jhe.settings reads the two variables above)

# Argon2 is slow on purpose; tests log in all the time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", "core.passwords.MachineSecretHasher"]

# As in development: static files come from where they are kept, nothing is collected.
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True

"""The web service, as production and `make demo` serve it: uvicorn jhe.asgi:application."""

import os
from importlib import import_module

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jhe.settings")

application = get_asgi_application()
import_module(settings.ROOT_URLCONF)  # with every view, so that the first request does not wait for it

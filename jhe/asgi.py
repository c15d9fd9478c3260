"""The web service, as production and `make demo` serve it: uvicorn jhe.asgi:application."""

import os
from importlib import import_module

from django.conf import settings
from django.core.asgi import get_asgi_application

from core.web.body_limit import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jhe.settings")

application = BodyLimit(get_asgi_application())  # type: ignore[arg-type] # django-stubs has words of its own for ASGI
import_module(settings.ROOT_URLCONF)  # with every view, so that the first request does not wait for it

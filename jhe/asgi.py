"""The web service, as production and `make demo` serve it: uvicorn jhe.asgi:application."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jhe.settings")

application = get_asgi_application()

"""The web service, the same in production and in the demo: `python -m jhe`."""

import uvicorn

from jhe import env


def main() -> None:
    uvicorn.run(
        "jhe.asgi:application",
        host=env.WEB_HOST,
        port=env.WEB_PORT,
        http="httptools",
        lifespan="off",
        log_config=None,  # Django's own, see jhe/settings.py
        access_log=False,  # a URL can carry an authorization code or a name that somebody searched for
        server_header=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()

# One image for both services; fly.toml says which command each runs.

FROM python:3.11-slim AS build
WORKDIR /app
RUN pip install --no-cache-dir pipenv==2026.10.3
COPY Pipfile Pipfile.lock ./
# Every package must have one of the hashes in Pipfile.lock; nothing of [dev-packages] comes along.
RUN PIPENV_VENV_IN_PROJECT=1 pipenv sync

FROM python:3.11-slim
RUN useradd --system --home-dir /app --shell /usr/sbin/nologin exchange
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 DEBUG=false
COPY --from=build /app/.venv .venv
COPY manage.py ./
COPY jhe jhe
COPY core core
COPY mcp_server mcp_server
# The two values are not used here, but settings refuse to load without them.
RUN SECRET_KEY=none DATABASE_URL=postgres:///none python manage.py collectstatic --no-input
USER exchange
EXPOSE 8000 8001
CMD ["python", "-m", "jhe"]

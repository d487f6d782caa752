FROM python:3.12-slim

RUN useradd --system --uid 10001 --home-dir /app connector
WORKDIR /app

# The dependencies first: they change less often than the code. Every hash is checked.
COPY requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes -r requirements.lock

COPY pyproject.toml README.md ./
COPY schemas ./schemas
COPY connector ./connector
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --no-deps --no-build-isolation .

USER connector
ENV PYTHONUNBUFFERED=1
EXPOSE 8080 8090
ENTRYPOINT ["mplus-connector"]
CMD ["run"]

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# The dependencies first: they change less often than the code. Every hash is checked.
COPY requirements.lock ./
RUN pip wheel --require-hashes --wheel-dir wheels -r requirements.lock

# From here on only what was checked is used, and of it only what the program needs: no development tools.
COPY pyproject.toml README.md ./
COPY schemas ./schemas
COPY connector ./connector
RUN pip wheel --no-index --find-links wheels --no-deps --wheel-dir wheels . \
    && python -m venv --without-pip /app \
    && pip --python /app/bin/python install --no-index --find-links wheels 'mplus-connector[worker]'

FROM python:3.11-slim
COPY --from=build /app /app
# The number, not the name: an orchestrator can then see that this is not root.
USER 10001:10001
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8080 8090
ENTRYPOINT ["mplus-connector"]
CMD ["run"]

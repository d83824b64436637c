# The service. The first stage builds a wheel; the second installs it, without build tools.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml requirements.lock hatch_build.py README.md LICENSE ./
COPY charts charts
COPY sounds sounds
COPY docs/runbooks docs/runbooks
COPY client client
COPY exporter exporter
RUN pip wheel --no-cache-dir --wheel-dir /wheels --require-hashes --requirement requirements.lock \
    && pip wheel --no-cache-dir --wheel-dir /wheels --no-deps ./client .

FROM python:3.13-slim
ARG SOURCE_REVISION=unknown
ENV SOURCE_REVISION=${SOURCE_REVISION} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# Settings as variables: the health check sees them, too. Change them with `docker run --env`, not as flags.
ENV ERROR_VISUALIZATION_HOST=0.0.0.0 ERROR_VISUALIZATION_TOKENS_FILE=/data/tokens \
    ERROR_VISUALIZATION_DB_PATH=/data/errors.duckdb
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels error-visualization \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin errors \
    && install --directory --owner errors --group errors /data
USER errors
WORKDIR /data
VOLUME /data
EXPOSE 8080
# Ready means that a report could be committed now. Works with TLS, too, and needs no token.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["error-visualization", "health"]
ENTRYPOINT ["error-visualization"]
CMD ["serve"]

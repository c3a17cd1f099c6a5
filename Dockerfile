# Two stages: the first has pip, the last has Python, what is installed, and nothing to build with.
FROM python:3.11-slim AS build
WORKDIR /app
COPY requirements/run.txt ./
RUN python -m venv --without-pip /venv \
 && python -m pip --python /venv/bin/python install --no-cache-dir --only-binary :all: --require-hashes --requirement run.txt
COPY main.py ./
COPY src src
RUN python -m compileall -q main.py src

FROM python:3.11-slim
RUN python -m pip uninstall --yes --quiet --root-user-action ignore setuptools wheel pip \
 && groupadd --gid 10001 atelier \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin atelier \
 && install --directory --owner=10001 --group=10001 /data /data/spool
COPY --from=build /venv /venv
COPY --from=build /app/main.py /app/
COPY --from=build /app/src /app/src
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app/src PYTHONUNBUFFERED=1 ATELIER_HOST=0.0.0.0 ATELIER_DATA_DIR=/data PORT=8080
WORKDIR /app
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=4)"]
# Exec form: SIGTERM reaches Python itself, which then lets streams say goodbye and gives jobs back.
CMD ["python", "main.py"]

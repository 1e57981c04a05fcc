# docker build -t picture-answers .   docker run -p 5000:5000 -v qwen:/data picture-answers        (or: docker compose up)
# Model, database and caches live on the volume. Configure with environment variables (PA_BOTS_WEB_TOKEN=… is `token` in
# [bots.web]) or with a file of your own, -v ./config.toml:/app/config.toml, which takes the place of the one made below.
# The root may be read-only: docker run --read-only --tmpfs /tmp …
ARG BASE=python:3.11-slim-bookworm

# The wheel is built with a compiler from the Python registry (ziglang), so that no stage needs Debian's.
FROM ${BASE} AS build
# PyTorch's own CPU wheels: the registry's Linux build brings gigabytes of CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /source
COPY requirements*.lock ./
RUN python -m venv /opt/tools \
 && /opt/tools/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements-build.lock
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --no-deps --index-url "${TORCH_INDEX}" -r requirements-torch.lock \
 && /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml setup.py README.md LICENSE config.example.toml ./
COPY bots bots
COPY core core
COPY storage storage
RUN /opt/tools/bin/python -m build --wheel --no-isolation && /opt/venv/bin/pip install --no-cache-dir --no-deps dist/*.whl

FROM ${BASE}
RUN useradd --create-home --uid 1000 bots && install -d -o bots -g bots /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
RUN printf '%s\n' '[core.engine]' 'model = "demo"' 'cache = "/data/cache"' '[storage]' \
  'url = "sqlite+aiosqlite:////data/conversations.sqlite"' 'forgotten = "/data/forgotten.txt"' \
  '[bots.web]' 'host = "0.0.0.0"' >config.toml
USER 1000:1000
ENV PATH=/opt/venv/bin:$PATH HF_HOME=/data/huggingface MODELSCOPE_CACHE=/data/modelscope PA_CONFIG=/app/config.toml
VOLUME /data
EXPOSE 5000
# `health` asks the port that the config names.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["picture-answers", "health"]
ENTRYPOINT ["picture-answers"]
CMD ["run"]

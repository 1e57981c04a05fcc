# docker build -t picture-answers .   docker run -p 5000:5000 -v qwen:/data picture-answers
# Model, database and caches live on the volume. Configure with environment variables (PA_BOTS_WEB_TOKEN=… is `token` in
# [bots.web]) or with a file of your own, -v ./config.toml:/app/config.toml, which takes the place of the one made below.
FROM python:3.11-slim-bookworm

# PyTorch's own CPU wheels: the registry's Linux build brings gigabytes of CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# A compiler, which makes the int8 kernel fit the processor it runs on.
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 bots \
 && install -d -o bots -g bots /data

WORKDIR /app
RUN pip install --no-cache-dir --index-url "${TORCH_INDEX}" torch==2.13.0
COPY pyproject.toml requirements.lock README.md ./
COPY bots bots
COPY core core
COPY storage storage
RUN pip install --no-cache-dir -c requirements.lock -e ".[telegram,slack,postgres,modelscope]"

RUN printf '%s\n' '[core.engine]' 'model = "demo"' 'cache = "/data/cache"' '[storage]' \
  'url = "sqlite+aiosqlite:////data/conversations.sqlite"' '[bots.web]' 'host = "0.0.0.0"' >config.toml
USER 1000:1000
ENV HF_HOME=/data/huggingface MODELSCOPE_CACHE=/data/modelscope PA_CONFIG=/app/config.toml
VOLUME /data
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "bots"]
CMD ["run"]

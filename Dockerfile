# A server of runs on CPUs: see docs/serving.md, "In a container".
#
#   docker build -t weft --build-arg TORCH_INDEX=ADDRESS .
#   docker run -p 8000:8000 -e WEFT_TOKEN=... -v ./runs/demo/scenes:/runs/scenes weft /runs/scenes
#
# TORCH_INDEX is the address of PyTorch's wheels for CPUs, which the install page of PyTorch names; without it pip takes
# the default build, which holds several gigabytes for GPUs.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE MANIFEST.in ./
COPY weft weft
RUN pip wheel --no-cache-dir --no-deps --wheel-dir wheels .

FROM python:${PYTHON}-slim
ARG TORCH_INDEX=""
ARG EXTRAS="serve,index,onnx,audio,video"
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1
COPY constraints.txt /build/constraints.txt
COPY --from=wheel /source/wheels /build/wheels
RUN if [ -n "$TORCH_INDEX" ]; then \
        pip install --no-cache-dir --constraint /build/constraints.txt --index-url "$TORCH_INDEX" torch; \
    fi \
    && wheel="$(ls /build/wheels/*.whl)" \
    && pip install --no-cache-dir --constraint /build/constraints.txt "$wheel[$EXTRAS]" \
    && rm -r /build \
    && useradd --uid 10001 --create-home weft
USER weft
WORKDIR /home/weft
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["weft", "serve", "--host", "0.0.0.0", "--port", "8000"]

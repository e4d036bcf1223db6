# A server of runs on CPUs: see docs/serving.md, "In a container".
#
#   docker build -t weft --build-arg TORCH_INDEX=ADDRESS .
#   docker run --init -p 127.0.0.1:8000:8000 -e WEFT_TOKEN -v ./runs/demo/scenes_objects:/runs/objects weft /runs/objects
#
# TORCH_INDEX is the address of PyTorch's wheels for CPUs, which the install page of PyTorch names; without it pip takes
# the default build, which holds several gigabytes for GPUs. EXTRAS are the extras of weft that the runs need.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS wheel
WORKDIR /source
COPY constraints.txt pyproject.toml README.md LICENSE MANIFEST.in ./
COPY weft weft
# The tools that build the wheel are pinned, too: by the first name before pip 25.3, by the second one from then on.
RUN PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
    pip wheel --no-cache-dir --no-deps --wheel-dir wheels .

FROM python:${PYTHON}-slim
ARG TORCH_INDEX=""
ARG EXTRAS="serve,index,onnx,audio,video"
ENV PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 PIP_ROOT_USER_ACTION=ignore
RUN useradd --uid 10001 --user-group --create-home weft
COPY constraints.txt /build/constraints.txt
# In a layer of its own, which a change of weft leaves as it is. Its dependencies come with those of weft: PyTorch's
# index need not have the versions that are pinned.
RUN if [ -n "$TORCH_INDEX" ]; then \
        pip install --no-cache-dir --no-deps --constraint /build/constraints.txt --index-url "$TORCH_INDEX" torch; \
    fi
COPY --from=wheel /source/wheels /build/wheels
# The base image has no bytecode of the standard library, and the server cannot write it. The last line writes it for
# what the server and the health check import, so that they need not compile it at each start.
RUN wheel="$(ls /build/wheels/*.whl)" \
    && pip install --no-cache-dir --constraint /build/constraints.txt "$wheel[$EXTRAS]" \
    && pip check \
    && python -c "import urllib.request, weft.serve.app"
# By its number, so that Kubernetes sees that it is not root (runAsNonRoot).
USER 10001
WORKDIR /home/weft
EXPOSE 8000
# The first start writes the towers of a run in other formats, which can take minutes.
HEALTHCHECK --interval=30s --timeout=15s --start-period=300s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=10)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["weft", "serve", "--host", "0.0.0.0", "--port", "8000"]

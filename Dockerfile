# igcnas for a cluster: docs/cluster.md. The torch of the package index for Linux on x86_64 brings CUDA and works on a
# CPU, too; TORCH_INDEX names another index, as that of the smaller builds for CPUs.
ARG PYTHON=3.12
FROM python:${PYTHON}-slim

ARG TORCH_INDEX=
LABEL org.opencontainers.image.title="igcnas" \
    org.opencontainers.image.description="Architecture search for interleaved group convolution networks under a budget" \
    org.opencontainers.image.licenses="Apache-2.0"
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

# The compiler is for `--runtime c`, which compiles model.c where it runs; wget for the probes of KubeRay.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev wget \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 igcnas \
    && mkdir /studies && chown igcnas /studies

WORKDIR /opt/igcnas
COPY constraints.txt pyproject.toml setup.py README.md LICENSE ./
# First what changes seldom. ray[default] takes jobs, which KubeRay hands in.
RUN version=$(sed -n 's/^torch==//p' constraints.txt) \
    && pip install --constraint constraints.txt "torch==$version" ${TORCH_INDEX:+--index-url "$TORCH_INDEX"}
COPY run_search.py ./
COPY igcnas igcnas
COPY search_spaces search_spaces
COPY analysis analysis
RUN pip install --constraint constraints.txt ".[all,postgresql,ray]" "ray[default]"

USER igcnas
ENV IGCNAS_STUDIES=/studies RAY_USAGE_STATS_ENABLED=0
# For the processor that builds; another one compiles them once, at its first search.
RUN python -m igcnas.execution.cpu
WORKDIR /studies
ENTRYPOINT ["igcnas"]
CMD ["--help"]

"""A RayJob for KubeRay (ray.io/v1): a head that searches, workers that train, studies on a volume of the head."""

from __future__ import annotations

import argparse
import re
import shlex
from importlib import metadata
from typing import Any

from igcnas.cli.cluster.job import Job, add_resources, check_resources
from igcnas.cli.cluster.yaml import dumped
from igcnas.errors import IgcnasError
from igcnas.system.checks import shown

NEXT = "kubectl create -f"
STUDIES = "/studies"
DESCRIPTION = (
    "Prints a manifest for KubeRay: a RayJob whose head runs the command and trains nothing, and whose workers train. "
    f"Studies are written to a persistent volume, {STUDIES}; data that lie there, too, are sent to the workers. Where "
    "the head or the job is lost, a new cluster goes on with the study."
)
_USER = 1000  # of the image, whose group the volume gets
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?")
_HEADER = """# Written by igcnas cluster kubernetes; docs/cluster.md explains it. KubeRay 1.2 or newer.
# The image needs igcnas with its extra `ray`, and ray[default], which takes jobs: the Dockerfile of igcnas has both.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    add_resources(parser, of="worker pod")
    add = parser.add_argument
    add("--image", metavar="IMAGE", help="the container image, as your cluster names it; needed")
    add("--claim", metavar="NAME", help="the persistent volume claim that studies are written to; needed")
    add("--namespace", metavar="NAME", help="of the job (default: that of kubectl)")
    add("--secret", metavar="NAME", help="a secret whose entries the command finds in its environment, as PGPASSWORD")
    add("--retries", type=int, default=3, metavar="N", help="further clusters, if one is lost (default: %(default)s)")


def text(arguments: argparse.Namespace, job: Job) -> str:
    """The manifest."""
    check_resources(arguments)
    for option, what in (("image", "the container image that the pods run"), ("claim", "the volume of the studies")):
        if getattr(arguments, option) is None:
            raise IgcnasError(f"--{option} is missing: {what} (docs/cluster.md)")
    for option in ("claim", "namespace", "secret"):
        value = getattr(arguments, option)
        if value is not None and not _NAME.fullmatch(value):
            raise IgcnasError(f"--{option} {shown(value)} must be lower-case letters, digits, hyphens and dots")
    if not arguments.image or arguments.image.split() != [arguments.image]:
        raise IgcnasError(f"--image {shown(arguments.image)} must be the name of an image")
    if not 0 <= arguments.retries <= 1000:
        raise IgcnasError(f"--retries {arguments.retries} must be from 0 to 1000")
    return _HEADER + dumped(manifest(arguments, job))


def manifest(arguments: argparse.Namespace, job: Job) -> dict[str, Any]:
    """The same as mappings and lists."""
    spec: dict[str, Any] = {
        "entrypoint": _entrypoint(arguments, job),
        "backoffLimit": arguments.retries,  # each is a new cluster
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": 60,
        "rayClusterSpec": {
            **_version(),
            "headGroupSpec": {
                "rayStartParams": {"num-cpus": "0", "num-gpus": "0", "dashboard-host": "0.0.0.0"},
                "template": {"spec": _head(arguments)},
            },
            "workerGroupSpecs": [
                {
                    "groupName": "workers",
                    "replicas": arguments.nodes,
                    "minReplicas": 1,
                    "maxReplicas": arguments.nodes,
                    "rayStartParams": {"num-cpus": str(arguments.cpus), "num-gpus": str(arguments.gpus)},
                    "template": {"spec": {"containers": [_worker(arguments)]}},
                }
            ],
        },
    }
    space = {} if arguments.namespace is None else {"namespace": arguments.namespace}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": arguments.name, **space},
        "spec": spec,
    }


def _entrypoint(arguments: argparse.Namespace, job: Job) -> str:
    """What the head runs: it waits until the workers are there, because their number decides how many train."""
    nodes = arguments.nodes
    line = job.line("auto", cores=nodes * arguments.cpus, gpus=nodes * arguments.gpus)
    if not job.has("--studies-dir"):
        line += f" --studies-dir {STUDIES}"
    waiting = f"igcnas cluster wait --nodes {nodes} --seconds 1800"
    return f"sh -c {shlex.quote(f'{waiting} && exec {line}')}"


def _head(arguments: argparse.Namespace) -> dict[str, Any]:
    container = {
        "name": "ray-head",
        "image": arguments.image,
        "resources": _resources(cpu="2", memory="8Gi"),
        "env": _environment(),
        "volumeMounts": [{"name": "studies", "mountPath": STUDIES}],
    }
    if arguments.secret is not None:
        container["envFrom"] = [{"secretRef": {"name": arguments.secret}}]
    return {
        "securityContext": {"fsGroup": _USER},
        "containers": [container],
        "volumes": [{"name": "studies", "persistentVolumeClaim": {"claimName": arguments.claim}}],
    }


def _worker(arguments: argparse.Namespace) -> dict[str, Any]:
    size = {} if arguments.memory is None else {"memory": f"{arguments.memory}i"}
    gpus = {"nvidia.com/gpu": str(arguments.gpus)} if arguments.gpus else {}
    return {
        "name": "ray-worker",
        "image": arguments.image,
        "resources": _resources(cpu=str(arguments.cpus), **size, **gpus),
        "env": _environment(),
    }


def _resources(**amounts: str) -> dict[str, Any]:
    """The same requested as allowed, so that a pod is the last to be evicted."""
    return {"requests": amounts, "limits": amounts}


def _environment() -> list[dict[str, str]]:
    return [{"name": "RAY_USAGE_STATS_ENABLED", "value": "0"}]


def _version() -> dict[str, str]:
    """The Ray of this environment, which KubeRay asks for; left out where there is none."""
    try:
        return {"rayVersion": metadata.version("ray")}
    except metadata.PackageNotFoundError:
        return {}

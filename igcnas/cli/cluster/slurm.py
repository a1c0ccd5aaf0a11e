"""A batch script that starts Ray on the nodes of its allocation and searches there."""

from __future__ import annotations

import argparse
import re
import shlex

from igcnas.cli.cluster.job import Job, add_resources, check_resources
from igcnas.errors import IgcnasError
from igcnas.system.checks import shown

NEXT = "sbatch"
DESCRIPTION = (
    "Prints a batch script for Slurm. It starts a Ray cluster of its own on the nodes that it gets, runs the command "
    "on the first, and ends both. Before the time limit the command is told to stop, and saves what it has; the same "
    "script goes on there, by itself with --until-complete."
)
_TIME = re.compile(r"\d+(-\d+(:\d+){0,2}|(:\d+){0,2})")
_WORD = re.compile(r"[\w.,:+-]+")

_SCRIPT = """#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task={cpus}
{options}# The command is told to stop so many seconds before the limit; what is preempted goes back into the queue.
#SBATCH --signal=B:TERM@{margin}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

# Written by igcnas cluster slurm; docs/cluster.md explains it. Studies and data must lie where all nodes see them, or
# at least the first: what a node lacks is sent to it.
set -u
cd "${{SLURM_SUBMIT_DIR:-.}}" || exit 1
{setup}
# Only processes of this job can join its cluster or give it work.
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))') || exit 1
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0  # at the end there is nothing to wait for

# The address of this node, its first one unless IGCNAS_HEAD_ADDRESS names another, and a port of this job.
address=${{IGCNAS_HEAD_ADDRESS:-$(hostname -I | cut -d ' ' -f 1)}}
port=$((20000 + SLURM_JOB_ID % 10000))
export HEAD="$address:$port" HEAD_PORT="$port" HEAD_ADDRESS="$address"

# On each node, until this script ends it. The first leaves one core to the command.
srun --overlap --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 --kill-on-bad-exit=0 bash -c '
    cpus=${{SLURM_CPUS_PER_TASK:-1}}
    common=(--block --num-gpus={gpus} --temp-dir="/tmp/ray-$SLURM_JOB_ID-$SLURM_NODEID"
        --min-worker-port=0 --max-worker-port=0 --disable-usage-stats)
    if [ "$SLURM_NODEID" = 0 ]; then
        exec ray start --head --node-ip-address="$HEAD_ADDRESS" --port="$HEAD_PORT" --include-dashboard=false \\
            --num-cpus=$((cpus > 1 ? cpus - 1 : 1)) "${{common[@]}}"
    fi
    for _ in $(seq 60); do  # the first node may take longer to start
        (exec 3<> "/dev/tcp/$HEAD_ADDRESS/$HEAD_PORT") 2> /dev/null && break
        sleep 2
    done
    exec ray start --address="$HEAD" --num-cpus="$cpus" "${{common[@]}}"
' &
ray=$!
end() {{
    kill "$ray" 2> /dev/null
    wait "$ray"
    step=(srun --overlap --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1)
    "${{step[@]}}" bash -c 'rm -rf "/tmp/ray-$SLURM_JOB_ID-$SLURM_NODEID"'
}}
trap end EXIT

# A signal reaches this script alone; it is passed on, and the command saves what it has.
stopped=
tell() {{ stopped=1; [ -n "${{command:-}}" ] && kill -TERM "$command" 2> /dev/null; }}
trap tell TERM INT USR1

igcnas cluster wait --ray "$HEAD" --nodes "$SLURM_JOB_NUM_NODES" --seconds 600 &
command=$!
finished() {{  # its exit status; a signal interrupts `wait`
    while true; do
        wait "$command"
        status=$?
        kill -0 "$command" 2> /dev/null || return "$status"
    done
}}
wait -n "$ray" "$command"  # whichever ends first
if ! kill -0 "$ray" 2> /dev/null; then
    echo "error: Ray did not start on all nodes; its own lines above say why" >&2
    kill "$command" 2> /dev/null
    exit 1
fi
finished || exit

{line} &
command=$!
[ -n "$stopped" ] && kill -TERM "$command" 2> /dev/null  # it came in between
finished
status=$?
{again}exit "$status"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    add_resources(parser, of="node")
    add = parser.add_argument
    add("--time", default="24:00:00", metavar="TIME", help="limit, as sbatch takes it (default: %(default)s)")
    add("--partition", metavar="NAME", help="as sbatch takes it")
    add("--account", metavar="NAME", help="as sbatch takes it")
    add("--sbatch", action="append", default=[], metavar="OPTION", help="one more option, as --sbatch=--qos=low; again")
    add("--venv", metavar="DIR", help="the virtual environment that igcnas is installed in, where all nodes see it")
    add(
        "--setup",
        action="append",
        default=[],
        metavar="LINE",
        help="a line of shell before all else, as 'module load cuda'; again",
    )
    add(
        "--margin",
        type=int,
        default=180,
        metavar="SECONDS",
        help="the command is told to stop so long before the limit (default: %(default)s)",
    )
    add("--until-complete", action="store_true", help="at the time limit the job goes back into the queue by itself")


def text(arguments: argparse.Namespace, job: Job) -> str:
    """The script."""
    check_resources(arguments)
    if not _TIME.fullmatch(arguments.time):
        raise IgcnasError(f"--time {shown(arguments.time)} must be as sbatch takes it: 90, 12:00:00 or 2-00:00:00")
    if not 60 <= arguments.margin <= 3600:
        raise IgcnasError(f"--margin {arguments.margin} must be from 60 to 3600 seconds")
    options = [("time", arguments.time)]
    options += [("gpus-per-node", arguments.gpus)] if arguments.gpus else []
    options += [("mem", arguments.memory)] if arguments.memory else []
    for name in ("partition", "account"):
        value = getattr(arguments, name)
        if value is not None and not _WORD.fullmatch(value):
            raise IgcnasError(f"--{name} {shown(value)} must be a name without blanks or quotes")
        options += [(name, value)] if value is not None else []
    lines = [f"--{name}={value}" for name, value in options]
    for given in arguments.sbatch:
        if not given.startswith("-") or "\n" in given:
            raise IgcnasError(f"--sbatch {shown(given)} must be one option of sbatch, as --sbatch=--qos=low")
        lines.append(given)
    cores = arguments.nodes * arguments.cpus - (arguments.cpus > 1)  # one is the command's
    return _SCRIPT.format(
        name=arguments.name,
        nodes=arguments.nodes,
        cpus=arguments.cpus,
        gpus=arguments.gpus,
        margin=arguments.margin,
        options="".join(f"#SBATCH {one}\n" for one in lines),
        setup=_setup(arguments),
        line=job.line('"$HEAD"', cores=cores, gpus=arguments.nodes * arguments.gpus),
        again=_AGAIN if arguments.until_complete else "",
    )


_AGAIN = """# 143: it was stopped by the signal, and has more to do.
if [ "$status" = 143 ] && [ -n "$stopped" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
"""


def _setup(arguments: argparse.Namespace) -> str:
    for given in arguments.setup:
        if "\n" in given:
            raise IgcnasError("--setup takes one line; give it again for another")
    lines = list(arguments.setup)
    if arguments.venv is not None:
        lines.append(f"source {shlex.quote(arguments.venv)}/bin/activate || exit 1")
    return "".join(f"{line}\n" for line in lines)

"""igcnas cluster: the script runs on an allocation, real but for Slurm itself; the manifest is what KubeRay takes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.workers import wait_until

from igcnas.cli import main
from igcnas.search.records import counted
from igcnas.search.study import Study

ROOT = Path(__file__).resolve().parents[1]
SEARCH = ["--budget-mflops", "0.05", "--epochs", "2", "--no-export", "--repeats", "0"]
SRUN = """#!/bin/bash
while [[ "$1" == --* ]]; do shift; done
tasks=()
for node in $(seq 0 $((SLURM_JOB_NUM_NODES - 1))); do SLURM_NODEID=$node "$@" & tasks+=($!); done
trap 'kill -TERM "${tasks[@]}" 2> /dev/null' TERM
for task in "${tasks[@]}"; do while kill -0 "$task" 2> /dev/null; do wait "$task"; done; done
"""
IMAGE = ["--image", "registry/igcnas:1", "--claim", "studies"]
# The fields of RayJob (ray.io/v1) that our manifests have, and their types, as rayjob_types.go and raycluster_types.go
# of KubeRay declare them, from which its schema is made; below a template, those of a pod (core/v1).
POD: dict[str, Any] = {
    "securityContext": {"fsGroup": int},
    "containers": [
        {
            "name": str,
            "image": str,
            "resources": {"requests": {str: str}, "limits": {str: str}},
            "env": [{"name": str, "value": str}],
            "envFrom": [{"secretRef": {"name": str}}],
            "volumeMounts": [{"name": str, "mountPath": str}],
        }
    ],
    "volumes": [{"name": str, "persistentVolumeClaim": {"claimName": str}}],
}
RAYJOB: dict[str, Any] = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str, "namespace": str},
    "spec": {
        "entrypoint": str,
        "backoffLimit": int,
        "shutdownAfterJobFinishes": bool,
        "ttlSecondsAfterFinished": int,
        "rayClusterSpec": {
            "rayVersion": str,
            "headGroupSpec": {"rayStartParams": {str: str}, "template": {"spec": POD}},
            "workerGroupSpecs": [
                {
                    "groupName": str,
                    "replicas": int,
                    "minReplicas": int,
                    "maxReplicas": int,
                    "rayStartParams": {str: str},
                    "template": {"spec": POD},
                }
            ],
        },
    },
}


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a command that is refused."""
    try:
        status = main(["cluster", *words])
    except SystemExit as error:
        status = error.code
    said = capsys.readouterr()
    assert status == 2
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "no command is given: put the options of igcnas search behind --"),
        (["--", "--budget-mflops", "none"], "--budget-mflops: invalid float value"),
        (["--", "--budget-mflops", "1", "--ray", "auto"], "--ray 'auto' is added"),
        (["--", "--budget-mflops", "1", "--storage", "postgresql://me:secret@host/db"], "holds a password"),
        (["--nodes", "0", "--", "--budget-mflops", "1"], "--nodes 0 must be from 1"),
        (["--memory", "lots", "--", "--budget-mflops", "1"], "--memory 'lots' must be a whole number"),
        (["--name", "My Job", "--", "--budget-mflops", "1"], "--name 'My Job' must be lower-case"),
        (["--time", "soon", "--", "--budget-mflops", "1"], "--time 'soon' must be as sbatch takes it"),
        (["--partition", "a b", "--", "--budget-mflops", "1"], "--partition 'a b' must be a name"),
        (["--margin", "5", "--", "--budget-mflops", "1"], "--margin 5 must be from 60"),
        (["--sbatch", "qos=low", "--", "--budget-mflops", "1"], "must be one option of sbatch"),
    ],
)
def test_what_could_not_run_is_refused_before_it_is_handed_in(words, why, capsys):
    said = refusal(capsys, "slurm", *words)
    assert why in said
    assert "secret" not in said


def test_a_manifest_needs_names_that_kubernetes_takes(capsys):
    assert "--claim" in refusal(capsys, "kubernetes", "--image", "i", "--", "--budget-mflops", "1")
    rest = ["--", "--budget-mflops", "1"]
    assert "--image" in refusal(capsys, "kubernetes", "--image", "a b", "--claim", "c", *rest)
    assert "--claim" in refusal(capsys, "kubernetes", "--image", "a", "--claim", "My_claim", *rest)


def test_whatever_a_user_gives_is_one_word_of_the_script(tmp_path, capsys):
    data = "imagefolder:/my photos/$(touch pwned)'; touch pwned"
    words = ["--venv", "/my venv", "--setup", "module load cuda", "--gpus", "2", "--nodes", "3", "--sbatch=--qos=low"]
    assert main(["cluster", "slurm", *words, "--", "--data", data, "--budget-mflops", "1", "--per-gpu", "2"]) == 0
    script = capsys.readouterr().out
    (line,) = [line for line in script.splitlines() if line.startswith("igcnas search")]
    given = ["--data", data, "--budget-mflops", "1", "--per-gpu", "2"]
    assert shlex.split(line) == ["igcnas", "search", *given, "--ray", "$HEAD", "--workers", "12", "&"]
    assert "source '/my venv'/bin/activate || exit 1" in script
    assert {"#SBATCH --gpus-per-node=2", "#SBATCH --nodes=3", "#SBATCH --qos=low", "module load cuda"} <= set(
        script.splitlines()
    )
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("words", [["retrain", "s", "--seeds", "2"], ["finish", "s"], ["audit", "s"]])
def test_campaigns_run_there_too(words, capsys):
    assert main(["cluster", "slurm", "--", *words]) == 0
    assert f"\nigcnas {' '.join(words)} --ray " in capsys.readouterr().out


def test_it_is_written_where_it_is_asked_for_and_the_next_step_is_named(tmp_path, capsys):
    out = tmp_path / "a.sbatch"
    assert main(["cluster", "slurm", "--out", str(out), "--", "--budget-mflops", "1"]) == 0
    assert out.read_text(encoding="utf-8").startswith("#!/bin/bash\n")
    assert capsys.readouterr().out == f"wrote     {out}\nnext      sbatch {out}\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Slurm's scripts are for Linux")
def test_a_job_that_is_stopped_before_its_limit_goes_on_when_it_is_queued_again(tmp_path, capsys):
    pytest.importorskip("ray")
    fakes = tmp_path / "bin"
    fakes.mkdir()
    programs = {"srun": SRUN, "scontrol": f'#!/bin/bash\necho "$@" >> {tmp_path}/scontrol.log\n'}
    programs["igcnas"] = f'#!/bin/bash\nexec {sys.executable} -m igcnas "$@"\n'
    for name, text in programs.items():
        (fakes / name).write_text(text, encoding="utf-8")
        (fakes / name).chmod(0o755)
    script = tmp_path / "job.sbatch"
    long = [*SEARCH, "--networks", "8", "--study", "s"]
    assert (
        main(["cluster", "slurm", "--nodes", "2", "--cpus", "1", "--until-complete", "--out", str(script), "--", *long])
        == 0
    )
    number = 100_000 + os.getpid()  # of the job: a folder and a port are named by it
    environment = os.environ | {
        "PATH": os.pathsep.join([str(fakes), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "IGCNAS_HEAD_ADDRESS": "127.0.0.1",
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_ID": str(number),
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "1",
        "OMP_NUM_THREADS": "1",
    }
    journal, log = tmp_path / "studies" / "s" / "journal.log", tmp_path / "job.log"

    def submitted() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(["bash", str(script)], env=environment, stdout=output, stderr=output)

    first = submitted()
    assert wait_until(lambda: "network 0" in log.read_text(encoding="utf-8"), seconds=120)
    first.send_signal(signal.SIGTERM)  # as Slurm does, so many seconds before the limit
    assert first.wait(timeout=60) == 143, log.read_text(encoding="utf-8")
    assert (tmp_path / "scontrol.log").read_text(encoding="utf-8") == f"requeue {number}\n"
    assert journal.is_file()
    assert 0 < counted(Study.read(journal.parent).records) < 8

    assert submitted().wait(timeout=120) == 0, log.read_text(encoding="utf-8")
    assert counted(Study.read(journal.parent).records) == 8
    assert "2 of 2 nodes" in log.read_text(encoding="utf-8")
    assert not list(Path("/tmp").glob(f"ray-{number}-*"))
    assert not [one for one in _processes() if f"ray-{number}-" in one]


def _processes() -> list[str]:
    import psutil

    return [" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])]


def test_waiting_for_nodes_that_never_come_ends_in_one_line(capsys):
    pytest.importorskip("ray")
    assert "--ray local has no nodes" in refusal(capsys, "wait", "--ray", "local")
    assert "--nodes 0 must be" in refusal(capsys, "wait", "--nodes", "0")


@pytest.mark.parametrize(
    "words", [[], ["--gpus", "2", "--nodes", "3", "--memory", "16G", "--namespace", "team", "--secret", "database"]]
)
def test_a_manifest_has_the_fields_and_types_that_kuberay_declares(words, capsys):
    yaml = pytest.importorskip("yaml")
    assert main(["cluster", "kubernetes", *IMAGE, *words, "--", "--budget-mflops", "1", "--data", "digits"]) == 0
    manifest = yaml.safe_load(capsys.readouterr().out)
    fits(manifest, RAYJOB, "")
    cluster = manifest["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert workers["rayStartParams"]["num-gpus"] == ("2" if words else "0")
    shell, option, line = shlex.split(manifest["spec"]["entrypoint"])
    assert (shell, option) == ("sh", "-c")
    search = line.partition(" && exec ")[2]
    assert search.startswith("igcnas search --budget-mflops 1 --data digits --ray auto --workers ")
    assert search.endswith("--studies-dir /studies")
    if words:
        (head,) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
        assert head["envFrom"] == [{"secretRef": {"name": "database"}}]


def fits(value: Any, kind: Any, path: str) -> None:
    """Every field is declared, and has its type."""
    if isinstance(kind, dict) and str in kind:
        assert isinstance(value, dict), path
        assert all(isinstance(key, str) and isinstance(inner, kind[str]) for key, inner in value.items()), path
    elif isinstance(kind, dict):
        assert isinstance(value, dict), path
        assert value.keys() <= kind.keys(), f"{path}: {value.keys() - kind.keys()}"
        for key, inner in value.items():
            fits(inner, kind[key], f"{path}.{key}")
    elif isinstance(kind, list):
        assert isinstance(value, list), path
        for item in value:
            fits(item, kind[0], f"{path}[]")
    else:
        assert type(value) is kind, f"{path}: {value!r}"


def test_what_the_image_copies_is_there_and_not_left_out():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name not in left_out, name


@pytest.mark.skipif(
    shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode != 0,
    reason="no container builder is running",
)
@pytest.mark.timeout(1200)
def test_the_image_builds_and_runs_a_command():
    subprocess.run(["docker", "build", "--quiet", "--tag", "igcnas:test", str(ROOT)], check=True)
    said = subprocess.run(
        ["docker", "run", "--rm", "igcnas:test", "--version"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"igcnas [\d.]+\n", said.stdout)

"""What igcnas finds of the GPUs: those that torch sees, one that it cannot use, and how their steps are computed."""

from __future__ import annotations

import json
import sys

from igcnas.cli.doctor.finding import NOTE, OK, PROBLEM, Finding, Probe
from igcnas.system import folders, gpu

_STEPS = "import json; from igcnas.training.trust import everywhere; print(json.dumps(everywhere(repeat={check})))"
_ASK_SECONDS, _CHECK_SECONDS = 60.0, 600.0


def gpu_findings(torch: Probe) -> list[Finding]:
    """What torch sees of the GPUs, and why it does not see one that is there."""
    facts = json.loads(torch.ended().output or "{}")
    if facts.get("available"):
        seen = f"{'; '.join(facts['devices'])} (driver {gpu.driver_version() or 'unknown'})"
        return [Finding(name="gpu", state=OK, found=seen)]
    why = gpu.why_unused(torch=facts.get("version"), cuda=facts.get("cuda"))
    if why is None:
        return [Finding(name="gpu", state=OK, found="none; training runs on the CPU")]
    found, _, advice = why.partition("; ")
    return [Finding(name="gpu", state=PROBLEM, found=found, advice=advice)]


def steps_probe(*, check: bool) -> Probe | None:
    """Asks for the verdicts on captured steps, or has them made anew; None where there is no GPU to ask about."""
    if gpu.driver_version() is None:
        return None
    command = [sys.executable, "-P", "-c", _STEPS.format(check=check)]
    return Probe(command, environment=folders.same_modules(), seconds=_CHECK_SECONDS if check else _ASK_SECONDS)


def steps_findings(torch: Probe, steps: Probe | None, *, asked: bool = False) -> list[Finding]:
    """Whether steps are captured in CUDA graphs, for each kind of GPU, with what the check found.

    Nothing without a GPU, unless a check was asked for.
    """
    if steps is None or not json.loads(torch.ended().output or "{}").get("available"):
        found = "torch can use no GPU, so that there was nothing to check"
        return [Finding(name="steps", state=NOTE, found=found)] if asked else []
    if error := steps.ended().error:
        return [Finding(name="steps", state=NOTE, found=f"whether they are captured cannot be told ({error})")]
    lines = []
    for one in json.loads(steps.output):
        name, verdict = one["gpu"], one["verdict"]
        if verdict is None:
            advice = "the first training does it, or now: igcnas doctor --check-gpu"
            lines.append(Finding(name="steps", state=NOTE, found=f"{name}: not checked yet", advice=advice))
        elif verdict["captured"]:
            text = f"{name}: captured; {verdict['why']} (a check of {verdict['seconds']:.0f} s)"
            lines.append(Finding(name="steps", state=OK, found=text))
        else:
            text = f"{name}: not captured; {verdict['why']}"
            advice = "trainings run step by step; igcnas doctor --check-gpu tries again"
            lines.append(Finding(name="steps", state=NOTE, found=text, advice=advice))
    return lines

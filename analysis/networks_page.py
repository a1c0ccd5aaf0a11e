"""docs/networks.md: every published network with its counts, and what could not be reproduced.

    python -m analysis.networks_page            write the page
    python -m analysis.networks_page --check    exit with status 1 if it is not current

Every number on the page is computed when it is written, beside the published one from tests/data.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from igcnas.network.conventions import CONVENTIONS, figures
from igcnas.network.cost import count_plan, training_params
from igcnas.network.literature import FAMILIES
from igcnas.system import program
from igcnas.system.files import write_text

from .published import DATA, FORMULAS, Published, formulas, published

PAGE = DATA.parent.parent / "docs" / "networks.md"

_HEAD = """# The networks of the literature

Written by `python -m analysis.networks_page`; do not edit. Every row is a test (`tests/test_literature.py`), and its
figures stand in `tests/data/literature.csv`. *params* and *MACs* are in the convention of `igcnas count`:
multiply-accumulates of convolutions and linear layers for one image, and every learnable tensor of the trained network.
Learned groups count what survives training. *equals* names the published figures that the row equals, each with its
source: RUN was counted by running the authors' (or the named port's) own code, DERIVED is algebra on it, TEXT and IMG
were read in a readme or off a table of the paper.

| source | paper | code, with its commit where it was counted |
|---|---|---|
| 1 | IGC V1, arXiv:1707.02725 | hellozting/InterleavedGroupConvolutions 2871fdb |
| 2 | IGC V2, arXiv:1804.06202 | none published |
| 3 | IGC V3, arXiv:1806.00178 | homles11/IGCV3 83aba2f; ports xxradon/IGCV3-pytorch 35a5db2, \
cvtower/SeesawNet_pytorch, osmr/pytorchcv 7f31dc8 |
| 4 | MobileNetV2, arXiv:1801.04381 | kuangliu/pytorch-cifar 49b7aa9, MG2033/MobileNet-V2 e0bf8a3, \
liangfu/mxnet-mobilenet-v2 75b7bfa, xxradon and pytorchcv as above |
| 5 | FLGC, arXiv:1904.00346 | Daniil-Osokin/fully-learnable-group-convolution.pytorch 98aa61c |
| 6 | DGConv, arXiv:1908.05867 | d-li14/dgconv.pytorch 3b997d6 |
| 7 | MSGC, arXiv:2304.06305; DGC, arXiv:2007.04242 | hellozhuo/msgc 18ad4c7, hellozhuo/dgc 86befbd |
| 8 | CondenseNet, arXiv:1711.09224 | ShichenLiu/CondenseNet 833a91d |
| 9 | ResNet, arXiv:1512.03385 | akamaster/pytorch_resnet_cifar10 d5489e8, kuangliu and pytorchcv as above |
"""

_UNMET = """## What could not be reproduced and why

Published figures that no convention and no variant reaches, with what igcnas gives for the nearest network:
"""

# What has no figure to miss: where our network differs from what a paper's authors ran, and what only a training gives.
_DIFFERENCES = """
Where a network here is not the authors' to the letter:

- **IGC V2** has no public code. `igcv2` is a reconstruction from the paper's table (0.65M parameters); where the
  widths double, the depthwise kernel makes two outputs of each input.
- **IGC V1** with `transition=reference` repeats a quirk of the authors' residual code: the first unit of a stage has
  the secondary partitions of the stage before. The default, `clean`, has the paper's rule everywhere.
- **IGC V3** 0.7x on CIFAR: the repeats were never published. `repeats=1-3-4-5-4-3-1` has about as many parameters.
  With `rounding=exact` a width of 0.7 fails, as it does in the CIFAR ports: two groups do not divide 11 or 67 channels.
- **DGC on ResNet-18**: built as in the authors' code, but no count of theirs is published for it.
- **CondenseNet** with C other than G: the authors' converted network also normalizes each gathered copy of a channel;
  ours normalizes before it gathers, so that batch norm has fewer parameters. All published networks have C = G.
- **MSGC**: the MACs of a trained network are an average over data (883M, 885M, 1630M for ResNet-18 in the readme, which
  ticks attention on the last; the log and the script say none). They need its training; the parts and the forced masks
  above do not.
- **Training results** (accuracies) are no matter of this page.
"""


def page() -> str:
    """The text of the page."""
    parts = [_HEAD, *(_family_section(name) for name in FAMILIES), _formula_section(), _convention_section()]
    parts.append(_UNMET + "\n" + _unmet_table() + _DIFFERENCES)
    return "\n".join(parts)


def _family_section(name: str) -> str:
    rows = [row for row in published() if row.family == name]
    first, *rest = FAMILIES[name].summary.split("\n\n")
    text = [f"## {name}", "", first.replace("\n", " "), ""]
    text += [" ".join(paragraph.split("\n")) + "\n" for paragraph in rest]
    text += ["| parameter | default | meaning |", "|---|---|---|"]
    meanings = FAMILIES[name].meanings
    defaults = (word.partition("=") for word in FAMILIES[name].words)
    text += [f"| `{key}` | {default} | {meanings[key]} |" for key, _, default in defaults]
    text += ["", f"| `igcnas count {name}` ... | params | MACs | equals |", "|---|---:|---:|---|"]
    for parameters in dict.fromkeys(row.parameters for row in rows):
        same = [row for row in rows if row.parameters == parameters]
        network = same[0].plan()
        cost = count_plan(network)
        training = training_params(network)
        params = f"{cost.params:,}" + (f" ({training:,} in training)" if training != cost.params else "")
        text.append(f"| {f'`{parameters}`' if parameters else ''} | {params} | {cost.macs:,} | {_equals(same)} |")
    return "\n".join(text) + "\n"


def _equals(rows: Sequence[Published]) -> str:
    """Each source with the quantities that it gives; those other than params and macs with their values."""
    words = []
    for network, section in dict.fromkeys((row.network, row.section) for row in rows):
        met = []
        for row in rows:
            if (row.network, row.section) != (network, section):
                continue
            assert row.equals(row.computed()), f"not met: {row}"
            plain = row.quantity in ("params", "macs") and row.value.isdigit()
            value = f"{int(row.value):,}" if row.value.isdigit() else row.value
            met.append(row.quantity if plain else f"{row.quantity} {value}")
        words.append(f"{network} ({section}): {', '.join(met)}")
    return "; ".join(words)


def _formula_section() -> str:
    text = ["## Formulas", "", "| formula | arguments | value | source |", "|---|---|---:|---|"]
    for row in formulas():
        assert FORMULAS[row.formula](**row.values()) == row.value, f"not met: {row}"
        text.append(f"| {row.formula} | {row.arguments} | {row.value:,} | {row.section} |")
    return "\n".join(text) + "\n"


def _convention_section() -> str:
    """What each counter prints for one network of each kind."""
    text = ["## The same networks in every convention", "", "`igcnas count FAMILY --convention NAME`:", ""]
    text += [f"- `{name}`: {convention.summary}" for name, convention in CONVENTIONS.items()]
    text += ["", f"| defaults of | {' | '.join(CONVENTIONS)} |", "|---|" + "---:|" * len(CONVENTIONS)]
    for name, family in FAMILIES.items():
        row = figures(Published("", "", name, "", "macs", "0").plan())
        cells = ["-" if value is None else f"{value:,}" for value in row.values()]
        text.append(f"| {family.name} | {' | '.join(cells)} |")
    return "\n".join(text) + "\n"


def _unmet_table() -> str:
    text = ["| network | igcnas count | quantity | published | ours | why |", "|---|---|---|---:|---:|---|"]
    for row in published("unmet.csv"):
        value = f"{int(row.value):,}" if row.value.isdigit() else row.value
        command = f"`{row.family} {row.parameters}`".replace(" `", "`")
        text.append(
            f"| {row.network} ({row.section}) | {command} | {row.quantity} | {value} | {row.computed():,} | {row.why} |"
        )
    return "\n".join(text) + "\n"


def main(arguments: Sequence[str] | None = None, *, path: Path = PAGE) -> int:
    """Write the page, or say whether it is current."""
    return program.run(lambda: _main(arguments, path), ends_process=arguments is None)


def _main(arguments: Sequence[str] | None, path: Path) -> int:
    parser = argparse.ArgumentParser(description="write docs/networks.md from the published figures")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if the page is not current")
    options = parser.parse_args(arguments)
    if not DATA.is_dir():
        parser.error(f"{DATA} is missing; run this in a checkout of the repository")
    text = page()
    if not options.check:
        write_text(path, text)
        print(path)
        return 0
    current = path.exists() and path.read_text(encoding="utf-8") == text
    print(f"{path} is {'current' if current else 'not current; run python -m analysis.networks_page'}")
    return 0 if current else 1


if __name__ == "__main__":
    raise SystemExit(main())

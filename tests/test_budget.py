"""What a network may cost: limits alone and together, and the width that keeps them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igcnas.cli import main
from igcnas.errors import BudgetError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.budget import LIMITS, MACS, PARAMS, Budget, macs_budget
from igcnas.network.cost import count
from igcnas.network.grouping import DENSE
from igcnas.network.literature import igc
from igcnas.network.width import widest
from igcnas.results.report.numbers.provenance import command_of
from igcnas.search.checks import check_budget
from igcnas.search.settings import StudySettings
from igcnas.search.space import SearchSpace, load_space
from igcnas.search.study import Study

pytestmark = pytest.mark.usefixtures("forked_workers")

LIMIT = 64


def network(n: int):
    return igc(L=n, M=2, depth=8, size=8)


@given(macs=st.integers(10_000, 3_000_000), params=st.integers(1_000, 200_000))
def test_the_widest_network_under_two_limits_is_the_narrower_of_those_under_each(macs: int, params: int) -> None:
    alone = [widest(network, Budget(limits), most=LIMIT) for limits in ({"macs": macs}, {"params": params})]
    together = widest(network, Budget({"params": params, "macs": macs}), most=LIMIT)
    if None in alone:
        assert together is None
    else:
        assert together is not None
        assert together.n == min(fit.n for fit in alone if fit is not None)
        cost = count(together.architecture)
        assert (cost.macs <= macs, cost.params <= params, together.used) == (True, True, cost.macs)


def test_macs_come_first_where_they_are_limited_and_parameters_where_they_are_not():
    assert Budget({"params": 5, "macs": 7}).first is MACS
    assert Budget({"params": 5}).first is PARAMS
    assert Budget({"params": 5, "macs": 7}).below(3) == Budget({"macs": 3, "params": 5})


def test_a_budget_is_said_with_its_units_and_as_the_options_that_mean_it():
    both = Budget({"macs": 212_345, "params": 20_000})
    assert both.words() == "0.212 MFLOPs and 20 k params"
    assert both.options() == ["--budget-mflops", "0.212345", "--budget-params", "20000"]
    assert both.letters() == "0.212345M-20kparams"
    assert macs_budget(40_000_000).letters() == "40M"


@given(value=st.integers(1, 10**12))
@pytest.mark.parametrize("limit", LIMITS.values(), ids=lambda limit: limit.name)
def test_the_options_of_a_budget_are_read_as_the_same_budget(limit, value):
    (_, number) = Budget({limit.name: value}).options()
    assert limit.read(float(number)) == value


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "a budget limits something; give --budget-mflops N or --budget-params N or --budget-ms N"),
        (["--budget-params", "0"], "--budget-params 0 must be a positive number, as in 200000"),
        (["--budget-mflops", "nan"], "--budget-mflops nan must be a finite number"),
        (["--budget-mflops", "1e-9"], "--budget-mflops 1e-09 must be at least 1e-06"),
        (["--budget-params", "0.2"], "--budget-params 0.2 must be at least 1"),
        (
            ["--budget-params", "50"],
            "budget 0.05 k params is below the smallest network of space 'all' for 1x8x8 images",
        ),
    ],
)
def test_a_budget_that_allows_nothing_is_refused_in_one_line(options, message, tmp_path, capsys):
    assert main(["search", *options, "--studies-dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


class TwoNetworks(SearchSpace):
    """A space of two networks, one of few multiply-accumulates and one of few parameters."""

    def narrowest(self, input_shape: tuple[int, int, int], num_classes: int) -> Iterator[Architecture]:
        for width, stride, stages in ((8, 2, 2), (6, 1, 1)):
            yield Architecture(
                family="resnet",
                input_shape=input_shape,
                num_classes=num_classes,
                stem_channels=width,
                stem_stride=stride,
                stages=(Stage(block=BasicBlock(grouping=DENSE), width=width, repeats=1, stride=stride),) * stages,
                head_channels=0,
            )


def test_limits_that_can_be_kept_alone_but_not_together_are_refused(settings):
    space = TwoNetworks(name="two", families=load_space("all").families)
    by_macs, by_params = (count(network) for network in space.narrowest((1, 8, 8), 10))
    assert by_macs.macs < by_params.macs
    assert by_macs.params > by_params.params
    limits = {"budget_macs": by_macs.macs, "limits": {"params": by_params.params}}
    with pytest.raises(BudgetError, match="although each limit alone can be kept"):
        check_budget(space, dataclasses.replace(settings, **limits))


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a budget of parameters alone, and one of both, searched by real workers."""
    root = tmp_path_factory.mktemp("studies")
    common = ["--networks", "6", "--epochs", "1", "--seeds", "1", "--workers", "1", "--no-export", "--studies-dir"]
    assert main(["search", "--budget-params", "6000", *common, str(root)]) == 0
    both = ["--budget-mflops", "0.1", "--budget-params", "4000", "--study", "both"]
    assert main(["search", *both, "--space", "igcv3", *common, str(root)]) == 0
    return root


@pytest.fixture
def settings(studies: Path) -> StudySettings:
    return StudySettings.read(studies / "both")


def test_no_network_of_a_study_is_over_any_of_its_limits(studies):
    for name, limits in (("digits-all-6kparams", {"params": 6000}), ("both", {"macs": 100_000, "params": 4000})):
        study = Study.named(name, studies)
        assert study.budget == Budget(limits)
        assert len(study.networks) == 6
        for record in study.records:
            cost = count(record.architecture)._asdict()
            assert all(cost[limit] <= most for limit, most in limits.items())
            assert record.within(study.budget)


def test_parameters_alone_spread_the_targets_of_a_front_over_parameters(studies):
    study = Study.named("digits-all-6kparams", studies)
    assert {record.target_of for record in study.records} == {"params"}
    targets = [record.target for record in study.records if record.searched]
    assert all(600 <= target <= 6000 for target in targets)
    assert all(count(r.architecture).params <= r.target for r in study.records)


def test_both_limits_bind_somewhere(studies):
    study = Study.named("both", studies)
    assert any(record.params > 0.8 * 4000 for record in study.records)


def test_commands_say_both_limits(studies, capsys):
    place = ["--studies-dir", str(studies)]
    assert main(["status", "both", *place]) == 0
    assert "budget 0.1 MFLOPs and 4 k params" in capsys.readouterr().out
    assert main(["status", "both", "--json", *place]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["budget_macs"], found["budget_params"]) == (100_000, 4000)
    assert main(["plot", "digits-all-6kparams", *place]) == 0
    assert main(["report", "digits-all-6kparams", "--no-importance", *place]) == 0
    page = (studies / "digits-all-6kparams" / "report.html").read_text(encoding="utf-8")
    assert "6 k params" in page
    assert "--budget-params 6000" in command_of(Study.named("digits-all-6kparams", studies))


def test_the_same_command_goes_on_and_another_limit_is_another_study(studies, capsys):
    common = ["--networks", "6", "--epochs", "1", "--seeds", "1", "--workers", "1", "--no-export"]
    place = ["--studies-dir", str(studies), "--study", "both", "--space", "igcv3"]
    assert main(["search", "--budget-mflops", "0.1", "--budget-params", "4000", *common, *place]) == 0
    assert "already holds 6 trained networks" in capsys.readouterr().out
    assert main(["search", "--budget-mflops", "0.1", "--budget-params", "5000", *common, *place]) == 2
    assert "limits.params: 4000 -> 5000" in capsys.readouterr().err

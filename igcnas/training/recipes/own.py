"""Recipes of one's own: a JSON file with the fields of a Recipe, and the JSON schema that describes it.

Convention: a field that is left out has the default of a search; one that is not known is an error, so that a slip of
the pen is never a value that acts nowhere. `name` may be left out: it is that of the file.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, get_type_hints

from igcnas.errors import IgcnasError, unknown_name
from igcnas.network.grouping.rules import GRADIENTS, HINGES, RATIOS, GroupingRules
from igcnas.system.reading import as_kind, read_json
from igcnas.training.recipes.recipe import Recipe

_ADVICE = "igcnas recipes --schema says what may stand there"
# Rules of GroupingRules, whose fields carry no annotations of their own.
_POSITIVE, _SHARE = {"exclusiveMinimum": 0}, {"minimum": 0, "maximum": 1}
_GROUPING: dict[str, dict[str, Any]] = {
    "gradient": {"enum": list(GRADIENTS)},
    "ratio_of": {"enum": list(RATIOS)},
    "hinge_of": {"enum": list(HINGES)},
    **dict.fromkeys(("temperature_start", "temperature_end", "gumbel_temperature", "gate_scale"), _POSITIVE),
    **dict.fromkeys(("noise_end", "condense_until", "ramp_until", "dgc_from", "dgc_until"), _SHARE),
}


def read_recipe(path: Path) -> Recipe:
    """The recipe in a JSON file; IgcnasError, in one line with the field and the rule, if it is none."""
    data = read_json(path, dict, error=IgcnasError, advice=_ADVICE)
    return recipe_of(data, where=str(path), name=path.stem)


def recipe_of(data: dict[str, Any], *, where: str, name: str) -> Recipe:
    """The recipe that plain data describe; `where` names them in an error, `name` is its name if they give none."""
    try:
        _refuse(data, Recipe, "")
        data = {"name": name, "source": f"the file {where}", **data}
        return as_kind(data, Recipe, where="a value", error=IgcnasError, advice=_ADVICE)
    except IgcnasError as error:
        said = str(error).removeprefix("a value is damaged (").removesuffix(f"); {_ADVICE}")
        raise IgcnasError(f"{where} is no recipe: {said}; {_ADVICE}") from None


def _refuse(data: Any, kind: type, place: str) -> None:
    """Fields that are not known, and the numbers that JSON as such has not."""
    if not isinstance(data, dict):
        return  # of another type, which the conversion names
    hints = get_type_hints(kind)
    for field, value in data.items():
        if field not in hints:
            raise IgcnasError(f"{place}{unknown_name('field', str(field), hints)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise IgcnasError(f"{place}{field} must be a finite number, but is {value}")
        if dataclasses.is_dataclass(inner := hints[field]):
            assert isinstance(inner, type)
            _refuse(value, inner, f"{field}: ")


def schema() -> dict[str, Any]:
    """What `read_recipe` reads, as a JSON schema (draft 2020-12).

    It cannot say: that milestones rise, that the smaller of two bounds stands first, that nesterov takes a momentum and
    no dampening, that the places of a channel dropout belong to a share, which names `files` and `ours` may have.
    """
    import msgspec

    made: dict[str, Any] = json.loads(json.dumps(msgspec.json.schema(Recipe)))
    definitions = made["$defs"]
    for definition in definitions.values():
        definition["additionalProperties"] = False
    rules = definitions[GroupingRules.__name__]["properties"]
    for name, rule in _GROUPING.items():
        rules[name].update(rule)
    recipe = definitions[Recipe.__name__]
    recipe["required"] = [name for name in recipe["required"] if name not in ("name", "source")]
    title = "A training recipe of igcnas: igcnas train ... --recipe FILE.json"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **made}

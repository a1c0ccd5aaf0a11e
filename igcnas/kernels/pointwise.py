"""Grouped 1x1 convolution, channels_last, with a permutation of its inputs that is never carried out.

Weights are (Cout, Cin / G) or (Cout, Cin / G, 1, 1), fp32 or bf16. `index`, int32 or int64 (Cin,), is a permutation:
position i of the convolution's input is channel index[i] of x. Loads through it are of single values: where C is small
the permutation belongs in the weights of a dense product instead.

Products of bf16 take bf16 operands: what is pending is done in fp32 and rounded as storing it would have. Products of
fp32 are exact fp32 products; with allow_tf32 operands are rounded to TF32's ten bits on CUDA, which is faster and loses
three digits. Sums are fp32. A value that is not finite spoils the groups that share a tile with it.
"""

from __future__ import annotations

from typing import Any

import torch

from igcnas.kernels import reference, sizes
from igcnas.kernels.lazy import Activation, Affine, GradientAffine, Moments, Sums, bounds, channels_last
from igcnas.kernels.norm import total
from igcnas.kernels.switch import chosen, interpreted

# Rows of a tile and the programs that share the reduction over rows in the gradient of the weights.
ROWS = 64
WEIGHT_PROGRAMS = 528


def forward(
    x: torch.Tensor,
    weight: torch.Tensor,
    groups: int,
    *,
    index: torch.Tensor | None = None,
    affine: Affine | None = None,
    activation: Activation = "none",
    statistics: bool = False,
    allow_tf32: bool = False,
) -> tuple[torch.Tensor, Moments | None]:
    """The convolution of act(affine(x))[:, index], of the type of x, and with `statistics` its moments as stored.

    Reads x once for each 64 output channels, writes y once.
    """
    _check(weight, x.shape[1], groups, x=x)
    if not chosen(x, weight):
        return reference.pointwise_forward(
            x,
            weight,
            groups,
            index=index,
            affine=affine,
            activation=activation,
            statistics=statistics,
            allow_tf32=allow_tf32,
        )
    y = sizes.output(x, weight.shape[0], *x.shape[2:])
    kind = "plain" if affine is None else "affine"
    operand = (x, x, *(affine or (x, x)), x)
    partials = _product(
        operand, weight, y, groups, kind, bounds(activation), allow_tf32, index=index, moments=statistics
    )
    return y, None if partials is None else Moments(partials)


def input_grad(
    g: torch.Tensor,
    weight: torch.Tensor,
    groups: int,
    *,
    index: torch.Tensor | None = None,
    gradient_affine: GradientAffine | None = None,
    x: torch.Tensor | None = None,
    affine: Affine | None = None,
    activation: Activation = "none",
    centre: torch.Tensor | None = None,
    allow_tf32: bool = False,
) -> tuple[torch.Tensor, Sums | None]:
    """The gradient of the input for the (lazy) gradient g of the output; x, affine and centre as in depthwise.

    Reads g (and y of the lazy gradient) once for each 64 input channels, x once, writes the gradient once.
    """
    channels = weight.shape[1] * groups
    _check(weight, channels, groups, g=g, y=gradient_affine.y if gradient_affine else None, x=x)
    if not chosen(g, weight) or (x is not None and not chosen(x)):
        return reference.pointwise_input_grad(
            g,
            weight,
            groups,
            index=index,
            gradient_affine=gradient_affine,
            x=x,
            affine=affine,
            activation=activation,
            centre=centre,
            allow_tf32=allow_tf32,
        )
    out = sizes.output(g, channels, *g.shape[2:])
    operand: tuple[torch.Tensor, ...] = (g, g, g, g, g)
    if gradient_affine is not None:
        operand = (g, gradient_affine.y, gradient_affine.A, gradient_affine.B, gradient_affine.C)
    partials = _product(
        operand,
        weight,
        out,
        groups,
        "raw" if gradient_affine is None else "lazy",
        bounds("none" if x is None else activation),
        allow_tf32,
        index=index,
        transposed=True,
        x=x,
        affine=affine,
        centre=centre,
    )
    return out, None if partials is None else Sums(partials)


def weight_grad(
    x: torch.Tensor,
    g: torch.Tensor,
    groups: int,
    *,
    index: torch.Tensor | None = None,
    gradient_affine: GradientAffine | None = None,
    affine: Affine | None = None,
    activation: Activation = "none",
    allow_tf32: bool = False,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """The gradient of the weights, (Cout, Cin / G, 1, 1) fp32, for the raw input x and the (lazy) gradient g.

    Reads x once for each 64 output channels, g (and y) once for each 64 input channels of its groups. `out`: where to
    put it, contiguous.
    """
    in_channels, out_channels = x.shape[1], g.shape[1]
    if out is None:
        shape = (out_channels, in_channels // groups, 1, 1)
        out = torch.empty(shape, dtype=torch.float32, device=x.device)
    _check(out, in_channels, groups, x=x, g=g, y=gradient_affine.y if gradient_affine else None)
    if not chosen(x, g):
        return reference.pointwise_weight_grad(
            x,
            g,
            groups,
            index=index,
            gradient_affine=gradient_affine,
            affine=affine,
            activation=activation,
            allow_tf32=allow_tf32,
            out=out,
        )
    from igcnas.kernels.source import pointwise as source

    rows = x.numel() // in_channels
    in_group, out_group = in_channels // groups, out_channels // groups
    unit, group_unit = sizes.unit(in_channels, out_channels), sizes.unit(in_group, out_group)
    tile = tiles(x.dtype, in_group, out_group)
    # A tile of output channels may touch one group more than it has room for, and its range starts at a whole unit.
    touched = min(groups, -(-(tile["OUT"] - 1) // out_group) + 1) * in_group + (0 if in_group % unit == 0 else unit)
    in_blocks = -(-touched // tile["IN"])
    blocks = -(-out_channels // tile["OUT"]) * in_blocks
    parts = sizes.parts(-(-rows // ROWS), blocks, WEIGHT_PROGRAMS)
    partials = torch.empty(parts, out.numel(), dtype=torch.float32, device=x.device)
    source.weight_grad[(parts * blocks,)](
        x,
        *(affine or (x, x)),
        x if index is None else index,
        g,
        *(gradient_affine or (g, g, g, g)),
        partials,
        rows,
        in_channels // unit,
        out_channels // unit,
        in_group // group_unit,
        out_group // group_unit,
        in_blocks,
        *bounds(activation),
        UNIT=unit,
        GROUP_UNIT=group_unit,
        **tile,
        INDEXED=index is not None,
        KIND="plain" if affine is None else "affine",
        GRADIENT="raw" if gradient_affine is None else "lazy",
        **arithmetic(x.dtype, allow_tf32),
    )
    return total(partials, out=out)


def tiles(dtype: torch.dtype, in_channels: int, out_channels: int) -> dict[str, int]:
    """Rows and channels of a tile: 64 of each, or 32 channels for groups that fit.

    One warpgroup multiplies 64 rows. fp32 without TF32 is multiplied by each thread alone and needs the registers that
    a smaller tile leaves.
    """
    most = 32 if dtype == torch.float32 else 64
    block = {"IN": min(most, 32 if in_channels <= 32 else 64), "OUT": min(most, 32 if out_channels <= 32 else 64)}
    return {"ROWS": ROWS, **block}


def arithmetic(dtype: torch.dtype, allow_tf32: bool) -> dict[str, Any]:
    """Type of the operands of tl.dot and how fp32 ones are multiplied; the interpreter has no bf16."""
    import triton.language as tl

    operand = tl.bfloat16 if dtype == torch.bfloat16 and not interpreted() else tl.float32
    return {"OPERAND": operand, "PRECISION": "tf32" if allow_tf32 else "ieee", **sizes.launch(4)}


def _product(
    operand: tuple[torch.Tensor, ...],
    weight: torch.Tensor,
    out: torch.Tensor,
    groups: int,
    kind: str,
    limits: tuple[float, float],
    allow_tf32: bool,
    *,
    index: torch.Tensor | None,
    transposed: bool = False,
    moments: bool = False,
    x: torch.Tensor | None = None,
    affine: Affine | None = None,
    centre: torch.Tensor | None = None,
) -> torch.Tensor | None:
    """Launch; the partial results of the epilogue, if there is one."""
    from igcnas.kernels.source import pointwise as source

    source_tensor = operand[0]
    in_channels, out_channels = source_tensor.shape[1], out.shape[1]
    rows = out.numel() // out_channels
    in_group, out_group = in_channels // groups, out_channels // groups
    unit, group_unit = sizes.unit(in_channels, out_channels), sizes.unit(in_group, out_group)
    tile = tiles(out.dtype, in_group, out_group)
    blocks = -(-out_channels // tile["OUT"])
    parts = sizes.parts(-(-rows // ROWS), blocks)
    epilogue = "moments" if moments else "none" if x is None else "derivative"
    partials = None
    if epilogue != "none":
        partials = torch.empty(parts, 3 if moments else 2, out_channels, dtype=torch.float32, device=out.device)
    source.product[(parts * blocks,)](
        *operand,
        source_tensor if index is None else index,
        weight,
        out,
        source_tensor if index is None else index,
        out if x is None else x,
        *(affine if affine is not None and x is not None else (out, out)),
        out if centre is None else centre,
        out if partials is None else partials,
        rows,
        in_channels // unit,
        out_channels // unit,
        in_group // group_unit,
        out_group // group_unit,
        *limits,
        UNIT=unit,
        GROUP_UNIT=group_unit,
        TRANSPOSED=transposed,
        **tile,
        KIND=kind,
        SOURCE_INDEXED=index is not None and not transposed,
        OUT_INDEXED=index is not None and transposed,
        EPILOGUE=epilogue,
        AFFINE=affine is not None and x is not None,
        CENTRED=centre is not None,
        **arithmetic(out.dtype, allow_tf32),
    )
    return partials


def _check(weight: torch.Tensor, in_channels: int, groups: int, **tensors: torch.Tensor | None) -> None:
    channels_last(**tensors)
    if in_channels % groups or weight.shape[0] % groups or weight.shape[1] != in_channels // groups:
        raise ValueError(f"weights {tuple(weight.shape)} do not join {in_channels} channels in {groups} groups")
    if not weight.is_contiguous() or weight.numel() != weight.shape[0] * weight.shape[1]:
        raise ValueError(
            f"weights must be contiguous (Cout, Cin / G) or (Cout, Cin / G, 1, 1), not {tuple(weight.shape)}"
        )

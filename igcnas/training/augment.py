"""Augmentation of a batch in one go, on the device where it is: windows, mirrors, colours.

Random numbers are given, never drawn here. Images are (B, C, H, W).
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

# Luminance (ITU-R BT.601), and the two axes of colour that are left when it is taken away.
_TO_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


def padded(images_NCHW: torch.Tensor, pad: int, fill_C: torch.Tensor | None) -> torch.Tensor:
    """uint8 images with `pad` pixels on each side: zeros, or the colour `fill_C` in [0, 1], rounded to a level."""
    if fill_C is None or pad == 0:
        return functional.pad(images_NCHW, (pad,) * 4)
    count, channels, height, width = images_NCHW.shape
    colour = (fill_C * 255).round().to(torch.uint8).view(1, channels, 1, 1)
    out = colour.expand(count, channels, height + 2 * pad, width + 2 * pad).clone()
    out[:, :, pad : pad + height, pad : pad + width] = images_NCHW
    return out


def crop(
    padded_NCHW: torch.Tensor,
    chosen_B: torch.Tensor,
    offsets_2B: torch.Tensor,
    flips_B: torch.Tensor | None,
    size: torch.Size,
) -> torch.Tensor:
    """Windows of `size` at these offsets of the chosen images, some of them mirrored; one gather."""
    device = padded_NCHW.device
    height, width = size
    columns_W = torch.arange(width, device=device)
    rows_BH = offsets_2B[0][:, None] + torch.arange(height, device=device)
    columns_BW = columns_W.expand(len(chosen_B), width)
    if flips_B is not None:
        columns_BW = torch.where(flips_B[:, None], width - 1 - columns_W, columns_W)
    columns_BW = offsets_2B[1][:, None] + columns_BW
    channels_C = torch.arange(padded_NCHW.shape[1], device=device)
    return padded_NCHW[
        chosen_B[:, None, None, None],
        channels_C[None, :, None, None],
        rows_BH[:, None, :, None],
        columns_BW[:, None, None, :],
    ]


def resize_windows(images_BCHW: torch.Tensor, windows_B4: torch.Tensor, flips_B: torch.Tensor | None) -> torch.Tensor:
    """These windows (left, top, width, height, in pixels) at the size of the images, bilinear; float in 0..255."""
    count, _, height, width = images_BCHW.shape
    size = torch.tensor([width, height], device=windows_B4.device)
    scale = windows_B4[:, 2:] / size
    centre = (2 * windows_B4[:, :2] + windows_B4[:, 2:]) / size - 1
    sign = torch.ones(count, device=windows_B4.device) if flips_B is None else 1.0 - 2.0 * flips_B.float()
    theta = windows_B4.new_zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = scale[:, 0] * sign, centre[:, 0]
    theta[:, 1, 1], theta[:, 1, 2] = scale[:, 1], centre[:, 1]
    grid = functional.affine_grid(theta, list(images_BCHW.shape), align_corners=False)
    return functional.grid_sample(images_BCHW.float(), grid, padding_mode="border", align_corners=False)


def erase(images_BCHW: torch.Tensor, places_B2: torch.Tensor, share: float) -> torch.Tensor:
    """Images with a square of this share of their area set to 0, which is the mean colour of normalised images.

    places: its centre, as shares of height and width in [0, 1); what lies outside is cut off.
    """
    height, width = images_BCHW.shape[2:]
    half = max(1, round(math.sqrt(share * height * width))) / 2
    rows_BH = _inside(places_B2[:, 0], half, height)
    columns_BW = _inside(places_B2[:, 1], half, width)
    return images_BCHW.masked_fill((rows_BH[:, :, None] & columns_BW[:, None, :])[:, None], 0.0)


def _inside(centres_B: torch.Tensor, half: float, size: int) -> torch.Tensor:
    """Which of so many rows or columns are nearer to the centre of the square than half its side: (B, size)."""
    middles = torch.arange(size, device=centres_B.device) + 0.5
    low = (centres_B * size - half + 0.5).floor()[:, None]
    return (middles > low) & (middles < low + 2 * half)


def jitter(
    images_BCHW: torch.Tensor, draws_B4: torch.Tensor, strengths: tuple[float, float, float, float]
) -> torch.Tensor:
    """Change brightness, contrast, saturation and hue of images in [0, 1], each image by draws of its own in [0, 1).

    Hue turns the plane of colours around the axis of luminance. Grey images keep saturation and hue.
    """
    if not any(strengths):
        return images_BCHW
    change = ((2 * draws_B4 - 1) * draws_B4.new_tensor(strengths)).view(-1, 4, 1, 1, 1)
    images = images_BCHW * (1 + change[:, 0])
    grey = _luminance(images)
    middle = grey.mean((2, 3), keepdim=True)
    images = middle + (images - middle) * (1 + change[:, 1])
    if images.shape[1] == 3 and (strengths[2] or strengths[3]):
        grey = _luminance(images)
        images = grey + (images - grey) * (1 + change[:, 2])
        images = torch.einsum("bij,bjhw->bihw", _turns(change[:, 3].flatten()), images)
    return images.clamp(0, 1)


def _luminance(images_BCHW: torch.Tensor) -> torch.Tensor:
    if images_BCHW.shape[1] != 3:
        return images_BCHW.mean(1, keepdim=True)
    weights = images_BCHW.new_tensor(_TO_YIQ[0]).view(1, 3, 1, 1)
    return (images_BCHW * weights).sum(1, keepdim=True)


def _turns(turns_B: torch.Tensor) -> torch.Tensor:
    """Matrices (B, 3, 3) on RGB that turn the hue by these parts of a whole turn."""
    to = turns_B.new_tensor(_TO_YIQ)
    angle = 2 * math.pi * turns_B
    inner = torch.zeros(len(turns_B), 3, 3, device=turns_B.device)
    inner[:, 0, 0] = 1
    inner[:, 1, 1] = inner[:, 2, 2] = angle.cos()
    inner[:, 1, 2], inner[:, 2, 1] = -angle.sin(), angle.sin()
    turned: torch.Tensor = torch.linalg.inv(to) @ inner @ to
    return turned

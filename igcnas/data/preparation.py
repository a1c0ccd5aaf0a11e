"""How a picture becomes what a network reads: turned, opaque, of one size and colour mode. Pillow alone.

The one description of it. The loaders of training decode by it, an export says it in words and as data, and the bodies
of this class and of these functions also stand in exported model.py files (export/source.py), so they need nothing but
Pillow and the standard library.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # JPEG includes MPO, which phones write
LONGEST = 16  # times the short side that is resized; the rest of a strip would be cropped away anyway
ORIENTATION = 0x0112
COVER, CENTRE = "cover", "centre"  # ways to resize


@dataclass(frozen=True)
class Preparation:
    """What is done to a picture; the input is float32 (batch, channels, height, width), pixel / 255.

    resize: 'cover' scales the whole picture until it covers the input (bicubic) and cuts the centre out; 'centre'
    scales the central square (bilinear), whose side is `share` of the short side of the picture.
    """

    channels: int
    height: int
    width: int
    resize: str = "cover"
    share: float = 1.0

    def apply(self, image: "Image.Image") -> "Image.Image":
        """An opened picture in the size of the input, RGB, or L for one channel."""
        if self.resize == "centre":
            if image.format not in ("JPEG", "MPO"):
                image.load()  # a PNG may say its orientation behind the pixels
            width, height = upright_size(image)
            side = min(width, height) * self.share
            picture = scaled_box(image, ((width - side) / 2, (height - side) / 2, side, side), self.width)
        else:
            picture = cover(upright(image), self.width, self.height)
        return picture.convert("L") if self.channels == 1 else picture

    def words(self) -> "dict[str, str]":
        """Each step by its name, in order."""
        size = f"{self.width} x {self.height}"
        if self.resize == "centre":
            cut = f"the central square, {self.share:.4g} of the short side, is scaled to {size} pixels (bilinear)"
        else:
            cut = f"scaled until it covers {size} pixels (bicubic, antialiased), and its centre is cut out"
        return {
            "orientation": "turned as its EXIF orientation says",
            "alpha": "transparency lies on white, on black where the picture would vanish on white",
            "colour": "grey (ITU-R 601-2 luma)" if self.channels == 1 else "RGB; colour profiles are not applied",
            "size": cut,
            "scale": "pixel / 255, so values in [0, 1]; the network normalises by itself",
            "frames": "the first one; pictures of more than 8 bits a pixel are refused",
        }


def preparation_of(input_shape: tuple[int, int, int], data: Mapping[str, Any]) -> Preparation:
    """That of a network of this input, trained on data of which a checkpoint or an export says this.

    Arrays have none of their own: a picture is then scaled to their size.
    """
    if not data.get("streamed", False):
        return Preparation(*input_shape)
    cuts = data.get("crop", "pad") in ("area", "short-side")
    return Preparation(*input_shape, resize=CENTRE, share=float(data.get("centre", 0.875)) if cuts else 1.0)


def open_picture(file: "str | BinaryIO") -> "Image.Image":
    """The picture of a path or an opened file, not decoded; an error where there is none that can be used."""
    from PIL import Image

    image = Image.open(file, formats=FORMATS)
    if image.mode.startswith("I") or image.mode == "F":
        image.close()
        raise ValueError(f"it has more than 8 bits a pixel (mode {image.mode}), convert it to 8 bits")
    return image


def orientation(image: "Image.Image") -> int:
    """1 to 8, as EXIF counts; 1, which is upright, where nothing or nonsense is said."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # the decoders raise anything, and the picture itself may be whole
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def upright_size(image: "Image.Image") -> "tuple[int, int]":
    """Width and height once it is upright."""
    width, height = image.size
    return (height, width) if orientation(image) >= 5 else (width, height)


def upright(image: "Image.Image") -> "Image.Image":
    """RGB, turned as EXIF says, without transparency."""
    from PIL import Image

    image.load()  # first: a PNG may say its orientation behind the pixels
    way = Image.Transpose
    flat = opaque(image) if image.has_transparency_data else image
    if flat.mode != "RGB":
        flat = flat.convert("RGB")
    turns = {
        2: way.FLIP_LEFT_RIGHT,
        3: way.ROTATE_180,
        4: way.FLIP_TOP_BOTTOM,
        5: way.TRANSPOSE,
        6: way.ROTATE_270,
        7: way.TRANSVERSE,
        8: way.ROTATE_90,
    }
    turn = turns.get(orientation(image))
    return flat if turn is None else flat.transpose(turn)


def opaque(image: "Image.Image") -> "Image.Image":
    """Transparency on white; on black where the picture would vanish on white."""
    from PIL import Image

    picture = image.convert("RGBA")
    on = {name: Image.new("RGBA", picture.size, name) for name in ("white", "black")}
    flat = Image.alpha_composite(on["white"], picture).convert("RGB")
    if all(low == high for low, high in flat.getextrema()):  # type: ignore[misc]  # pairs, of three bands
        on_black = Image.alpha_composite(on["black"], picture).convert("RGB")
        if any(low != high for low, high in on_black.getextrema()):  # type: ignore[misc]
            return on_black
    return flat


def cover(image: "Image.Image", width: int, height: int) -> "Image.Image":
    """Scaled until it covers width x height (bicubic, antialiased), and cut at its centre; as it is where it fits."""
    from PIL import Image

    if image.size == (width, height):
        return image
    longest = LONGEST * min(image.size)
    if max(image.size) > longest:  # resized whole, a strip of 1x50,000 pixels would take gigabytes
        across, down = (min(side, longest) for side in image.size)
        left, top = (image.width - across) // 2, (image.height - down) // 2
        image = image.crop((left, top, left + across, top + down))
    scale = max(width / image.width, height / image.height)
    across, down = max(width, round(image.width * scale)), max(height, round(image.height * scale))
    left, top = (across - width) // 2, (down - height) // 2
    resized = image.resize((across, down), Image.Resampling.BICUBIC)
    return resized.crop((left, top, left + width, top + height))


def scaled_box(image: "Image.Image", box: "tuple[float, float, float, float]", size: int) -> "Image.Image":
    """A box (left, top, width, height) of the upright picture as a square (bilinear, antialiased), in RGB.

    A JPEG is decoded at the smallest of its own scales that still has every pixel that the square needs.
    """
    from PIL import Image

    width, height = upright_size(image)
    left, top, inner_width, inner_height = box
    if image.format == "JPEG":
        least = math.ceil(width * size / inner_width), math.ceil(height * size / inner_height)
        image.draft("RGB", least[::-1] if orientation(image) >= 5 else least)
    colour = upright(image)
    across, down = colour.width / width, colour.height / height
    right, bottom = min(left + inner_width, width) * across, min(top + inner_height, height) * down
    return colour.resize((size, size), Image.Resampling.BILINEAR, box=(left * across, top * down, right, bottom))

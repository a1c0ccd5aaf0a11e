"""The four files of a network in C: model.c, model.h, test.c and a Makefile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from igcnas.export.c import tables
from igcnas.export.c.program import Program
from igcnas.export.c.writing import source

PREFIX = "model"
SOURCE, HEADER, TEST, MAKEFILE = "model.c", "model.h", "test.c", "Makefile"

_HEADER = """/* {title}

   {macs} multiply-accumulates for one image. C99 without dependencies; not for several threads at once: all values
   between image and logits lie in one static arena.

   An image is {channels} x {height} x {width} floats, channel after channel, row after row: pixel / 255; normalization
   is inside. A picture becomes one like this:
{steps}
*/
#ifndef MODEL_H
#define MODEL_H

#define MODEL_CHANNELS {channels}
#define MODEL_HEIGHT {height}
#define MODEL_WIDTH {width}
#define MODEL_CLASSES {classes}
#define MODEL_ARENA_BYTES {arena} /* of static memory that is written */
#define MODEL_CONSTANT_BYTES {constants} /* weights and tables, which may lie in flash */

/* The name of each logit's class, UTF-8. */
extern const char *const model_classes[MODEL_CLASSES];

/* Logits of one image: MODEL_CLASSES numbers. */
void model_run(const float *image, float *logits);

#endif
"""

_TEST = """/* Does model.c answer this image as the trained network did? Exit status 1 where it does not. */
#include <math.h>
#include <stdio.h>

#include "model.h"

{pixels}

{expected}

int main(void) {{
    static float image[sizeof(pixels) / sizeof(*pixels)], logits[MODEL_CLASSES];
    float largest = 1, difference = 0;
    for (int k = 0; k < MODEL_CHANNELS * MODEL_HEIGHT * MODEL_WIDTH; k++) image[k] = (float)pixels[k] / 255;
    model_run(image, logits);
    for (int k = 0; k < MODEL_CLASSES; k++) {{
        const float apart = fabsf(logits[k] - expected[k]);
        if (!(apart <= difference)) difference = apart; /* so that no NaN is overlooked */
        if (fabsf(expected[k]) > largest) largest = fabsf(expected[k]);
    }}
    printf("largest difference %.2g of the largest logit\\n", (double)(difference / largest));
    return difference <= 1e-4f * largest ? 0 : 1;
}}
"""

_MAKEFILE = """# make: libmodel.a. make test: does it answer as the trained network did?
# CFLAGS=-DPLAIN leaves out the vector types of the compiler.
CFLAGS ?= -O3 -march=native
ALL = -std=c99 -ffp-contract=fast $(CFLAGS)

library: libmodel.a

libmodel.a: model.o
	$(AR) rcs $@ model.o

model.o: model.c model.h
	$(CC) $(ALL) -c -o $@ model.c

test: test.c model.o
	$(CC) $(ALL) -o model-test test.c model.o -lm
	./model-test

clean:
	rm -f model.o libmodel.a model-test

.PHONY: library test clean
"""


def texts(
    program: Program,
    *,
    title: str,
    macs: int,
    classes: Sequence[str],
    steps: Sequence[str],
    pixels: NDArray[np.uint8],
    expected: NDArray[np.float32],
) -> dict[str, str]:
    """The text of each file, by its name.

    steps: how a picture becomes an image, in words. pixels: of one image (channels, height, width); expected: its
    logits.
    """
    made = source(program, PREFIX)
    channels, height, width = program.input_shape
    header = _HEADER.format(
        title=_quoted(title),
        macs=f"{macs:,}",
        channels=channels,
        height=height,
        width=width,
        classes=len(classes),
        steps="\n".join(f"   - {_quoted(step)}" for step in steps),
        arena=made.arena_bytes,
        constants=made.constant_bytes,
    )
    names = "\n".join(tables.wrapped(map(tables.text, classes)))
    answers = tables.floats("expected", expected.astype(np.float64))
    image = tables.integers("pixels", map(int, pixels.ravel())).replace("const int", "const unsigned char", 1)
    return {
        SOURCE: f"/* {_quoted(title)} See {HEADER}. */\n{made.text}\n"
        f"const char *const model_classes[MODEL_CLASSES] = {{\n{names}\n}};\n",
        HEADER: header,
        TEST: _TEST.format(pixels=image, expected=answers),
        MAKEFILE: _MAKEFILE,
    }


def _quoted(text: str) -> str:
    """Text that cannot end the comment it stands in."""
    return ascii(text)[1:-1].replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("\\", "/")

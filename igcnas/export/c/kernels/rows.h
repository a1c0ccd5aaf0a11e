/* Grouped 3x3 of stride 1 without a copy, for groups so small that a copy would cost more than a few multiplications.

   A block is `outs` planes by `rows` rows by one vector, eight sums in all. Of each input and column of the kernel the
   rows + 2 vectors are loaded once and serve its three rows of taps. What lies outside of the map: a row of zeros stands
   for the rows, masks take away the columns. */
enum { FEW_INPUTS = 8 }; /* of a group; with more the copy pays */

INLINE void rows_block(const int outs, const int rows, const struct window *w, const int *inputs, int ins, int y, int x,
                       const float *weights, const float *bias, const struct finish *to, int output) {
    const int width = w->width, place = y * width + x;
    const mask left = x == 0 ? NOT_FIRST : EVERY, right = x + LANES == width ? NOT_LAST : EVERY;
    vector a00 = splat(bias[0]), a10 = splat(bias[outs > 1 ? 1 : 0]);
    vector a20 = splat(bias[outs > 2 ? 2 : 0]), a30 = splat(bias[outs > 3 ? 3 : 0]);
    vector a01 = a00, a02 = a00, a03 = a00, a11 = a10, a12 = a10, a13 = a10;
    vector a21 = a20, a22 = a20, a23 = a20, a31 = a30, a32 = a30, a33 = a30;
    AS_IT_IS
    for (int k = 0; k < ins; k++, weights += 9 * outs) {
        const float *plane = arena + inputs[k] + place;
        const float *above = y > 0 ? plane - width : zeros + LANES + x;
        const float *below = y + rows < w->height ? plane + rows * width : zeros + LANES + x;
#define SUMS(o, dy, dx, r0, r1, r2, r3)                                  \
    if (outs > o) {                                                      \
        const vector v = splat(weights[(3 * dy + dx) * outs + o]);       \
        a##o##0 += r0 * v, a##o##1 += r1 * v;                            \
        if (rows > 2) a##o##2 += r2 * v, a##o##3 += r3 * v;     \
    }
#define COLUMN(dx, side)                                                                                      \
    {                                                                                                         \
        const vector r0 = side(load(above + dx - 1)), r1 = side(load(plane + dx - 1));                        \
        const vector r2 = side(load(plane + width + dx - 1));                                                 \
        const vector r3 = side(load((rows > 2 ? plane + 2 * width : below) + dx - 1));                        \
        const vector r4 = rows > 2 ? side(load(plane + 3 * width + dx - 1)) : r3;                             \
        const vector r5 = rows > 2 ? side(load(below + dx - 1)) : r3;                                         \
        SUMS(0, 0, dx, r0, r1, r2, r3) SUMS(1, 0, dx, r0, r1, r2, r3)                                         \
        SUMS(2, 0, dx, r0, r1, r2, r3) SUMS(3, 0, dx, r0, r1, r2, r3)                                         \
        SUMS(0, 1, dx, r1, r2, r3, r4) SUMS(1, 1, dx, r1, r2, r3, r4)                                         \
        SUMS(2, 1, dx, r1, r2, r3, r4) SUMS(3, 1, dx, r1, r2, r3, r4)                                         \
        SUMS(0, 2, dx, r2, r3, r4, r5) SUMS(1, 2, dx, r2, r3, r4, r5)                                         \
        SUMS(2, 2, dx, r2, r3, r4, r5) SUMS(3, 2, dx, r2, r3, r4, r5)                                         \
    }
#define LEFT(v) masked(v, left)
#define RIGHT(v) masked(v, right)
        COLUMN(0, LEFT)
        COLUMN(1, )
        COLUMN(2, RIGHT)
#undef SUMS
#undef COLUMN
#undef LEFT
#undef RIGHT
    }
#define FINISH(o)                                                              \
    if (outs > o) {                                                            \
        finish(to, output + o, place, a##o##0);                                \
        finish(to, output + o, place + width, a##o##1);                        \
        if (rows > 2) finish(to, output + o, place + 2 * width, a##o##2); \
        if (rows > 2) finish(to, output + o, place + 3 * width, a##o##3); \
    }
    FINISH(0)
    FINISH(1)
    FINISH(2)
    FINISH(3)
#undef FINISH
}

#define ROWS(outs, rows)                                                                                             \
    static void rows_##outs(const struct window *w, const int *inputs, int ins, const float *weights,                \
                            const float *bias, const struct finish *to, int output) {                                \
        const struct finish own = *to; /* no store can change it */                                                  \
        for (int y = 0; y < w->height; y += rows)                                                                    \
            for (int x = 0; x < w->width; x += LANES)                                                                \
                rows_block(outs, rows, w, inputs, ins, y, x, weights, bias, &own, output);                             \
    }
ROWS(4, 2)
ROWS(3, 2)
ROWS(2, 4)
ROWS(1, 4)
#undef ROWS

INLINE int by_rows(const struct window *w, int ins) {
    return w->kernel == 3 && w->stride == 1 && ins <= FEW_INPUTS && w->width % LANES == 0 && w->height % 4 == 0;
}

static void sums_by_rows(const struct window *w, const int *inputs, int ins, int outs, const float *weights,
                         const float *bias, const struct finish *to) {
    int output = 0;
    for (; output + 4 <= outs; output += 4, weights += 36 * ins)
        rows_4(w, inputs, ins, weights, bias + output, to, output);
    if (outs - output == 3) rows_3(w, inputs, ins, weights, bias + output, to, output);
    if (outs - output == 2) rows_2(w, inputs, ins, weights, bias + output, to, output);
    if (outs - output == 1) rows_1(w, inputs, ins, weights, bias + output, to, output);
}

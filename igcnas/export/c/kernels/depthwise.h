/* Depthwise 3x3 of whole planes: by rows (depthwise_rows.h) where a row is whole vectors; by pixels, where a small map is
   not: every tap has a mask for every vector; else with a copy (border.h). A stride other than 1 makes only the rows that
   are meant, whole, and picks their columns. */
enum { SMALL = 64 }; /* pixels of a map whose masks are kept */

#if LANES > 1
static mask inside[9 * SMALL / LANES]; /* [vector][tap]: whether the tap of a pixel lies in the plane */

static void mark_inside(const struct window *w) {
    for (int pixel = 0; pixel < w->height * w->width; pixel++)
        for (int tap = 0; tap < 9; tap++) {
            const int y = pixel / w->width + tap / 3 - 1, x = pixel % w->width + tap % 3 - 1;
            const int is = y >= 0 && y < w->height && x >= 0 && x < w->width;
            inside[pixel / LANES * 9 + tap][pixel % LANES] = -is;
        }
}

static void plane_by_pixels(const struct window *w, const float *plane, const float *weights, float bias,
                            const struct finish *given) {
    const struct finish own = *given, *to = &own; /* no store can change it */
    const mask *in = inside;
    for (int pixel = 0; pixel < w->height * w->width; pixel += LANES, in += 9) {
        const float *above = plane + pixel - w->width, *here = plane + pixel, *below = here + w->width;
        vector a = splat(bias), b = splat(0), c = b;
#define TAP(sum, k, at) sum += masked(load(at), in[k]) * splat(weights[k]);
        TAP(a, 0, above - 1) TAP(b, 3, here - 1) TAP(c, 6, below - 1)
        TAP(a, 1, above)     TAP(b, 4, here)     TAP(c, 7, below)
        TAP(a, 2, above + 1) TAP(b, 5, here + 1) TAP(c, 8, below + 1)
#undef TAP
        finish(to, 0, pixel, a + b + c);
    }
}
#endif

INLINE void nine(const float *at, const float *weights, float bias, const struct finish *to, int place) {
    vector sum = splat(bias);
    for (int k = 0; k < 9; k++) sum += load(at + taps[k]) * splat(weights[k]);
    finish(to, 0, place, sum);
}

static void depthwise(const struct convolution *c) {
    static const int start[1] = {0};
    const struct window *w = &c->window;
    const int whole = w->width % LANES == 0, by_pixels = !whole && w->height * w->width <= SMALL;
    const int vectors = whole || by_pixels ? 0 : prepare(c, 1);
#if LANES > 1
    if (by_pixels) mark_inside(w);
#endif
    const struct finish raw = {arena + c->rows, start, NULL, LINEAR, LINEAR};
    for (int k = 0; k < c->groups; k++) {
        const struct finish to = {arena, c->outputs + k, c->added ? c->added + k : NULL, c->before, c->after};
        const int direct = w->stride == 1 && vectors == 0;
        const float *plane = arena + c->inputs[k], *weights = c->weights + 9 * k;
        if (whole) {
            plane_by_rows(w, plane, weights, c->bias[k], 0, w->out_height, direct ? &to : &raw);
#if LANES > 1
        } else if (by_pixels) {
            plane_by_pixels(w, plane, weights, c->bias[k], direct ? &to : &raw);
#endif
        } else {
            copy_with_border(w, plane, arena + c->copy);
            for (int v = 0; v < vectors; v++) nine(arena + c->copy + places[v], weights, c->bias[k], &raw, v * LANES);
        }
        const int pitch = vectors ? copy_pitch(w) : whole ? w->width : w->width * w->stride;
        if (!direct) close_gaps(w, arena + c->rows, w->out_height, pitch, vectors ? 1 : w->stride, &to, 0);
    }
}

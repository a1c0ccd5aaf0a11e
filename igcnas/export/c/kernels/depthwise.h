/* Depthwise 3x3 without a copy: what lies outside of the plane is masked. A stride other than 1 makes only the rows that
   are meant, whole, and picks their columns.

   By rows, where a row is whole vectors: two rows at once, which share six of their twelve loads; only the first and the
   last vector of a row are masked. By pixels, where a small map is not: every tap has a mask for every vector. Else with
   a copy (border.h). */
enum { SMALL = 64 }; /* pixels of a map whose masks are kept */

struct row {
    const float *above, *here, *below;
};

/* The row y of a plane and its neighbours; rows outside are zeros. */
INLINE struct row row_of(const struct window *w, const float *plane, int y) {
    const float *outside = zeros + LANES, *here = plane + y * w->width;
    const struct row found = {y > 0 ? here - w->width : outside, here, y + 1 < w->height ? here + w->width : outside};
    return found;
}

/* Three taps of one row for the vector at x; `first` and `last` of its row have a neighbour outside. */
INLINE vector three(const int first, const int last, const float *at, const float *weights, vector sum) {
    const vector left = load(at - 1), right = load(at + 1);
    sum += (first ? masked(left, NOT_FIRST) : left) * splat(weights[0]);
    sum += load(at) * splat(weights[1]);
    return sum + (last ? masked(right, NOT_LAST) : right) * splat(weights[2]);
}

INLINE void two_rows(const int first, const int last, const float *const *rows, int x, const float *w, float bias,
                     const struct finish *to, int place, int next) {
    vector a = splat(bias), b = a;
#define ROW(k)                                                                    \
    {                                                                             \
        const float *at = rows[k] + x;                                            \
        const vector here = load(at);                                             \
        const vector left = first ? masked(load(at - 1), NOT_FIRST) : load(at - 1);   \
        const vector right = last ? masked(load(at + 1), NOT_LAST) : load(at + 1);    \
        if (k < 3) a += left * splat(w[3 * k]), a += here * splat(w[3 * k + 1]), a += right * splat(w[3 * k + 2]); \
        if (k > 0) b += left * splat(w[3 * k - 3]), b += here * splat(w[3 * k - 2]), b += right * splat(w[3 * k - 1]); \
    }
    ROW(0) ROW(1) ROW(2) ROW(3)
#undef ROW
    finish(to, 0, place, a);
    finish(to, 0, next, b);
}

INLINE void one_row(const int first, const int last, const struct row *row, int x, const float *w, float bias,
                    const struct finish *to, int place) {
    vector sum = splat(bias);
    sum = three(first, last, row->above + x, w, sum);
    sum = three(first, last, row->here + x, w + 3, sum);
    sum = three(first, last, row->below + x, w + 6, sum);
    finish(to, 0, place, sum);
}

static void plane_by_rows(const struct window *w, const float *plane, const float *weights, float bias,
                          const struct finish *given) {
    const int width = w->width, end = width - LANES;
    const struct finish own = *given, *to = &own; /* no store can change it, nor these */
    float k[9];
    for (int i = 0; i < 9; i++) k[i] = weights[i];
    int y = 0;
    for (; w->stride == 1 && y + 2 <= w->height; y += 2) {
        const struct row row = row_of(w, plane, y), next = row_of(w, plane, y + 1);
        const float *const rows[4] = {row.above, row.here, next.here, next.below};
        const int place = y * width, after = place + width;
        if (width == LANES) {
            two_rows(1, 1, rows, 0, k, bias, to, place, after);
            continue;
        }
        two_rows(1, 0, rows, 0, k, bias, to, place, after);
        for (int x = LANES; x < end; x += LANES) two_rows(0, 0, rows, x, k, bias, to, place + x, after + x);
        two_rows(0, 1, rows, end, k, bias, to, place + end, after + end);
    }
    for (int out = y; out < w->out_height; out++) {
        const struct row row = row_of(w, plane, out * w->stride);
        const int place = out * width;
        if (width == LANES) {
            one_row(1, 1, &row, 0, k, bias, to, place);
            continue;
        }
        one_row(1, 0, &row, 0, k, bias, to, place);
        for (int x = LANES; x < end; x += LANES) one_row(0, 0, &row, x, k, bias, to, place + x);
        one_row(0, 1, &row, end, k, bias, to, place + end);
    }
}

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
            plane_by_rows(w, plane, weights, c->bias[k], direct ? &to : &raw);
#if LANES > 1
        } else if (by_pixels) {
            plane_by_pixels(w, plane, weights, c->bias[k], direct ? &to : &raw);
#endif
        } else {
            copy_with_border(w, plane, arena + c->copy);
            for (int v = 0; v < vectors; v++) nine(arena + c->copy + places[v], weights, c->bias[k], &raw, v * LANES);
        }
        const int pitch = vectors ? copy_pitch(w) : whole ? w->width : w->width * w->stride;
        if (!direct) close_gaps(w, arena + c->rows, pitch, vectors ? 1 : w->stride, &to, 0);
    }
}

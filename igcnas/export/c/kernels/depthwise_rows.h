/* Depthwise 3x3 without a copy, for rows of whole vectors: what lies outside of the plane is masked. Two rows at once, which
   share six of their twelve loads; only the first and the last vector of a row are masked. */

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

/* The output rows from `top` to before `bottom`, written from place 0 on. */
static void plane_by_rows(const struct window *w, const float *plane, const float *weights, float bias, int top,
                          int bottom, const struct finish *given) {
    const int width = w->width, end = width - LANES;
    const struct finish own = *given, *to = &own; /* no store can change it, nor these */
    float k[9];
    for (int i = 0; i < 9; i++) k[i] = weights[i];
    int y = top;
    for (; w->stride == 1 && y + 2 <= bottom; y += 2) {
        const struct row row = row_of(w, plane, y), next = row_of(w, plane, y + 1);
        const float *const rows[4] = {row.above, row.here, next.here, next.below};
        const int place = (y - top) * width, after = place + width;
        if (width == LANES) {
            two_rows(1, 1, rows, 0, k, bias, to, place, after);
            continue;
        }
        two_rows(1, 0, rows, 0, k, bias, to, place, after);
        for (int x = LANES; x < end; x += LANES) two_rows(0, 0, rows, x, k, bias, to, place + x, after + x);
        two_rows(0, 1, rows, end, k, bias, to, place + end, after + end);
    }
    for (; y < bottom; y++) {
        const struct row row = row_of(w, plane, y * w->stride);
        const int place = (y - top) * width;
        if (width == LANES) {
            one_row(1, 1, &row, 0, k, bias, to, place);
            continue;
        }
        one_row(1, 0, &row, 0, k, bias, to, place);
        for (int x = LANES; x < end; x += LANES) one_row(0, 0, &row, x, k, bias, to, place + x);
        one_row(0, 1, &row, end, k, bias, to, place + end);
    }
}

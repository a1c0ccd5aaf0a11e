/* Convolutions by groups. Each group is a list of input planes, a list of output planes, and weights of its own size, so
   equal, unequal and learned groups are alike, and permutations before and behind are only the order of the lists. */
struct convolution {
    struct window window;
    int groups;
    const int *sizes;   /* inputs and outputs of each group */
    const int *inputs;  /* planes of the arena, group after group */
    const int *outputs; /* the same of the results */
    const int *added;   /* planes that are added to the results, or NULL */
    const float *weights, *bias;
    int before, after; /* activation before and behind what is added */
    int copy, rows;    /* places in the arena: copies with borders; planes before these are dropped */
};

static int places[MOST_PLACES], taps[MOST_TERMS];

/* The planes of one group from its inputs, written from `out` on; `copy` has zeros in its borders. */
static void group(const struct convolution *c, const int *inputs, int ins, const int *outputs, const int *added, int outs,
                  const float *weights, const float *bias, int vectors, float *out) {
    const struct window *w = &c->window;
    struct finish to = {out, outputs, added, c->before, c->after};
    if (w->kernel == 1 && w->stride == 1) {
        sums(ins, inputs, arena, places, vectors, outs, weights, bias, &to);
        return;
    }
    if (by_rows(w, ins)) {
        sums_by_rows(w, inputs, ins, outs, weights, bias, &to);
        return;
    }
    float *copy = arena + c->copy;
    const int plane = copy_plane(w), terms = ins * w->kernel * w->kernel;
    for (int k = 0; k < ins; k++) copy_with_border(w, arena + inputs[k], copy + k * plane);
    if (in_rows(w)) {
        sums(terms, taps, copy, places, vectors, outs, weights, bias, &to);
        return;
    }
    float *rows = arena + c->rows;
    static const int four[4] = {0, MOST_ROWS, 2 * MOST_ROWS, 3 * MOST_ROWS};
    for (int first = 0; first < outs; first += 4) { /* four planes with gaps between their rows, then without */
        const int some = outs - first < 4 ? outs - first : 4;
        struct finish raw = {rows, four, NULL, LINEAR, LINEAR};
        sums(terms, taps, copy, places, vectors, some, weights + first * terms, bias + first, &raw);
        for (int k = 0; k < some; k++) close_gaps(w, rows + four[k], w->out_height, copy_pitch(w), 1, &to, first + k);
    }
}

/* The shifts of all taps of the first `ins` planes in a copy, and of all vectors; the number of these. */
static int prepare(const struct convolution *c, int ins) {
    const struct window *w = &c->window;
    if (w->kernel == 1 && w->stride == 1) {
        const int vectors = (w->height * w->width + LANES - 1) / LANES;
        for (int k = 0; k < vectors; k++) places[k] = k * LANES;
        return vectors;
    }
    int *at = taps;
    for (int k = 0; k < ins; k++)
        for (int dy = 0; dy < w->kernel; dy++)
            for (int dx = 0; dx < w->kernel; dx++) *at++ = k * copy_plane(w) + tap(w, dy, dx);
    memset(arena + c->copy, 0, sizeof(float) * (size_t)(ins * copy_plane(w)));
    return places_of(w, places);
}

static void every_group(const struct convolution *c, int vectors, float *out) {
    const int area = c->window.kernel * c->window.kernel;
    const int *inputs = c->inputs, *outputs = c->outputs, *added = c->added;
    const float *weights = c->weights, *bias = c->bias;
    for (int k = 0; k < c->groups; k++) {
        const int ins = c->sizes[2 * k], outs = c->sizes[2 * k + 1];
        group(c, inputs, ins, outputs, added, outs, weights, bias, vectors, out);
        inputs += ins, outputs += outs, added = added ? added + outs : NULL;
        weights += ins * outs * area, bias += outs;
    }
}

static void convolve(const struct convolution *c) {
    int most = 0;
    for (int k = 0; k < c->groups; k++) most = c->sizes[2 * k] > most ? c->sizes[2 * k] : most;
    every_group(c, prepare(c, most), arena);
}

/* Depthwise 3x3: a plane at a time, copied with its border into the first cache, the nine weights in registers. Two
   vectors at once hide the latency of a chain of nine multiplications. */
INLINE void nine(const int wide, const float *p0, const float *p1, const int *taps, const float *weights, float bias,
                 const struct finish *to, int output, int first) {
    vector a0 = splat(bias), a1 = a0;
#define TAP(k)                                          \
    {                                                   \
        const vector w = splat(weights[k]);             \
        a0 += load(p0 + taps[k]) * w;                   \
        if (wide > 1) a1 += load(p1 + taps[k]) * w;     \
    }
    TAP(0) TAP(1) TAP(2) TAP(3) TAP(4) TAP(5) TAP(6) TAP(7) TAP(8)
#undef TAP
    finish(to, output, first, a0);
    if (wide > 1) finish(to, output, first + LANES, a1);
}

static void depthwise(const struct convolution *c) {
    const struct window *w = &c->window;
    const int vectors = prepare(c, 1);
    float *copy = arena + c->copy;
    static const int zero[1] = {0};
    for (int k = 0; k < c->groups; k++) {
        const struct finish to = {arena, c->outputs + k, c->added ? c->added + k : NULL, c->before, c->after};
        const struct finish raw = {arena + c->rows, zero, NULL, LINEAR, LINEAR};
        const struct finish *use = in_rows(w) ? &to : &raw;
        const float *weights = c->weights + 9 * k;
        copy_with_border(w, arena + c->inputs[k], copy);
        int v = 0;
        for (; v + 2 <= vectors; v += 2)
            nine(2, copy + places[v], copy + places[v + 1], taps, weights, c->bias[k], use, 0, v * LANES);
        if (v < vectors) nine(1, copy + places[v], copy, taps, weights, c->bias[k], use, 0, v * LANES);
        if (use == &raw) drop_border(w, arena + c->rows, &to, 0, arena + c->outputs[k]);
    }
}

/* Sums of weighted planes: the one kernel under every convolution but the depthwise ones.

   An output plane is its bias plus a sum of weight * (plane at an offset). For a 1x1 convolution the offsets are the list
   of the input channels, so any order, group or choice of channels costs what its multiplications cost. For a larger
   kernel they are the taps of each channel in a copy with borders (border.h).

   A block of `outs` planes by `wide` vectors stays in registers: at most 12 accumulators, which a register file of 16
   holds beside the weights and one input. The accumulators are variables with names, because compilers keep arrays of
   them in memory. */
enum { LINEAR, RELU, RELU6 };

/* Where sums go and what is done to them: activation, a plane added, activation. Offsets are those of the output. */
struct finish {
    float *out;
    const int *outputs;
    const int *added; /* planes, one for each output, counted from `out`; NULL where nothing is added */
    int before, after;
};

INLINE float bounded(float x, int kind) {
    x = kind != LINEAR && x < 0 ? 0 : x;
    return kind == RELU6 && x > 6 ? 6 : x;
}

INLINE vector activated(vector x, int kind) {
    if (kind != LINEAR) x = at_least(x, 0);
    return kind == RELU6 ? at_most(x, 6) : x;
}

INLINE void finish(const struct finish *to, int output, int place, vector x) {
    x = activated(x, to->before);
    if (to->added) x = activated(x + load(to->out + to->added[output] + place), to->after);
    store(to->out + to->outputs[output] + place, x);
}

INLINE void block(const int outs, const int wide, int terms, const int *offsets, const float *from, const int *places,
                  const float *weights, const float *bias, const struct finish *to, int output, int first) {
    const ptrdiff_t p0 = places[0], p1 = places[wide > 1 ? 1 : 0];
    const ptrdiff_t p2 = places[wide > 2 ? 2 : 0], p3 = places[wide > 3 ? 3 : 0];
    vector a00 = splat(bias[0]), a10 = splat(bias[outs > 1 ? 1 : 0]);
    vector a20 = splat(bias[outs > 2 ? 2 : 0]), a30 = splat(bias[outs > 3 ? 3 : 0]);
    vector a01 = a00, a02 = a00, a03 = a00, a11 = a10, a12 = a10, a13 = a10;
    vector a21 = a20, a22 = a20, a23 = a20, a31 = a30, a32 = a30, a33 = a30;
    AS_IT_IS
    for (int k = 0; k < terms; k++, weights += outs) {
        const float *at = from + offsets[k];
        if (outs > wide) { /* the inputs stay in registers, weights come one by one */
            const vector x0 = load(at + p0), x1 = load(at + p1), x2 = load(at + p2);
            vector w = splat(weights[0]);
            a00 += x0 * w;
            if (wide > 1) a01 += x1 * w;
            if (wide > 2) a02 += x2 * w;
            w = splat(weights[1]);
            a10 += x0 * w;
            if (wide > 1) a11 += x1 * w;
            if (wide > 2) a12 += x2 * w;
            if (outs > 2) {
                w = splat(weights[2]);
                a20 += x0 * w;
                if (wide > 1) a21 += x1 * w;
                if (wide > 2) a22 += x2 * w;
            }
            if (outs > 3) {
                w = splat(weights[3]);
                a30 += x0 * w;
                if (wide > 1) a31 += x1 * w;
                if (wide > 2) a32 += x2 * w;
            }
        } else { /* the other way round */
            const vector w0 = splat(weights[0]), w1 = splat(weights[outs > 1 ? 1 : 0]);
            const vector w2 = splat(weights[outs > 2 ? 2 : 0]);
            vector x = load(at + p0);
            a00 += x * w0;
            if (outs > 1) a10 += x * w1;
            if (outs > 2) a20 += x * w2;
            if (wide > 1) {
                x = load(at + p1);
                a01 += x * w0;
                if (outs > 1) a11 += x * w1;
                if (outs > 2) a21 += x * w2;
            }
            if (wide > 2) {
                x = load(at + p2);
                a02 += x * w0;
                if (outs > 1) a12 += x * w1;
                if (outs > 2) a22 += x * w2;
            }
            if (wide > 3) {
                x = load(at + p3);
                a03 += x * w0;
                if (outs > 1) a13 += x * w1;
                if (outs > 2) a23 += x * w2;
            }
        }
    }
#define FINISH(o)                                                           \
    if (outs > o) {                                                         \
        finish(to, output + o, first, a##o##0);                             \
        if (wide > 1) finish(to, output + o, first + LANES, a##o##1);       \
        if (wide > 2) finish(to, output + o, first + 2 * LANES, a##o##2);   \
        if (wide > 3) finish(to, output + o, first + 3 * LANES, a##o##3);   \
    }
    FINISH(0)
    FINISH(1)
    FINISH(2)
    FINISH(3)
#undef FINISH
}

/* One function for each number of planes: the vectors from `first` to `end`, as many at once as registers allow. */
#define SUMS(outs, most)                                                                                            \
    static void sums_##outs(int terms, const int *offsets, const float *from, const int *places,                    \
                            const float *weights, const float *bias, const struct finish *to, int output, int first, \
                            int end) {                                                                              \
        const struct finish own = *to; /* no store can change it */                                                 \
        int k = first;                                                                                              \
        for (; k + most <= end; k += most)                                                                          \
            block(outs, most, terms, offsets, from, places + k, weights, bias, &own, output, k * LANES);              \
        for (; k + 2 <= end; k += 2)                                                                                \
            block(outs, 2, terms, offsets, from, places + k, weights, bias, &own, output, k * LANES);                 \
        if (k < end) block(outs, 1, terms, offsets, from, places + k, weights, bias, &own, output, k * LANES);        \
    }
#if defined(__clang__) && !defined(__AVX512F__) && !defined(__aarch64__)
SUMS(4, 2) /* it orders loads its own way, which takes more registers, and would keep sums in memory */
SUMS(3, 3)
#else
SUMS(4, 3)
SUMS(3, 4)
#endif
SUMS(2, 4)
SUMS(1, 4)
#undef SUMS

/* All planes of one group. Weights lie in blocks of four outputs, the last one of what is left: [block][term][output].
   The vectors are taken in tiles whose inputs stay in the first cache while every output reads them. */
static void sums(int terms, const int *offsets, const float *from, const int *places, int vectors, int outs,
                 const float *weights, const float *bias, const struct finish *to) {
    const int share = 4096 / ((terms + 1) * LANES);
    const int tile = share < 12 ? 12 : share / 12 * 12;
    for (int first = 0; first < vectors; first += tile) {
        const int end = first + tile < vectors ? first + tile : vectors;
        const float *w = weights;
        int output = 0;
        for (; output + 4 <= outs; output += 4, w += 4 * terms)
            sums_4(terms, offsets, from, places, w, bias + output, to, output, first, end);
        if (outs - output == 3) sums_3(terms, offsets, from, places, w, bias + output, to, output, first, end);
        if (outs - output == 2) sums_2(terms, offsets, from, places, w, bias + output, to, output, first, end);
        if (outs - output == 1) sums_1(terms, offsets, from, places, w, bias + output, to, output, first, end);
    }
}

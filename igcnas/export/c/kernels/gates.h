/* Convolutions whose input channels each image chooses. The gates become a list of the channels that are kept and
   weights that are multiplied by them, once an image; then the convolution is one by groups like any other, and what is
   not kept costs nothing. */
static int kept[MOST_TERMS];

/* Head h makes its share of the outputs; weights as `convolve` has them, all inputs for each head. */
static void convolve_gated(const struct convolution *c, const float *gates, float *scaled) {
    const int ins = c->sizes[0], area = c->window.kernel * c->window.kernel;
    const int vectors = prepare(c, ins);
    const int *outputs = c->outputs, *added = c->added;
    const float *weights = c->weights, *bias = c->bias;
    for (int h = 0; h < c->groups; h++, gates += ins) {
        const int outs = c->sizes[2 * h + 1];
        int some = 0;
        for (int k = 0; k < ins; k++)
            if (gates[k] != 0) kept[some++] = c->inputs[k];
        float *to = scaled;
        for (int first = 0; first < outs; first += 4) {
            const int block = area * (outs - first < 4 ? outs - first : 4);
            for (int k = 0; k < ins; k++, weights += block)
                if (gates[k] != 0)
                    for (int i = 0; i < block; i++) *to++ = weights[i] * gates[k];
        }
        group(c, kept, some, outputs, added, outs, scaled, bias, vectors, arena);
        outputs += outs, added = added ? added + outs : NULL, bias += outs;
    }
}

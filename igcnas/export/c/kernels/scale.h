/* scale * x + shift, for norms that no convolution takes up. */
static void scale_planes(const struct planes *p, const float *base, const float *scale, const float *shift) {
    const int kind = p->kind;
    for (int k = 0; k < p->count; k++) {
        const float *from = base + p->inputs[k], a = scale[k], b = shift[k];
        float *to = arena + p->outputs[k];
        for (int i = 0; i < p->pixels; i++)
            to[i] = bounded(from[i] * a + b, kind);
    }
}

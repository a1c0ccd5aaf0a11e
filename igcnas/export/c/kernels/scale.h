/* scale * x + shift, for norms that no convolution takes up. */
static void scale_planes(const struct planes *p, const float *base, const float *scale, const float *shift) {
    for (int k = 0; k < p->count; k++) {
        const float *from = base + p->inputs[k], a = scale[k], b = shift[k];
        float *to = arena + p->outputs[k];
        for (int i = 0; i < p->pixels; i++) {
            float x = from[i] * a + b;
            if (p->kind != LINEAR) x = x < 0 ? 0 : x;
            if (p->kind == RELU6) x = x > 6 ? 6 : x;
            to[i] = x;
        }
    }
}

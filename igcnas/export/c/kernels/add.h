/* Sums of two values that no convolution makes in passing. */
static void add_planes(const struct planes *p) {
    for (int k = 0; k < p->count; k++) {
        const float *one = arena + p->inputs[k], *other = arena + p->others[k];
        float *to = arena + p->outputs[k];
        for (int i = 0; i < p->pixels; i++) {
            float x = one[i] + other[i];
            if (p->kind != LINEAR) x = x < 0 ? 0 : x;
            if (p->kind == RELU6) x = x > 6 ? 6 : x;
            to[i] = x;
        }
    }
}

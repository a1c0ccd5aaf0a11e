/* Sums of two values that no convolution makes in passing. */
static void add_planes(const struct planes *p) {
    const int kind = p->kind;
    for (int k = 0; k < p->count; k++) {
        const float *one = arena + p->inputs[k], *other = arena + p->others[k];
        float *to = arena + p->outputs[k];
        for (int i = 0; i < p->pixels; i++)
            to[i] = bounded(one[i] + other[i], kind);
    }
}

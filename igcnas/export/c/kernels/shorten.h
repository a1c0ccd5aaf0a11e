/* Every stride-th pixel; zeros for the planes that are new, whose input is -1. */
static void shorten_planes(const struct planes *p, const struct window *w) {
    for (int k = 0; k < p->count; k++) {
        float *to = arena + p->outputs[k];
        for (int y = 0; y < w->out_height; y++)
            for (int x = 0; x < w->out_width; x++)
                to[y * w->out_width + x] = p->inputs[k] < 0 ? 0 : arena[p->inputs[k] + (y * w->width + x) * w->stride];
    }
}

/* A depthwise 3x3 and the 1x1 behind it in one pass: of every channel a strip of rows, then all sums of these rows. So the
   planes between them are never whole in memory, and a strip stays in the nearest caches.

   A row is whole vectors, and so is a strip: what a vector would read or write too far is another strip's. */
static void depthwise_and_sums(const struct convolution *d, const struct convolution *c, int strip) {
    static const int start[1] = {0};
    const struct window *w = &d->window;
    const struct finish raw = {arena + d->rows, start, NULL, LINEAR, LINEAR};
    for (int k = 0; k < strip * w->out_width / LANES; k++) places[k] = k * LANES;
    for (int top = 0; top < w->out_height; top += strip) {
        const int bottom = top + strip < w->out_height ? top + strip : w->out_height, rows = bottom - top;
        for (int k = 0; k < d->groups; k++) {
            const struct finish to = {arena, d->outputs + k, NULL, d->before, d->after};
            const float *plane = arena + d->inputs[k];
            plane_by_rows(w, plane, d->weights + 9 * k, d->bias[k], top, bottom, w->stride == 1 ? &to : &raw);
            if (w->stride > 1) close_gaps(w, arena + d->rows, rows, w->width, w->stride, &to, 0);
        }
        every_group(c, rows * w->out_width / LANES, arena + top * w->out_width);
    }
}

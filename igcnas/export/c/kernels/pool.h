/* Maxima over windows padded by kernel / 2, or means over whole windows: what lies outside of the plane counts never. */
static void pool_planes(const struct planes *p, const struct window *w, int average) {
    const int pad = average ? 0 : w->kernel / 2;
    for (int k = 0; k < p->count; k++) {
        const float *from = arena + p->inputs[k];
        float *to = arena + p->outputs[k];
        for (int y = 0; y < w->out_height; y++)
            for (int x = 0; x < w->out_width; x++) {
                const int top = y * w->stride - pad, left = x * w->stride - pad;
                const int bottom = top + w->kernel < w->height ? top + w->kernel : w->height;
                const int right = left + w->kernel < w->width ? left + w->kernel : w->width;
                const int first = top < 0 ? 0 : top, start = left < 0 ? 0 : left;
                float best = from[first * w->width + start], sum = 0;
                for (int i = first; i < bottom; i++)
                    for (int j = start; j < right; j++) {
                        const float value = from[i * w->width + j];
                        best = value > best ? value : best;
                        sum += value;
                    }
                to[y * w->out_width + x] = average ? sum / (float)((bottom - first) * (right - start)) : best;
            }
    }
}

/* Copies of planes with a border of zeros, for kernels larger than one pixel.

   With stride s the copy is sorted into s * s phases: pixel (y, x) lies in phase (y % s, x % s). So a tap of the kernel
   is always the plane shifted by a constant, whatever the stride, and loads are dense. A border in the copy alone leaves
   every value of the network without one: a 1x1 convolution and a sum lose nothing to it. */
struct window {
    int kernel, stride, height, width, out_height, out_width;
};

INLINE int copy_pitch(const struct window *w) { return w->out_width + (w->kernel - 1) / w->stride; }
INLINE int copy_rows(const struct window *w) { return w->out_height + (w->kernel - 1) / w->stride; }
INLINE int copy_phase(const struct window *w) { return copy_rows(w) * copy_pitch(w); }
INLINE int copy_plane(const struct window *w) { return w->stride * w->stride * copy_phase(w); }

/* Where tap (dy, dx) of output pixel (0, 0) lies in the copy of a plane. */
INLINE int tap(const struct window *w, int dy, int dx) {
    const int phase = dy % w->stride * w->stride + dx % w->stride;
    return phase * copy_phase(w) + dy / w->stride * copy_pitch(w) + dx / w->stride;
}

static void copy_with_border(const struct window *w, const float *plane, float *copy) {
    const int pad = w->kernel / 2, stride = w->stride, pitch = copy_pitch(w);
    for (int y = 0; y < w->height && (y + pad) / stride < copy_rows(w); y++) {
        const float *row = plane + y * w->width;
        if ((y + pad) % stride >= w->kernel) continue; /* no tap reads it */
        if (stride == 1) {
            memcpy(copy + (y + pad) * pitch + pad, row, sizeof(float) * (size_t)w->width);
            continue;
        }
        for (int phase = 0; phase < stride && phase < w->kernel; phase++) { /* of the columns */
            float *to = copy + ((y + pad) % stride * stride + phase) * copy_phase(w) + (y + pad) / stride * pitch;
            const int skip = phase < pad ? (pad - phase + stride - 1) / stride : 0;
            for (int x = skip; x < pitch && x * stride + phase - pad < w->width; x++) to[x] = row[x * stride + phase - pad];
        }
    }
}

/* Vectors of output pixels. Where the width of the map is a multiple of a vector's, they lie in rows and no lane is
   lost; else they run over the rows of the copy, and what lies between the rows is dropped (`drop_border`). */
INLINE int in_rows(const struct window *w) { return w->out_width % LANES == 0; }

static int places_of(const struct window *w, int *places) {
    const int pitch = copy_pitch(w);
    int count = 0;
    if (!in_rows(w)) {
        for (int at = 0; at < w->out_height * pitch; at += LANES) places[count++] = at;
        return count;
    }
    for (int y = 0; y < w->out_height; y++)
        for (int x = 0; x < w->out_width; x += LANES) places[count++] = y * pitch + x;
    return count;
}

static void drop_border(const struct window *w, const float *sums, const struct finish *to, int output, float *out) {
    const int pitch = copy_pitch(w), width = w->out_width;
    const float *added = to->added ? arena + to->added[output] : NULL;
    for (int y = 0; y < w->out_height; y++)
        for (int x = 0; x < width; x++) {
            float value = sums[y * pitch + x];
            if (to->before != LINEAR) value = value < 0 ? 0 : value;
            if (to->before == RELU6) value = value > 6 ? 6 : value;
            if (added) {
                value += added[y * width + x];
                if (to->after != LINEAR) value = value < 0 ? 0 : value;
                if (to->after == RELU6) value = value > 6 ? 6 : value;
            }
            out[y * width + x] = value;
        }
}

/* Copies of planes with a border of zeros, for kernels larger than one pixel.

   With stride s the copy is sorted into s * s phases: pixel (y, x) lies in phase (y % s, x % s). So a tap of the kernel
   is always the plane shifted by a constant, whatever the stride, and loads are dense. A border in the copy alone leaves
   every value of the network without one: a 1x1 convolution and a sum lose nothing to it. */
struct window {
    int kernel, stride, height, width, out_height, out_width;
};

static const float zeros[MOST_WIDTH + 2 * LANES]; /* a row outside of a map, and its neighbours */

INLINE int copy_pitch(const struct window *w) { return w->out_width + (w->kernel - 1) / w->stride; }
INLINE int copy_rows(const struct window *w) { return w->out_height + (w->kernel - 1) / w->stride; }
INLINE int copy_phase(const struct window *w) { return copy_rows(w) * copy_pitch(w); }
INLINE int copy_plane(const struct window *w) { return w->stride * w->stride * copy_phase(w); }

/* Where tap (dy, dx) of output pixel (0, 0) lies in the copy of a plane. */
INLINE int tap(const struct window *w, int dy, int dx) {
    const int phase = dy % w->stride * w->stride + dx % w->stride;
    return phase * copy_phase(w) + dy / w->stride * copy_pitch(w) + dx / w->stride;
}

/* Every step-th number. The steps that networks have are constants, for which compilers shuffle whole vectors. */
INLINE void thin(const int step, const float *from, int count, float *to) {
    for (int k = 0; k < count; k++) to[k] = from[k * step];
}

INLINE void copy_row(const float *from, int count, int step, float *to) {
    int k = 0;
    if (step == 1) { /* a call of memcpy would take longer */
        for (; k + LANES <= count; k += LANES) store(to + k, load(from + k));
        for (; k < count; k++) to[k] = from[k];
    } else if (step == 2) {
        thin(2, from, count, to);
    } else {
        thin(step, from, count, to);
    }
}

static void copy_with_border(const struct window *w, const float *plane, float *copy) {
    const int pad = w->kernel / 2, stride = w->stride, pitch = copy_pitch(w);
    for (int y = 0; y < w->height && (y + pad) / stride < copy_rows(w); y++) {
        const float *row = plane + y * w->width;
        if ((y + pad) % stride >= w->kernel) continue; /* no tap reads it */
        for (int phase = 0; phase < stride && phase < w->kernel; phase++) { /* of the columns */
            float *to = copy + ((y + pad) % stride * stride + phase) * copy_phase(w) + (y + pad) / stride * pitch;
            const int skip = phase < pad ? (pad - phase + stride - 1) / stride : 0; /* columns of the border */
            const int first = skip * stride + phase - pad, there = (w->width - first + stride - 1) / stride;
            copy_row(row + first, there < pitch - skip ? there : pitch - skip, stride, to + skip);
        }
    }
}

/* Vectors of output pixels. Where the width of the map is a multiple of a vector's, they lie in rows and no lane is
   lost; else they run over the rows of the copy, and what lies between the rows is dropped (`close_gaps`). */
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

/* From `height` rows of `pitch` numbers, every step-th of which is meant, to rows without gaps. */
static void close_gaps(const struct window *w, const float *rows, int height, int pitch, int step,
                       const struct finish *to, int output) {
    const int count = w->out_width;
    for (int y = 0; y < height; y++, rows += pitch) {
        static float row[MOST_WIDTH];
        const float *from = rows;
        if (step > 1) copy_row(rows, count, step, row), from = row;
        const int place = to->outputs[output] + y * count, added = to->added ? to->added[output] + y * count : 0;
        int k = 0;
        for (; k + LANES <= count; k += LANES) {
            vector x = activated(load(from + k), to->before);
            if (to->added) x = activated(x + load(to->out + added + k), to->after);
            store(to->out + place + k, x);
        }
        for (; k < count; k++) {
            float x = bounded(from[k], to->before);
            if (to->added) x = bounded(x + to->out[added + k], to->after);
            to->out[place + k] = x;
        }
    }
}

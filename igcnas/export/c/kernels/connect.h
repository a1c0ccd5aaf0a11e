/* A fully connected layer: weights [output][input]. */
static void connect(const float *from, int ins, float *to, int outs, const float *weights, const float *bias, int kind) {
    for (int k = 0; k < outs; k++, weights += ins) {
        vector sum = splat(0), other = splat(0);
        int i = 0;
        for (; i + 2 * LANES <= ins; i += 2 * LANES) {
            sum += load(from + i) * load(weights + i);
            other += load(from + i + LANES) * load(weights + i + LANES);
        }
        float x = total(sum + other) + bias[k];
        for (; i < ins; i++) x += from[i] * weights[i];
        to[k] = bounded(x, kind);
    }
}

/* Means of planes, one number each. Several sums at once: the order of additions is that of the lanes. */
static void average_planes(const struct planes *p) {
    for (int k = 0; k < p->count; k++) {
        const float *from = arena + p->inputs[k];
        vector sum = splat(0), other = splat(0);
        int i = 0;
        for (; i + 2 * LANES <= p->pixels; i += 2 * LANES) sum += load(from + i), other += load(from + i + LANES);
        float rest = total(sum + other);
        for (; i < p->pixels; i++) rest += from[i];
        arena[p->outputs[k]] = rest / (float)p->pixels;
    }
}

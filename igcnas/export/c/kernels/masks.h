/* MSGC: a channel is kept where its first logit is at least 0, and multiplied by the second, or by 1. */
static void mask_gates(const float *logits, const float *attention, float *gates, int count) {
    for (int k = 0; k < count; k++) gates[k] = logits[k] >= 0 ? (attention ? attention[k] : 1) : 0;
}

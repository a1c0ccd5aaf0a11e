/* DGC: of each head the `most` channels of the largest saliency, of equal ones the first; `distinct`: only those that
   are above all others. The gate is the saliency. */
static void salient_gates(const float *saliency, float *gates, int heads, int channels, int most, int distinct) {
    for (int h = 0; h < heads; h++, saliency += channels, gates += channels)
        for (int k = 0; k < channels; k++) {
            int before = 0, others = 0; /* channels that are chosen before this one; that are at least as salient */
            for (int i = 0; i < channels; i++) {
                before += saliency[i] > saliency[k] || (saliency[i] == saliency[k] && i < k);
                others += saliency[i] >= saliency[k];
            }
            gates[k] = (distinct && most < channels ? others <= most : before < most) ? saliency[k] : 0;
        }
}

/* What is done to planes one by one: norms without a convolution before them, sums, pooling, shortcuts, means. */
struct planes {
    int count;
    const int *inputs, *others, *outputs; /* planes of the arena; others: the second of a sum */
    int pixels, kind;                     /* of a plane; activation behind */
};

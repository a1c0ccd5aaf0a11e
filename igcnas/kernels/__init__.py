"""Fewer passes over activations: kernels in Triton for what stock PyTorch is worst at, and their stock twins.

A *lazy value* is a raw tensor x and what is still to be done to it: a = act(scale_C * x + shift_C), with act one of
"none", "relu" and "relu6". Whoever reads it does so on load. The *lazy gradient* of the raw output y of a convolution
that a batch norm follows is A_C * g + B_C * y + C_C, because the backward pass of batch norm is linear in g and y.
So between two convolutions no normalised tensor and no gradient of one is ever written.

    depthwise   3x3 and 5x5, stride 1 and 2: forward, input_grad, weight_grad
    pointwise   grouped 1x1 with a permutation of its inputs: forward, input_grad, weight_grad
    norm        statistics, finish, evaluation_affine; apply; backward_reduce, coefficients, backward_apply
    augment     a batch from resident bytes: crop, mirror, normalise; levels, batch
    sgd         one step over flat buffers: nesterov
    lazy        Affine, GradientAffine, Moments, Sums: what they hand to each other
    switch      available, chosen, stock: Triton or stock operators
    reference   the stock twin of each of these functions, by the name of module and function
    ahead       every kernel compiled for a GPU that need not be there: registers, stack, width of loads

Tensors are channels_last, (B, C, H, W) in memory (B, H, W, C), bf16 or fp32; vectors over channels and weights are
fp32; arithmetic is fp32. A function takes Triton for CUDA tensors where Triton is installed (for CPU tensors where the
environment variable TRITON_INTERPRET is 1 before triton is imported, which is for tests), and its twin otherwise.
Importing this package imports no triton. Nothing allocates but through torch, nothing waits for the device, and no
launch depends on values on it, so that all of it can be captured in a CUDA graph. Reductions go through a buffer of
partial results that a second program adds up in a fixed order: two runs are equal bit for bit.

Passes over activations, in tensors read and written (g, x, y: of the size of that value; k: channels the kernel tiles):

    depthwise.forward        x -> y                  + nothing for the moments of y
    depthwise.input_grad     g, y, x -> g'           (y: lazy gradient; x: derivative and sums)
    depthwise.weight_grad    x, g, y -> 9 C numbers a program
    pointwise.*              as depthwise; the operand is read once for each 64 channels of the other side, from L2 if
                             the tile of rows is still there
    norm.statistics          x ->
    norm.apply               x, r -> out
    norm.backward_reduce     g, x, r -> (g' if asked)
    norm.backward_apply      g, x, r -> dx
    augment.batch            bytes -> images
    sgd.nesterov             parameters, gradients, momenta -> parameters, momenta (and a bf16 copy)
"""

// The two innermost convolutions, done the plain way: so few samples don't pay for kernels that are 1.4 to 2 times as
// large.

// One panel of one tap's products: sums (h, w, PANEL) = or += x times kernel (in, PANEL); x's rows and pixels are apart.
INLINE void multiply_map(const float *x, size_t row, size_t pixel, size_t in, const float *kernel, float *sums,
                         size_t h, size_t w, bool adds) {
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j += ROWS)
            multiply(x + i * row + j * pixel, pixel, kernel, sums + (i * w + j) * PANEL, in, adds);
}

// With a stride of 2. x: map (2h, 2w, in); raw: map (h, w, out). kernels: (panels, 25, in, PANEL).
extern "C" void NAME(innermost_down)(const float *x, size_t in, const float *kernels, const float *bias, size_t out,
                                     size_t h, size_t w, float *raw, float *sums) {
    const size_t row = (2 * w + BORDER) * in;
    for (size_t panel = 0; panel < out; panel += PANEL) {
        for (int tap = 0; tap < 25; tap++, kernels += in * PANEL)
            multiply_map(x + tap / 5 * row + tap % 5 * in, 2 * row, 2 * in, in, kernels, sums, h, w, tap > 0);
        for (size_t i = 0; i < h; i++)
            for (size_t j = 0; j < w; j++)
                for (size_t c = panel; c < panel + PANEL && c < out; c += LANES)
                    store(raw + ((i + 1) * (w + BORDER) + j + 1) * out + c,
                          load(sums + (i * w + j) * PANEL + c - panel) + load(bias + c));
    }
}

// Transposed, with a stride of 2. x: map (h, w, in); y: map (2h, 2w, out), activated and normalized.
// kernels: (panels, 25, in, PANEL), the taps phase by phase of the output.
extern "C" void NAME(innermost_up)(const float *x, size_t in, const float *kernels, const float *affine, size_t out,
                                   size_t h, size_t w, int activation, float *y, float *sums) {
    const size_t row = (w + BORDER) * in;
    const Affine with(affine, out);
    for (size_t panel = 0; panel < out; panel += PANEL)
        for (int phase = 0; phase < 4; phase++) {
            const int down = 2 + phase / 2, across = 2 + phase % 2;
            for (int tap = 0; tap < down * across; tap++, kernels += in * PANEL)
                multiply_map(x + tap / across * row + tap % across * in, row, in, in, kernels, sums, h, w, tap > 0);
            for (size_t i = 0; i < h; i++)
                for (size_t j = 0; j < w; j++)
                    for (size_t c = panel; c < panel + PANEL && c < out; c += LANES) {
                        const vec z = load(sums + (i * w + j) * PANEL + c - panel) + load(with.bias + c);
                        const size_t above = 2 * i + phase / 2 + 1, before = 2 * j + phase % 2 + 1;
                        store(y + (above * (2 * w + BORDER) + before) * out + c,
                              activate(z, activation) * load(with.scale + c) + load(with.shift + c));
                    }
        }
}

// The first convolution and the last two, from two channels and to one or two: done the plain way, in vectors of
// channels or of neighbours in a row.

// Outputs that share a load of the kernel; of a row, in vectors. A row is a multiple of 32, of the last layer of 16.
enum { AT_ONCE = 8, VECTORS_AT_ONCE = BY_LANE ? 4 : 2, LAST_AT_ONCE = 16 / LANES };

// With a stride of 2. x: (2, 2h + BORDER, 2w + BORDER), bordered planes; raw, next: maps (h, w, out).
// kernel: (2, 5, 5, out).
extern "C" void NAME(outermost_down)(const float *x, const float *kernel, const float *affine, size_t out, size_t h,
                                     size_t w, int activation, float *raw, float *next) {
    const size_t row = 2 * w + BORDER, plane = (2 * h + BORDER) * row;
    const Affine with(affine, out);
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j += AT_ONCE)
            for (size_t c = 0; c < out; c += LANES) {
                vec sum[AT_ONCE];
                UNROLL for (int k = 0; k < AT_ONCE; k++) sum[k] = load(with.bias + c);
                for (int line = 0; line < 2 * 5; line++) {
                    const Factors<2 * AT_ONCE + 3> from(x + line / 5 * plane + (2 * i + line % 5) * row + 2 * j);
                    UNROLL for (int b = 0; b < 5; b++) {
                        const vec tap = load(kernel + (line * 5 + b) * out + c);
                        UNROLL for (int k = 0; k < AT_ONCE; k++) sum[k] += from[2 * k + b] * tap;
                    }
                }
                const vec scale = load(with.scale + c), shift = load(with.shift + c);
                const size_t at = ((i + 1) * (w + BORDER) + j + 1) * out + c;
                UNROLL for (int k = 0; k < AT_ONCE; k++) {
                    store(raw + at + k * out, sum[k]);
                    store(next + at + k * out, activate(sum[k] * scale + shift, activation));
                }
            }
}

// x: (width, channels) -> planes: (channels, width), rows `plane` apart
INLINE void to_planes(const float *x, size_t channels, size_t width, float *planes, size_t plane) {
    for (size_t c = 0; c < channels; c += LANES) {
        size_t j = 0;
        for (; j + LANES <= width; j += LANES)
            transpose(x + j * channels + c, channels, planes + c * plane + j, plane);
        for (; j < width; j++)
            for (size_t k = 0; k < LANES; k++) planes[(c + k) * plane + j] = x[j * channels + c + k];
    }
}

// Transposed, with a stride of 2, to one channel. skip, x: maps (h, w, in) each, one behind the other;
// y: (2h + 6, 2w + 6), within a border of 3, activated and normalized. kernel: (2 * in, 25), the taps phase by phase.
extern "C" void NAME(outermost_up)(const float *skip, const float *x, size_t in, const float *kernel,
                                   const float *affine, size_t h, size_t w, int activation, float *y, float *work) {
    const size_t width = w + BORDER, plane = width + LANES, y_row = 2 * w + 6;
    const Affine with(affine, 1);
    constexpr int first_tap[4] = {0, 4, 10, 16};
    for (size_t ahead = 0; ahead < h + 2; ahead++) {  // work keeps three rows of the input, as planes
        float *fresh = work + ahead % 3 * 2 * in * plane;
        to_planes(skip + ahead * width * in, in, width, fresh, plane);
        to_planes(x + ahead * width * in, in, width, fresh + in * plane, plane);
        if (ahead < 2) continue;
        const size_t i = ahead - 2;
        for (size_t j = 0; j < w; j += VECTORS_AT_ONCE * LANES) {
            vec sum[4][VECTORS_AT_ONCE];
            UNROLL for (int phase = 0; phase < 4; phase++)
                UNROLL for (int k = 0; k < VECTORS_AT_ONCE; k++) sum[phase][k] = all(*with.bias);
            for (size_t c = 0; c < 2 * in; c++) {
                const Factors<25> taps(kernel + c * 25);
                UNROLL for (int a = 0; a < 3; a++) {
                    const float *from = work + ((i + a) % 3 * 2 * in + c) * plane + j;
                    UNROLL for (int b = 0; b < 3; b++)
                        UNROLL for (int phase = 0; phase < 4; phase++)
                            if (a < 2 + phase / 2 && b < 2 + phase % 2) {
                                const float tap = taps[first_tap[phase] + a * (2 + phase % 2) + b];
                                UNROLL for (int k = 0; k < VECTORS_AT_ONCE; k++)
                                    sum[phase][k] += tap * load(from + b + k * LANES);
                            }
                }
            }
            UNROLL for (int below = 0; below < 2; below++)
                UNROLL for (int k = 0; k < VECTORS_AT_ONCE; k++) {
                    const vec even = activate(sum[2 * below][k], activation) * *with.scale + *with.shift;
                    const vec odd = activate(sum[2 * below + 1][k], activation) * *with.scale + *with.shift;
                    vec lower, upper;
                    interleave(even, odd, &lower, &upper);
                    float *to = y + (2 * i + below + 3) * y_row + 2 * (j + k * LANES) + 3;
                    store(to, lower);
                    store(to + LANES, upper);
                }
        }
    }
}

// By 4 with a dilation of 2, to two channels. x: (h + 6, w + 6), within a border of 3; y: (2, h, w).
// kernel: (4, 4, 2).
extern "C" void NAME(dilated)(const float *x, const float *kernel, const float *bias, size_t h, size_t w, float *y) {
    const Factors<32> taps(kernel);
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j += LAST_AT_ONCE * LANES) {
            vec left[LAST_AT_ONCE], right[LAST_AT_ONCE];
            UNROLL for (int k = 0; k < LAST_AT_ONCE; k++) left[k] = all(bias[0]), right[k] = all(bias[1]);
            UNROLL for (int tap = 0; tap < 16; tap++)
                UNROLL for (int k = 0; k < LAST_AT_ONCE; k++) {
                    const vec from = load(x + (i + tap / 4 * 2) * (w + 6) + j + tap % 4 * 2 + k * LANES);
                    left[k] += taps[tap * 2] * from;
                    right[k] += taps[tap * 2 + 1] * from;
                }
            UNROLL for (int k = 0; k < LAST_AT_ONCE; k++) {
                store(y + i * w + j + k * LANES, left[k]);
                store(y + (h + i) * w + j + k * LANES, right[k]);
            }
        }
}

// The way back from masked spectra to samples. The inverse Fourier transform of real samples is a complex one of half the
// length, of which each number is two samples.

// LANES complex numbers, real and imaginary parts apart.
struct Complex {
    vec re, im;
};

INLINE Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }

INLINE Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }

INLINE Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }

INLINE Complex turned_left(Complex a) { return {-a.im, a.re}; }

INLINE Complex conjugate(Complex a) { return {a.re, -a.im}; }

// Any number of them, behind one another.
struct Numbers {
    float *re, *im;
    METHOD Complex at(size_t i) const { return {load(re + i), load(im + i)}; }
};

// Each factor of a pass, as Numbers are: `count` real parts, then `count` imaginary ones.
INLINE Complex turn_at(const float *turns, size_t count, size_t i) {
    return {load(turns + i), load(turns + count + i)};
}

// Of two vectors, one value at a time in turns, or four.
INLINE void in_turns(size_t at_a_time, vec a, vec b, vec *lower, vec *upper) {
    if (at_a_time == 1)
        interleave(a, b, lower, upper);
    else
        interleave_fours(a, b, lower, upper);
}

// Where the four results of the butterflies from i on belong: each `stride` of them together, and behind one another.
INLINE void place(vec a, vec b, vec c, vec d, float *y, size_t i, size_t stride) {
    if (stride >= LANES) {
        y += i + 3 * (i & ~(stride - 1));
        store(y, a);
        store(y + stride, b);
        store(y + 2 * stride, c);
        store(y + 3 * stride, d);
        return;
    }
    vec even[2], odd[2], placed[4];
    in_turns(stride, a, c, even, even + 1);
    in_turns(stride, b, d, odd, odd + 1);
    in_turns(stride, even[0], odd[0], placed, placed + 1);
    in_turns(stride, even[1], odd[1], placed + 2, placed + 3);
    UNROLL for (int k = 0; k < 4; k++) store(y + 4 * i + k * LANES, placed[k]);
}

// One pass of Stockham's, by four, with a stride of 1, 4, 16, ... turns: (3, 2, quarter).
INLINE void by_four(Numbers x, Numbers y, size_t quarter, size_t stride, const float *turns) {
    for (size_t i = 0; i < quarter; i += LANES) {
        Complex in[4];
        UNROLL for (int k = 0; k < 4; k++) in[k] = x.at(k * quarter + i);
        const Complex sum = in[0] + in[2], less = in[0] - in[2];
        const Complex other_sum = in[1] + in[3], other_less = turned_left(in[1] - in[3]);
        const Complex a = sum + other_sum;
        const Complex b = (less + other_less) * turn_at(turns, quarter, i);
        const Complex c = (sum - other_sum) * turn_at(turns + 2 * quarter, quarter, i);
        const Complex d = (less - other_less) * turn_at(turns + 4 * quarter, quarter, i);
        place(a.re, b.re, c.re, d.re, y.re, i, stride);
        place(a.im, b.im, c.im, d.im, y.im, i, stride);
    }
}

INLINE Complex load_complex(const float *from) {
    Complex x;
    separate(load(from), load(from + LANES), &x.re, &x.im);
    return x;
}

// The spectrum of the complex numbers from that of the samples. spectrum: (half + 1), complex; turns: (2, half).
INLINE void halve(const float *spectrum, size_t half, const float *turns, Numbers x) {
    for (size_t k = 0; k < half; k += LANES) {
        const Complex bins = load_complex(spectrum + 2 * k);
        const Complex backwards = load_complex(spectrum + 2 * (half - k - LANES + 1));
        const Complex mirrored = conjugate({reversed(backwards.re), reversed(backwards.im)});
        const Complex whole = bins + mirrored + turned_left((bins - mirrored) * turn_at(turns, half, k));
        store(x.re + k, whole.re);
        store(x.im + k, whole.im);
    }
    // The first and the last are real, whatever is said of their imaginary parts.
    x.re[0] = spectrum[0] + spectrum[2 * half];
    x.im[0] = spectrum[0] - spectrum[2 * half];
}

// The masked spectrum of a frame, of whose half + 1 bins only the lowest have come: the others are zeros.
INLINE void mask_spectrum(const float *stft, const float *mask, size_t bins, float *masked, size_t half) {
    size_t k = 0;
    for (; k + LANES <= bins; k += LANES) {
        vec lower, upper;
        interleave(load(mask + k), load(mask + k), &lower, &upper);
        store(masked + 2 * k, load(stft + 2 * k) * lower);
        store(masked + 2 * k + LANES, load(stft + 2 * k + LANES) * upper);
    }
    for (; k < bins; k++) {
        masked[2 * k] = stft[2 * k] * mask[k];
        masked[2 * k + 1] = stft[2 * k + 1] * mask[k];
    }
    memset(masked + 2 * k, 0, 2 * (half + 1 - k) * sizeof(float));
}

INLINE void add_samples(float *to, Complex x, const float *window) {
    vec lower, upper;
    interleave(x.re, x.im, &lower, &upper);
    store(to, load(to) + lower * load(window));
    store(to + LANES, load(to + LANES) + upper * load(window + LANES));
}

// stft: (frames, bins), complex; mask: (frames, bins). Adds each frame, 2 * half samples times the window, to `samples`,
// where it begins `step` behind the one before. half: a power of two, at least 4 * 16.
// halving: as `turns` of `halve`; turns: of each pass, as of `by_four`; window: (2 * half); work: (6 * half + 2).
extern "C" void NAME(overlap_add)(const float *stft, const float *mask, size_t frames, size_t bins, size_t half,
                                  size_t step, const float *halving, const float *turns, const float *window,
                                  float *samples, float *work) {
    const size_t quarter = half / 4;
    float *const masked = work + 4 * half;
    for (size_t frame = 0; frame < frames; frame++, stft += 2 * bins, mask += bins, samples += step) {
        Numbers x = {work, work + half}, y = {work + 2 * half, work + 3 * half};
        mask_spectrum(stft, mask, bins, masked, half);
        halve(masked, half, halving, x);
        by_four(x, y, quarter, 1, turns);
        by_four(y, x, quarter, 4, turns + 6 * quarter);
        size_t stride = 16;
        for (const float *turn = turns + 12 * quarter; 4 * stride <= half; stride *= 4, turn += 6 * quarter) {
            by_four(x, y, quarter, stride, turn);
            std::swap(x, y);
        }
        if (stride == half)
            for (size_t i = 0; i < half; i += LANES) add_samples(samples + 2 * i, x.at(i), window + 2 * i);
        else  // what is left are pairs
            for (size_t i = 0, j = stride; i < stride; i += LANES, j += LANES) {
                add_samples(samples + 2 * i, x.at(i) + x.at(j), window + 2 * i);
                add_samples(samples + 2 * j, x.at(i) - x.at(j), window + 2 * j);
            }
    }
}

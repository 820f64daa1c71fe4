// From samples to spectra, and from masked spectra back to samples. The Fourier transform of real samples is a complex
// one of half the length, of which each number is two samples.

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

// All passes over numbers that are in x: by four as often as that goes. half: a power of two, at least 4 * 16; turns: of
// each pass, as of `by_four`. The result is in x; where `stride` comes to half of `half`, pairs are left to be added and
// subtracted.
INLINE size_t by_fours(Numbers &x, Numbers &y, size_t half, const float *turns) {
    const size_t quarter = half / 4;
    by_four(x, y, quarter, 1, turns);
    by_four(y, x, quarter, 4, turns + 6 * quarter);
    size_t stride = 16;
    for (const float *turn = turns + 12 * quarter; 4 * stride <= half; stride *= 4, turn += 6 * quarter) {
        by_four(x, y, quarter, stride, turn);
        std::swap(x, y);
    }
    return stride;
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
    float *const masked = work + 4 * half;
    for (size_t frame = 0; frame < frames; frame++, stft += 2 * bins, mask += bins, samples += step) {
        Numbers x = {work, work + half}, y = {work + 2 * half, work + 3 * half};
        mask_spectrum(stft, mask, bins, masked, half);
        halve(masked, half, halving, x);
        const size_t stride = by_fours(x, y, half, turns);
        if (stride == half)
            for (size_t i = 0; i < half; i += LANES) add_samples(samples + 2 * i, x.at(i), window + 2 * i);
        else  // what is left are pairs
            for (size_t i = 0, j = stride; i < stride; i += LANES, j += LANES) {
                add_samples(samples + 2 * i, x.at(i) + x.at(j), window + 2 * i);
                add_samples(samples + 2 * j, x.at(i) - x.at(j), window + 2 * j);
            }
    }
}

// The conjugates of a frame's samples, in pairs, times the window.
INLINE void pair_up(const float *samples, const float *window, size_t half, Numbers x) {
    for (size_t i = 0; i < half; i += LANES) {
        Complex pairs;
        separate(load(samples + 2 * i) * load(window + 2 * i),
                 load(samples + 2 * i + LANES) * load(window + 2 * i + LANES), &pairs.re, &pairs.im);
        store(x.re + i, pairs.re);
        store(x.im + i, -pairs.im);
    }
}

INLINE void add_pairs(Numbers x, size_t half) {
    for (size_t i = 0, j = half / 2; i < half / 2; i += LANES, j += LANES) {
        const Complex a = x.at(i), b = x.at(j), sum = a + b, less = a - b;
        store(x.re + i, sum.re);
        store(x.im + i, sum.im);
        store(x.re + j, less.re);
        store(x.im + j, less.im);
    }
}

INLINE vec root(vec x) {
    vec y;
    UNROLL for (int i = 0; i < LANES; i++) y[i] = __builtin_sqrtf(x[i]);
    return y;
}

// The first `count` values of a vector, at most all.
INLINE void store_some(float *to, vec x, size_t count) {
    if (count >= LANES) return store(to, x);
    for (size_t i = 0; i < count; i++) to[i] = x[i];
}

// LANES bins of the samples' spectrum, from k on, out of the conjugate spectrum of their pairs, whose number `half` is
// its first again. turns: as in `halve`.
INLINE Complex whole_bins(Numbers x, size_t half, size_t k, const float *turns) {
    const size_t back = half - k - LANES + 1;
    const Complex low = conjugate(x.at(k)), high = {reversed(load(x.re + back)), reversed(load(x.im + back))};
    return low + high - turned_left(conjugate(turn_at(turns, half, k)) * (low - high));
}

// samples: ((frames - 1) * step + 2 * half); stft: (frames, bins), complex, the lowest of half + 1 bins; magnitudes:
// (frames, measured), of the lowest of those. halving, turns: as in `overlap_add`, and half too; window: (2 * half),
// with half of what it is to weigh. work: (4 * (half + 16)).
extern "C" void NAME(transform)(const float *samples, size_t frames, size_t bins, size_t measured, size_t half,
                                size_t step, const float *halving, const float *turns, const float *window,
                                float *stft, float *magnitudes, float *work) {
    const size_t room = half + 16;
    for (size_t frame = 0; frame < frames; frame++, samples += step, stft += 2 * bins, magnitudes += measured) {
        Numbers x = {work, work + room}, y = {work + 2 * room, work + 3 * room};
        pair_up(samples, window, half, x);
        if (by_fours(x, y, half, turns) != half) add_pairs(x, half);
        x.re[half] = x.re[0];
        x.im[half] = x.im[0];
        for (size_t k = 0; k < bins && k < half; k += LANES) {
            const Complex found = whole_bins(x, half, k, halving);
            vec pairs[2];
            interleave(found.re, found.im, pairs, pairs + 1);
            store_some(stft + 2 * k, pairs[0], 2 * (bins - k));
            if (bins - k > LANES / 2) store_some(stft + 2 * k + LANES, pairs[1], 2 * (bins - k) - LANES);
            if (k < measured) store_some(magnitudes + k, root(found.re * found.re + found.im * found.im), measured - k);
        }
        if (bins > half) {  // the last is real
            stft[2 * half] = 2.0f * (x.re[0] + x.im[0]);
            stft[2 * half + 1] = 0.0f;
            if (measured > half) magnitudes[half] = __builtin_fabsf(stft[2 * half]);
        }
    }
}

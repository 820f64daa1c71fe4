// Samples weighted as ITU-R BS.1770 has it: two biquads, one behind the other, in double precision. A biquad has to wait
// for what it gave before, so both channels of both are computed side by side: the second takes what the first gave one
// sample earlier.

typedef double quad __attribute__((vector_size(32)));  // left and right of the first biquad, then of the second

// Transposed direct form II. coefficients: b0, b1, b2, a1, a2, each of the four.
struct Biquads {
    quad b0, b1, b2, a1, a2, once, twice;

    METHOD Biquads(const double *coefficients, const double *state) {
        quad *const all[] = {&b0, &b1, &b2, &a1, &a2};
        UNROLL for (int i = 0; i < 5; i++) memcpy(all[i], coefficients + 4 * i, sizeof(quad));
        memcpy(&once, state, sizeof(quad));
        memcpy(&twice, state + 4, sizeof(quad));
    }

    METHOD void keep(double *state) const {
        memcpy(state, &once, sizeof(quad));
        memcpy(state + 4, &twice, sizeof(quad));
        // What dies away is zero before it becomes so small that each sum of it takes a hundred times as long.
        UNROLL for (int i = 0; i < 8; i++) if (__builtin_fabs(state[i]) < 1e-30) state[i] = 0.0;
    }

    METHOD quad next(quad x) {
        const quad y = b0 * x + once;
        once = b1 * x + twice - a1 * y;
        twice = b2 * x - a2 * y;
        return y;
    }

    // The same, of one of the two alone: the other stays as it was.
    METHOD quad next_of(int second, quad x) {
        const quad before[] = {once, twice};
        const quad y = next(x);
        UNROLL for (int i = 0; i < 2; i++) {
            once[i + 2 * !second] = before[0][i + 2 * !second];
            twice[i + 2 * !second] = before[1][i + 2 * !second];
        }
        return y;
    }
};

INLINE quad stereo(const float *sample, quad before) { return quad{sample[0], sample[1], before[0], before[1]}; }

// samples: (count, 2), count at least 1. Returns the sum of the squares of what both channels become.
INLINE double weighted_power(const float *samples, size_t count, Biquads &biquads) {
    quad sum = {}, first = biquads.next_of(0, stereo(samples, quad{}));
    for (size_t i = 1; i < count; i++) {
        const quad y = biquads.next(stereo(samples + 2 * i, first));
        sum += y * y;
        first = y;
    }
    const quad last = biquads.next_of(1, quad{0.0, 0.0, first[0], first[1]});
    sum += last * last;
    return sum[2] + sum[3];
}

// samples: (count, 2). The squares of each `step` samples are summed into `powers`, as many as become full; the first of
// them has `open` samples already. coefficients: as of Biquads; state: theirs (2, 4), and the open step's sum.
extern "C" void NAME(weigh)(const float *samples, size_t count, const double *coefficients, size_t step, size_t open,
                            double *state, double *powers) {
    Biquads biquads(coefficients, state);
    while (count) {
        const size_t part = step - open < count ? step - open : count;
        state[8] += weighted_power(samples, part, biquads);
        samples += 2 * part;
        count -= part;
        open += part;
        if (open == step) {
            *powers++ = state[8];
            state[8] = 0.0;
            open = 0;
        }
    }
    biquads.keep(state);
}

// Vectors of LANES floats, in the compiler's own notation, and what is done with them value by value.

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));

INLINE vec load(const float *from) { return *(const vec *)from; }

INLINE void store(float *to, vec x) { *(vec *)to = x; }

// COUNT floats that each multiply vectors: read one by one where they lie, or, BY_LANE, out of vectors.
template <int COUNT> struct Factors {
#if BY_LANE
    enum { LAST = (COUNT - 1) / LANES };
    vec at[LAST + 1];
    Factors() = default;
    METHOD explicit Factors(const float *from) {
        UNROLL for (int i = 0; i < LAST; i++) at[i] = load(from + i * LANES);
        at[LAST] = load(from + COUNT - LANES);
    }
    METHOD float operator[](int i) const {
        return i < LAST * LANES ? at[i / LANES][i % LANES] : at[LAST][i - COUNT + LANES];
    }
#else
    const float *at;
    Factors() = default;
    METHOD explicit Factors(const float *from) : at(from) {}
    METHOD float operator[](int i) const { return at[i]; }
#endif
};

INLINE vec all(float x) { return vec{} + x; }

// e^x for -87 <= x <= 88, after Cephes' expf: 2^n, times a polynomial of what is left. Relative error 2e-7.
INLINE vec exponential(vec x) {
    const float to_integer = 12582912.0f;  // 1.5 * 2^23: added, the sum's last bits are x, rounded
    const vec shifted = x * 1.44269504088896341f + to_integer, n = shifted - to_integer;
    const vec r = x - n * 0.693359375f + n * 2.12194440e-4f;  // ln 2, in two parts
    vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * (vec)(((ints)shifted + 127) << 23);
}

INLINE vec bounded(vec x, float low, float high) {
    x = x < low ? all(low) : x;
    return x > high ? all(high) : x;
}

enum { RELU, LEAKY_RELU, ELU };

INLINE vec activate(vec x, int activation) {
    switch (activation) {
        case RELU: return x > 0.0f ? x : vec{};
        case LEAKY_RELU: return x > 0.0f ? x : x * 0.2f;
        default: return x > 0.0f ? x : exponential(bounded(x, -87.0f, 0.0f)) - 1.0f;
    }
}

// A layer's three values a channel, each (channels): bias, and the normalization's scale and shift.
struct Affine {
    const float *bias, *scale, *shift;
    Affine(const float *values, size_t channels) : bias(values), scale(values + channels), shift(scale + channels) {}
};

#if LANES == 16
#define LOWER_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define UPPER_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define LOWER_FOURS 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23
#define UPPER_FOURS 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODDS 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define BACKWARDS 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
#elif LANES == 8
#define LOWER_HALVES 0, 8, 1, 9, 2, 10, 3, 11
#define UPPER_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#define LOWER_FOURS 0, 1, 2, 3, 8, 9, 10, 11
#define UPPER_FOURS 4, 5, 6, 7, 12, 13, 14, 15
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14
#define ODDS 1, 3, 5, 7, 9, 11, 13, 15
#define BACKWARDS 7, 6, 5, 4, 3, 2, 1, 0
#else
#define LOWER_HALVES 0, 4, 1, 5
#define UPPER_HALVES 2, 6, 3, 7
#define LOWER_FOURS 0, 1, 2, 3
#define UPPER_FOURS 4, 5, 6, 7
#define EVENS 0, 2, 4, 6
#define ODDS 1, 3, 5, 7
#define BACKWARDS 3, 2, 1, 0
#endif

// GCC before 12 knows the same by another name.
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLED(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLED(a, b, ...) __builtin_shuffle(a, b, ints{__VA_ARGS__})
#endif

// Of two vectors, the values of their lower and of their upper halves in turns.
INLINE void interleave(vec a, vec b, vec *lower, vec *upper) {
    *lower = SHUFFLED(a, b, LOWER_HALVES);
    *upper = SHUFFLED(a, b, UPPER_HALVES);
}

// Four at a time in turns.
INLINE void interleave_fours(vec a, vec b, vec *lower, vec *upper) {
    *lower = SHUFFLED(a, b, LOWER_FOURS);
    *upper = SHUFFLED(a, b, UPPER_FOURS);
}

// What `interleave` has put together.
INLINE void separate(vec lower, vec upper, vec *a, vec *b) {
    *a = SHUFFLED(lower, upper, EVENS);
    *b = SHUFFLED(lower, upper, ODDS);
}

INLINE vec reversed(vec x) { return SHUFFLED(x, x, BACKWARDS); }

#undef SHUFFLED
#undef LOWER_HALVES
#undef UPPER_HALVES
#undef LOWER_FOURS
#undef UPPER_FOURS
#undef EVENS
#undef ODDS
#undef BACKWARDS

// x: LANES rows of LANES values, x_row apart -> y: its columns as rows, y_row apart. By rounds of perfect shuffles.
INLINE void transpose(const float *x, size_t x_row, float *y, size_t y_row) {
    vec rows[LANES], shuffled[LANES];
    UNROLL for (int i = 0; i < LANES; i++) rows[i] = load(x + i * x_row);
    UNROLL for (int round = 1; round < LANES; round *= 2) {
        UNROLL for (int i = 0; i < LANES / 2; i++)
            interleave(rows[i], rows[i + LANES / 2], shuffled + 2 * i, shuffled + 2 * i + 1);
        UNROLL for (int i = 0; i < LANES; i++) rows[i] = shuffled[i];
    }
    UNROLL for (int i = 0; i < LANES; i++) store(y + i * y_row, rows[i]);
}

// Strided and transposed convolutions by 5, by minimal filtering (filtering.h) in both dimensions, tile by tile.
//
// Four at a time, 121 multiplications do the work of 400. A transposed one is four convolutions by 3 of the same
// inputs, one for each phase of its outputs, where those of even outputs lack a value. Two at a time it is 49 for 100,
// with smaller kernels: that is for maps of few samples, whose kernels are large and hardly shared.

// Products of several tiles at several points lie apart by what is no power of two: else all would want the same few
// places of the cache.
enum { APART = 16, POINT = TILES * PANEL + APART };

// Where the transformed inputs of a block of tiles lie: for each point (tiles, depth[point]).
template <class F> struct Transformed {
    enum { POINTS = F::POINTS * F::POINTS };
    float *at[POINTS];
    size_t depth[POINTS], total = 0;
    float *behind;

    // in: channels; phases: of the input, in each dimension, of which one lacks a point.
    Transformed(float *work, size_t in, int phases) {
        for (int p = 0; p < POINTS; p++) {
            depth[p] = in * (p / F::POINTS == F::LEFT_OUT ? 1 : phases) * (p % F::POINTS == F::LEFT_OUT ? 1 : phases);
            at[p] = work + total * TILES + p * APART;
            total += depth[p];
        }
        behind = work + total * TILES + POINTS * APART;
    }

    float *tile(int point, size_t number) const { return at[point] + number * depth[point]; }
};

// The inputs of one tile of a strided convolution. Of each point: the odd rows' odd and even columns, then the even
// rows'.
template <class F>
INLINE void transform_strided(const float *x, size_t row, size_t in, const Transformed<F> &to, size_t number) {
    enum { ODD = F::POINTS, EVEN = F::POINTS - 1 };
    for (size_t c = 0; c < in; c += LANES) {
        vec half[2][F::POINTS][ODD + EVEN];  // [even rows][point of the rows][column]
        for (int j = 0; j < ODD + EVEN; j++) {
            vec odd[ODD], even[EVEN], points[2][F::POINTS];
            UNROLL for (int i = 0; i < ODD; i++) odd[i] = load(x + 2 * i * row + j * in + c);
            UNROLL for (int i = 0; i < EVEN; i++) even[i] = load(x + (2 * i + 1) * row + j * in + c);
            F::odd(odd, points[0]);
            F::even(even, points[1]);
            UNROLL for (int p = 0; p < F::POINTS; p++) {
                half[0][p][j] = points[0][p];
                if (p != F::LEFT_OUT) half[1][p][j] = points[1][p];
            }
        }
        for (int p = 0; p < F::POINTS; p++)
            for (int even_rows = 0; even_rows < (p == F::LEFT_OUT ? 1 : 2); even_rows++) {
                const vec *columns = half[even_rows][p];
                vec odd[ODD], even[EVEN], of_odd[F::POINTS], of_even[F::POINTS];
                UNROLL for (int j = 0; j < ODD; j++) odd[j] = columns[2 * j];
                UNROLL for (int j = 0; j < EVEN; j++) even[j] = columns[2 * j + 1];
                F::odd(odd, of_odd);
                F::even(even, of_even);
                UNROLL for (int q = 0; q < F::POINTS; q++) {
                    const bool has_even = q != F::LEFT_OUT;
                    float *at = to.tile(p * F::POINTS + q, number) + even_rows * (has_even ? 2 : 1) * in + c;
                    store(at, of_odd[q]);
                    if (has_even) store(at + in, of_even[q]);
                }
            }
    }
}

// The inputs of one tile of convolutions by 3; their channels become those from `first` on.
template <class F>
INLINE void transform_plain(const float *x, size_t row, size_t in, const Transformed<F> &to, size_t number,
                            size_t first) {
    for (size_t c = 0; c < in; c += LANES) {
        vec half[F::POINTS][F::POINTS];
        UNROLL for (int j = 0; j < F::POINTS; j++) {
            vec column[F::POINTS], points[F::POINTS];
            UNROLL for (int i = 0; i < F::POINTS; i++) column[i] = load(x + i * row + j * in + c);
            F::odd(column, points);
            UNROLL for (int p = 0; p < F::POINTS; p++) half[p][j] = points[p];
        }
        UNROLL for (int p = 0; p < F::POINTS; p++) {
            vec points[F::POINTS];
            F::odd(half[p], points);
            UNROLL for (int q = 0; q < F::POINTS; q++) store(to.tile(p * F::POINTS + q, number) + first + c, points[q]);
        }
    }
}

// One vector of channels of a tile's products -> its outputs.
template <class F> INLINE void outputs(const float *products, vec bias, vec y[F::OUTPUTS][F::OUTPUTS]) {
    vec half[F::OUTPUTS][F::POINTS];
    UNROLL for (int q = 0; q < F::POINTS; q++) {
        vec points[F::POINTS], column[F::OUTPUTS];
        UNROLL for (int p = 0; p < F::POINTS; p++) points[p] = load(products + (p * F::POINTS + q) * POINT);
        F::outputs(points, column);
        UNROLL for (int i = 0; i < F::OUTPUTS; i++) half[i][q] = column[i];
    }
    UNROLL for (int i = 0; i < F::OUTPUTS; i++) {
        F::outputs(half[i], y[i]);
        UNROLL for (int j = 0; j < F::OUTPUTS; j++) y[i][j] += bias;
    }
}

// kernels: for each point (depth, PANEL); products: for each (TILES, PANEL), POINT apart. Kernels that lack their last
// row or column of values are zeros at the last point of that dimension, infinity, and need no products there.
template <class F>
INLINE void multiply_points(const Transformed<F> &x, size_t tiles, const float *kernels, float *products,
                            bool lack_row = false, bool lack_column = false) {
    enum { LAST = F::POINTS - 1 };
    for (int p = 0; p < x.POINTS; p++, products += POINT) {
        if ((lack_row && p / F::POINTS == LAST) || (lack_column && p % F::POINTS == LAST))
            memset(products, 0, tiles * PANEL * sizeof(float));
        else
            for (size_t t = 0; t < tiles; t += ROWS)
                multiply(x.tile(p, t), x.depth[p], kernels, products + t * PANEL, x.depth[p]);
        kernels += x.depth[p] * PANEL;
    }
}

// With a stride of 2. x: map (2h, 2w, in); raw, next: maps (h, w, out), the convolution itself, and normalized and
// activated, if that is wanted. kernels: (panels, points, depth, PANEL).
template <class F>
INLINE void strided(const float *x, size_t in, const float *kernels, const float *affine, size_t out, size_t h,
                    size_t w, int activation, float *raw, float *next, float *work) {
    enum { N = F::OUTPUTS };
    const size_t across = w / N, tiles = h / N * across, x_row = (2 * w + BORDER) * in, y_row = (w + BORDER) * out;
    const Transformed<F> transformed(work, in, 2);
    const Affine with(affine, out);
    for (size_t first = 0; first < tiles; first += TILES) {
        const size_t count = tiles - first < TILES ? tiles - first : TILES;
        for (size_t t = 0; t < count; t++)
            transform_strided(x + 2 * N * ((first + t) / across * x_row + (first + t) % across * in), x_row, in,
                              transformed, t);
        for (size_t panel = 0; panel < out; panel += PANEL) {
            multiply_points(transformed, count, kernels + panel * transformed.total, transformed.behind);
            for (size_t t = 0; t < count; t++)
                for (size_t c = panel; c < panel + PANEL && c < out; c += LANES) {
                    vec y[N][N];
                    outputs<F>(transformed.behind + t * PANEL + c - panel, load(with.bias + c), y);
                    const vec scale = load(with.scale + c), shift = load(with.shift + c);
                    size_t at = (N * ((first + t) / across) + 1) * y_row + (N * ((first + t) % across) + 1) * out + c;
                    for (int i = 0; i < N; i++, at += y_row)
                        UNROLL for (int j = 0; j < N; j++) {
                            store(raw + at + j * out, y[i][j]);
                            if (next) store(next + at + j * out, activate(y[i][j] * scale + shift, activation));
                        }
                }
        }
    }
}

// Transposed, with a stride of 2. x: map (h, w, in), or two, one behind the other; y: map (2h, 2w, out), activated and
// normalized. kernels: (panels, points, in of all, PANEL), the panels being of the four phases of the output.
template <class F>
INLINE void transposed(const float *const *x, size_t maps, size_t in, const float *kernels, const float *affine,
                       size_t out, size_t h, size_t w, int activation, float *y, float *work) {
    enum { N = F::OUTPUTS };
    const size_t across = w / N, tiles = h / N * across, x_row = (w + BORDER) * in, y_row = (2 * w + BORDER) * out;
    const Transformed<F> transformed(work, maps * in, 1);
    const Affine with(affine, out);
    for (size_t first = 0; first < tiles; first += TILES) {
        const size_t count = tiles - first < TILES ? tiles - first : TILES;
        for (size_t t = 0; t < count; t++)
            for (size_t map = 0; map < maps; map++)
                transform_plain(x[map] + N * ((first + t) / across * x_row + (first + t) % across * in), x_row, in,
                                transformed, t, map * in);
        for (size_t panel = 0; panel < 4 * out; panel += PANEL) {
            const size_t from = panel / out, to = (panel + PANEL - 1) / out;  // phases, those of even rows first
            const bool lack_row = to < 2, lack_column = from == to && from % 2 == 0;
            multiply_points(transformed, count, kernels + panel * transformed.total, transformed.behind, lack_row,
                            lack_column);
            for (size_t t = 0; t < count; t++)
                for (size_t n = panel; n < panel + PANEL; n += LANES) {
                    const size_t phase = n / out, c = n % out;
                    vec z[N][N];
                    outputs<F>(transformed.behind + t * PANEL + n - panel, load(with.bias + c), z);
                    const vec scale = load(with.scale + c), shift = load(with.shift + c);
                    size_t at = (2 * N * ((first + t) / across) + phase / 2 + 1) * y_row +
                                (2 * N * ((first + t) % across) + phase % 2 + 1) * out + c;
                    for (int i = 0; i < N; i++, at += 2 * y_row)
                        UNROLL for (int j = 0; j < N; j++)
                            store(y + at + 2 * j * out, activate(z[i][j], activation) * scale + shift);
                }
        }
    }
}

extern "C" void NAME(down)(const float *x, size_t in, const float *kernels, const float *affine, size_t out, size_t h,
                           size_t w, int activation, float *raw, float *next, float *work) {
    strided<FourAtATime>(x, in, kernels, affine, out, h, w, activation, raw, next, work);
}

extern "C" void NAME(innermost_down)(const float *x, size_t in, const float *kernels, const float *affine, size_t out,
                                     size_t h, size_t w, float *raw, float *work) {
    strided<TwoAtATime>(x, in, kernels, affine, out, h, w, RELU, raw, nullptr, work);
}

extern "C" void NAME(innermost_up)(const float *x, size_t in, const float *kernels, const float *affine, size_t out,
                                   size_t h, size_t w, int activation, float *y, float *work) {
    transposed<TwoAtATime>(&x, 1, in, kernels, affine, out, h, w, activation, y, work);
}

extern "C" void NAME(up)(const float *skip, const float *x, size_t in, const float *kernels, const float *affine,
                         size_t out, size_t h, size_t w, int activation, float *y, float *work) {
    const float *const maps[2] = {skip, x};
    transposed<FourAtATime>(maps, 2, in, kernels, affine, out, h, w, activation, y, work);
}

// Convolutions by Winograd's minimal filtering (Lavin and Gray 2016), 4 x 4 outputs at a time.
//
// A convolution by 5 with a stride of 2 is the sum of two with a stride of 1, in each dimension: one by 3 of the odd
// inputs, F(4, 3), and one by 2 of the even inputs, F(4, 2). Both give their outputs from products at the points 0,
// r, -r, 2r and infinity, with r = sqrt(1/2), and the first also at -2r: so the products are summed before the outputs
// are made, and 121 multiplications do the work of 400. A transposed one's four outputs for each input are four
// convolutions by 3 of the same inputs, 144 for 400. (Of the points with few operations these have the least error.)

static const float R = 0.70710678118654752f;

// Products of several tiles at several points lie apart by what is no power of two: else all would want the same few
// places of the cache.
enum { POINTS = 36, APART = 16, POINT = TILES * PANEL + APART };

INLINE void points_of_6(const vec x[6], vec points[6]) {  // 0, r, -r, 2r, -2r, infinity
    points[0] = x[0] - 2.5f * x[2] + x[4];
    const vec a = x[4] - 2.0f * x[2], b = R * (x[3] - 2.0f * x[1]);
    points[1] = a + b;
    points[2] = a - b;
    const vec c = x[4] - 0.5f * x[2], d = 2.0f * R * (x[3] - 0.5f * x[1]);
    points[3] = c + d;
    points[4] = c - d;
    points[5] = x[1] - 2.5f * x[3] + x[5];
}

INLINE void points_of_5(const vec x[5], vec points[6]) {  // the same without -2r
    points[3] = x[3] - 0.5f * x[1];
    points[0] = points[3] - 2.0f * R * x[2] + R * x[0];
    points[1] = x[3] - R * x[2] - x[1];
    points[2] = x[3] - 3.0f * R * x[2] + x[1];
    points[5] = x[4] - 2.0f * R * x[3] - 0.5f * x[2] + R * x[1];
}

INLINE void outputs_of_6(const vec points[6], vec y[4]) {
    const vec a = points[1] + points[2], b = points[1] - points[2];
    const vec c = points[3] + points[4], d = points[3] - points[4];
    y[0] = points[0] + a + c;
    y[1] = R * b + 2.0f * R * d;
    y[2] = 0.5f * a + 2.0f * c;
    y[3] = 0.5f * R * b + 4.0f * R * d + points[5];
}

// Where the transformed inputs of a block of tiles lie: for each point (tiles, depth[point]).
struct Transformed {
    float *at[POINTS];
    size_t depth[POINTS], total = 0;
    float *behind;

    // in: channels; phases: of the input, in each dimension, of which the points at -2r have one only
    Transformed(float *work, size_t in, int phases) {
        for (int p = 0; p < POINTS; p++) {
            depth[p] = in * (p / 6 == 4 ? 1 : phases) * (p % 6 == 4 ? 1 : phases);
            at[p] = work + total * TILES + p * APART;
            total += depth[p];
        }
        behind = work + total * TILES + POINTS * APART;
    }

    float *tile(int point, size_t number) const { return at[point] + number * depth[point]; }
};

// 11 x 11 inputs of a strided convolution. Of each point: the odd rows' odd and even columns, then the even rows'.
INLINE void transform_strided(const float *x, size_t row, size_t in, const Transformed &to, size_t number) {
    for (size_t c = 0; c < in; c += LANES) {
        vec half[2][6][11];  // [even rows][point of the rows][column]
        for (int j = 0; j < 11; j++) {
            vec odd[6], even[5], points[2][6];
            UNROLL for (int i = 0; i < 6; i++) odd[i] = load(x + 2 * i * row + j * in + c);
            UNROLL for (int i = 0; i < 5; i++) even[i] = load(x + (2 * i + 1) * row + j * in + c);
            points_of_6(odd, points[0]);
            points_of_5(even, points[1]);
            UNROLL for (int p = 0; p < 6; p++) {
                half[0][p][j] = points[0][p];
                if (p != 4) half[1][p][j] = points[1][p];
            }
        }
        for (int p = 0; p < 6; p++)
            for (int even_rows = 0; even_rows < (p == 4 ? 1 : 2); even_rows++) {
                const vec *columns = half[even_rows][p];
                vec odd[6], even[5], of_odd[6], of_even[6];
                UNROLL for (int j = 0; j < 6; j++) odd[j] = columns[2 * j];
                UNROLL for (int j = 0; j < 5; j++) even[j] = columns[2 * j + 1];
                points_of_6(odd, of_odd);
                points_of_5(even, of_even);
                UNROLL for (int q = 0; q < 6; q++) {
                    float *at = to.tile(p * 6 + q, number) + even_rows * (q == 4 ? 1 : 2) * in + c;
                    store(at, of_odd[q]);
                    if (q != 4) store(at + in, of_even[q]);
                }
            }
    }
}

// 6 x 6 inputs of a convolution by 3; their channels become those from `first` on.
INLINE void transform_plain(const float *x, size_t row, size_t in, const Transformed &to, size_t number, size_t first) {
    for (size_t c = 0; c < in; c += LANES) {
        vec half[6][6];
        UNROLL for (int j = 0; j < 6; j++) {
            vec column[6], points[6];
            UNROLL for (int i = 0; i < 6; i++) column[i] = load(x + i * row + j * in + c);
            points_of_6(column, points);
            UNROLL for (int p = 0; p < 6; p++) half[p][j] = points[p];
        }
        UNROLL for (int p = 0; p < 6; p++) {
            vec points[6];
            points_of_6(half[p], points);
            UNROLL for (int q = 0; q < 6; q++) store(to.tile(p * 6 + q, number) + first + c, points[q]);
        }
    }
}

// One vector of channels of a tile's products -> its 4 x 4 outputs.
INLINE void outputs(const float *products, vec bias, vec y[4][4]) {
    vec half[4][6];
    UNROLL for (int q = 0; q < 6; q++) {
        vec points[6], column[4];
        UNROLL for (int p = 0; p < 6; p++) points[p] = load(products + (p * 6 + q) * POINT);
        outputs_of_6(points, column);
        UNROLL for (int i = 0; i < 4; i++) half[i][q] = column[i];
    }
    UNROLL for (int i = 0; i < 4; i++) {
        outputs_of_6(half[i], y[i]);
        UNROLL for (int j = 0; j < 4; j++) y[i][j] += bias;
    }
}

// products: for each point (TILES, PANEL), POINT apart; kernels: for each point (depth, PANEL)
INLINE void multiply_points(const Transformed &x, size_t tiles, const float *kernels, float *products) {
    for (int p = 0; p < POINTS; p++) {
        for (size_t t = 0; t < tiles; t += ROWS)
            multiply(x.tile(p, t), x.depth[p], kernels, products + p * POINT + t * PANEL, x.depth[p], false);
        kernels += x.depth[p] * PANEL;
    }
}

// With a stride of 2. x: map (2h, 2w, in); raw, next: maps (h, w, out), the convolution itself, and normalized and
// activated. kernels: (panels, points, depth, PANEL).
extern "C" void NAME(down)(const float *x, size_t in, const float *kernels, const float *affine, size_t out, size_t h,
                           size_t w, int activation, float *raw, float *next, float *work) {
    const size_t across = w / 4, tiles = h / 4 * across, x_row = (2 * w + BORDER) * in, y_row = (w + BORDER) * out;
    const Transformed transformed(work, in, 2);
    const Affine with(affine, out);
    for (size_t first = 0; first < tiles; first += TILES) {
        const size_t count = tiles - first < TILES ? tiles - first : TILES;
        for (size_t t = 0; t < count; t++)
            transform_strided(x + 8 * ((first + t) / across) * x_row + 8 * ((first + t) % across) * in, x_row, in,
                              transformed, t);
        for (size_t panel = 0; panel < out; panel += PANEL) {
            multiply_points(transformed, count, kernels + panel * transformed.total, transformed.behind);
            for (size_t t = 0; t < count; t++)
                for (size_t c = panel; c < panel + PANEL && c < out; c += LANES) {
                    vec y[4][4];
                    outputs(transformed.behind + t * PANEL + c - panel, load(with.bias + c), y);
                    const vec scale = load(with.scale + c), shift = load(with.shift + c);
                    size_t at = (4 * ((first + t) / across) + 1) * y_row + (4 * ((first + t) % across) + 1) * out + c;
                    for (int i = 0; i < 4; i++, at += y_row)
                        UNROLL for (int j = 0; j < 4; j++) {
                            store(raw + at + j * out, y[i][j]);
                            store(next + at + j * out, activate(y[i][j] * scale + shift, activation));
                        }
                }
        }
    }
}

// Transposed, with a stride of 2. skip, x: maps (h, w, in) each, one behind the other; y: map (2h, 2w, out), activated
// and normalized. kernels: (panels, points, 2 * in, PANEL), the panels being of the four phases of the output.
extern "C" void NAME(up)(const float *skip, const float *x, size_t in, const float *kernels, const float *affine,
                         size_t out, size_t h, size_t w, int activation, float *y, float *work) {
    const size_t across = w / 4, tiles = h / 4 * across, x_row = (w + BORDER) * in, y_row = (2 * w + BORDER) * out;
    const Transformed transformed(work, 2 * in, 1);
    const Affine with(affine, out);
    for (size_t first = 0; first < tiles; first += TILES) {
        const size_t count = tiles - first < TILES ? tiles - first : TILES;
        for (size_t t = 0; t < count; t++) {
            const size_t at = 4 * ((first + t) / across) * x_row + 4 * ((first + t) % across) * in;
            transform_plain(skip + at, x_row, in, transformed, t, 0);
            transform_plain(x + at, x_row, in, transformed, t, in);
        }
        for (size_t panel = 0; panel < 4 * out; panel += PANEL) {
            multiply_points(transformed, count, kernels + panel * transformed.total, transformed.behind);
            for (size_t t = 0; t < count; t++)
                for (size_t n = panel; n < panel + PANEL; n += LANES) {
                    const size_t phase = n / out, c = n % out;
                    vec z[4][4];
                    outputs(transformed.behind + t * PANEL + n - panel, load(with.bias + c), z);
                    const vec scale = load(with.scale + c), shift = load(with.shift + c);
                    size_t at = (8 * ((first + t) / across) + phase / 2 + 1) * y_row +
                                (8 * ((first + t) % across) + phase % 2 + 1) * out + c;
                    for (int i = 0; i < 4; i++, at += 2 * y_row)
                        UNROLL for (int j = 0; j < 4; j++)
                            store(y + at + 2 * j * out, activate(z[i][j], activation) * scale + shift);
                }
        }
    }
}

// The matrix product that everything else feeds, in tiles that stay in registers.

enum { COLUMNS = VECTORS * LANES, DEPTH_AT_ONCE = BY_LANE ? LANES : 1 };  // depths are multiples of 16

// c (ROWS, COLUMNS) = a (ROWS, depth) times b (depth, COLUMNS). Rows of a lie a_row apart, of b and c PANEL.
INLINE void multiply_tile(const float *a, size_t a_row, const float *b, float *c, size_t depth) {
    vec sum[ROWS][VECTORS] = {};
    for (size_t k = 0; k < depth; k += DEPTH_AT_ONCE) {
        Factors<DEPTH_AT_ONCE> left[ROWS];
        UNROLL for (int i = 0; i < ROWS; i++) left[i] = Factors<DEPTH_AT_ONCE>(a + i * a_row + k);
        UNROLL for (int j = 0; j < DEPTH_AT_ONCE; j++) {
            vec right[VECTORS];
            UNROLL for (int v = 0; v < VECTORS; v++) right[v] = load(b + (k + j) * PANEL + v * LANES);
            UNROLL for (int i = 0; i < ROWS; i++)
                UNROLL for (int v = 0; v < VECTORS; v++) sum[i][v] += left[i][j] * right[v];
        }
    }
    UNROLL for (int i = 0; i < ROWS; i++)
        UNROLL for (int v = 0; v < VECTORS; v++) store(c + i * PANEL + v * LANES, sum[i][v]);
}

// c (ROWS, PANEL) = a (ROWS, depth), rows a_row apart, times b (depth, PANEL).
INLINE void multiply(const float *a, size_t a_row, const float *b, float *c, size_t depth) {
    for (int column = 0; column < PANEL; column += COLUMNS)
        multiply_tile(a, a_row, b + column, c + column, depth);
}

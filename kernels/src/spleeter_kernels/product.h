// The matrix product that everything else feeds, in tiles that stay in registers.

// c (ROWS, PANEL) = a (ROWS, depth), rows a_row apart, times b (depth, PANEL).
INLINE void multiply(const float *a, size_t a_row, const float *b, float *c, size_t depth) {
    const int vectors = PANEL / LANES;
    vec sum[ROWS][vectors] = {};
    for (size_t k = 0; k < depth; k++) {
        vec right[vectors];
        UNROLL for (int v = 0; v < vectors; v++) right[v] = load(b + k * PANEL + v * LANES);
        UNROLL for (int i = 0; i < ROWS; i++) {
            const float left = a[i * a_row + k];
            UNROLL for (int v = 0; v < vectors; v++) sum[i][v] += left * right[v];
        }
    }
    UNROLL for (int i = 0; i < ROWS; i++)
        UNROLL for (int v = 0; v < vectors; v++) store(c + i * PANEL + v * LANES, sum[i][v]);
}

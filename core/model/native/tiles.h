/* Tiles of a product whose sums are kept in vector registers, of a block of rows by a panel.
 *
 * Rounded rows lie as (blocks, k / INPUTS, rows of the block, INPUTS).
 */
enum { BLOCK = ROWS };
enum { CHUNK = 1 << 18 }; /* bytes of weights a core takes at once for many rows: half its second cache */

int permit(void) { return OK; }
static inline void tiles_begin(const Job *job) { (void)job; }
static inline void tiles_end(void) {}

static void round_row(const Job *job, int64_t row, const float *x, float factor) {
    int64_t k = job->linear.k, own = row % job->block, first = row - own, rows = least(job->block, job->rows - first);
    int16_t *rounded = job->rounded + first * k + own * INPUTS;
    for (int64_t i = 0; i < k; i += 8) {
        int16_t eight[8];
        round_eight(f8_mul(f8_load(x + i), f8_all(factor)), eight);
        UNROLL(4)
        for (int next = 0; next < 8; next += INPUTS, rounded += rows * INPUTS)
            memcpy(rounded, eight + next, INPUTS * sizeof *rounded);
    }
}

/* A constant R keeps all sums in registers. */
static inline __attribute__((always_inline)) void multiply_tile(const int R, const Job *job, int64_t row, int64_t first,
                                                                const char *ahead, int64_t step) {
    const int8_t *w = job->linear.panels + first * job->linear.k;
    const int16_t *x = job->rounded + row * job->linear.k;
    const int ways = 2 * R <= ROWS ? 2 : 1; /* two sums of few rows: one alone waits for each of its additions */
    sums s[ROWS];
    UNROLL(12)
    for (int i = 0; i < R * ways; i++)
        s[i] = sums_zero();
    for (int64_t i = 0; i < job->linear.k; i += ways * INPUTS, x += ways * R * INPUTS, w += ways * PIECE, ahead += ways * step) {
        UNROLL(2)
        for (int byte = 0; byte < ways * PIECE; byte += CACHE_LINE)
            __builtin_prefetch(ahead + byte / PIECE * step, 0, 2); /* no fault where it points beyond the end */
        UNROLL(2)
        for (int way = 0; way < ways; way++) {
            weights piece = weights_load(w + way * PIECE);
            UNROLL(12)
            for (int r = 0; r < R; r++)
                s[way * R + r] = sums_add(s[way * R + r], piece, inputs_load(x + (way * R + r) * INPUTS));
        }
    }
    UNROLL(12)
    for (int r = 0; r < R; r++) { /* unrolled, or else the sums would be kept in memory all along */
        sums sum = ways == 2 ? sums_join(s[r], s[R + r]) : s[r];
        finish(job, row + r, first, sums_eight(sum, 0));
        if (CHANNELS > 8)
            finish(job, row + r, first + 8, sums_eight(sum, 1));
    }
}

static void multiply_chunk(const Job *job, Chunk chunk) {
    for (int64_t row = 0; row < job->rows; row += job->block)
        for (int64_t channel = chunk.first; channel < chunk.end; channel += CHANNELS) {
#define TILE(R) case R: multiply_tile(R, job, row, channel, chunk.ahead, chunk.step); break;
            switch (least(job->block, job->rows - row)) {
                TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if ROWS == 12
                TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#endif
            }
            chunk.ahead += job->linear.k / INPUTS * chunk.step;
        }
}

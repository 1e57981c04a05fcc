/* Tiles of a product whose sums are kept in vector registers, of a block of rows by a panel, or of few rows by several panels:
 * sums of one would wait for each other, and memory gives more where it is read in several places (core/engine/NOTES.md).
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

#define PANELS(R) (4 * (R) <= SUMS ? 4 : 2 * (R) <= SUMS ? 2 : 1)
#define PIECES(P) ((P) > 1 && CHANNELS * INPUTS < CACHE_LINE ? 2 : 1) /* of a panel at once: one alone leaves no registers */

/* R of a block's `rows` by P panels: constants keep all sums in registers. */
static inline __attribute__((always_inline)) void multiply_tile(const int R, const int P, const Job *job, int64_t rows,
                                                                int64_t row, int64_t first, Fetch ahead) {
    int64_t k = job->linear.k, next_panel = CHANNELS * k;
    const int8_t *w = job->linear.panels + first * k;
    const int16_t *x = job->rounded + row / job->block * job->block * k + row % job->block * INPUTS;
    const int pieces = PIECES(P);
    sums s[SUMS];
    UNROLL(16)
    for (int i = 0; i < R * P; i++)
        s[i] = sums_zero();
    for (int64_t i = 0; i < k; i += pieces * INPUTS, ahead.from += ahead.advance) {
        UNROLL(4)
        for (int p = 0; p < P; p++)
            __builtin_prefetch(ahead.from + p * ahead.apart, 0, 2);
        UNROLL(2)
        for (int one = 0; one < pieces; one++) {
            UNROLL(4)
            for (int p = 0; p < P; p++) {
                weights piece = weights_load(w + p * next_panel + one * PIECE);
                UNROLL(12)
                for (int r = 0; r < R; r++)
                    s[p * R + r] = sums_add(s[p * R + r], piece, inputs_load(x + (one * rows + r) * INPUTS));
            }
        }
        x += pieces * rows * INPUTS;
        w += pieces * PIECE;
    }
    UNROLL(4)
    for (int p = 0; p < P; p++) {
        UNROLL(12)
        for (int r = 0; r < R; r++) { /* unrolled, or else the sums would be kept in memory all along */
            sums sum = s[p * R + r];
            finish(job, row + r, first + p * CHANNELS, sums_eight(sum, 0));
            if (CHANNELS > 8)
                finish(job, row + r, first + p * CHANNELS + 8, sums_eight(sum, 1));
        }
    }
}

static void multiply_chunk(const Job *job, Chunk chunk) {
    for (int64_t row = 0; row < job->rows; row += job->block) {
        int64_t rows = least(job->block, job->rows - row);
        for (int64_t channel = chunk.first, panels; channel < chunk.end; channel += panels * CHANNELS) {
            panels = channel + PANELS(rows) * CHANNELS <= chunk.end ? PANELS(rows) : 1;
            Fetch ahead = fetch(job, &chunk, channel, 1, panels, PIECES(panels) * PIECE);
            if (panels < PANELS(rows)) /* the last ones */
                for (int64_t one = row; one < row + rows; one++)
                    multiply_tile(1, 1, job, rows, one, channel, ahead);
            else
#define TILE(R) case R: multiply_tile(R, PANELS(R), job, R, row, channel, ahead); break;
                switch (rows) {
                    TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if ROWS == 12
                    TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#endif
                }
            chunk.ahead += panels * job->linear.k / INPUTS * chunk.step;
        }
    }
}

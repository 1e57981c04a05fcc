/* y = x W^T + bias for int8 weights W, one scale per output channel; x and y are float32.
 *
 * Each row of x is rounded to int16 with a scale of its own. Products of 16 and 8 bits are added up in 32 bits, exactly:
 * `steps`, the largest rounded value, is chosen with the weights so that no sum can overflow. A row's result therefore
 * never depends on the rows beside it. vpmaddwd makes 16 products at once, twice as many as float32 has.
 *
 * Weights lie in panels of WIDTH channels: (panels, k / 2, WIDTH, 2). Rounded rows lie in blocks of at most ROWS:
 * (blocks, k / 2, rows of the block, 2), so that the inner loop reads both from front to back. k is a multiple of 16.
 */
#include "work.h"

enum { ROWS = 6, WIDTH = 16 }; /* 12 sums, 2 of weights, 1 of x and a product: all 16 registers */
enum { PAIR = 2 * WIDTH };     /* bytes of a pair of inputs in a panel */
enum { FEW = 16 };             /* rows that one core rounds faster than two can agree */
enum { CHUNK = 1 << 18 };      /* bytes of weights a core takes at once for many rows: half its second cache */

typedef struct {
    const float *x;
    const int8_t *panels;
    const float *scale, *bias; /* (channels,), both up to whole panels */
    float *y;                  /* (rows, channels) */
    int16_t *rounded;
    float *row_scale; /* (rows,) */
    int64_t rows, k, channels, block, blocks, chunk;
    int64_t next; /* piece of work that nobody has taken */
    float steps;
} Job;

static float largest(const float *x, int64_t k) {
    const __m256 absolute = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 most = _mm256_set1_ps(1e-20f); /* a row of zeros stays one */
    for (int64_t i = 0; i < k; i += 8)
        most = _mm256_max_ps(_mm256_and_ps(absolute, _mm256_loadu_ps(x + i)), most);
    float each[8], top = 0;
    _mm256_storeu_ps(each, most);
    for (int i = 0; i < 8; i++)
        top = each[i] > top ? each[i] : top;
    return top;
}

/* Pairs of neighbours go to `rounded`, `stride` pairs apart; returns the row's scale. */
static float round_row(const float *x, int64_t k, float steps, int32_t *rounded, int64_t stride) {
    float top = largest(x, k);
    __m256 factor = _mm256_set1_ps(steps / top);
    for (int64_t i = 0; i < k; i += 16) {
        __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), factor));
        __m256i high = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 8), factor));
        int32_t pairs[8];
        _mm256_storeu_si256((__m256i *)pairs, _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8));
        for (int pair = 0; pair < 8; pair++)
            rounded[(i / 2 + pair) * stride] = pairs[pair];
    }
    return top / steps;
}

static void round_rows(void *data) {
    Job *job = data;
    for (int64_t row; (row = take(&job->next, job->block)) < job->rows;) {
        int64_t rows = least(job->block, job->rows - row);
        int32_t *block = (int32_t *)(job->rounded + row * job->k);
        for (int64_t r = 0; r < rows; r++)
            job->row_scale[row + r] = round_row(job->x + (row + r) * job->k, job->k, job->steps, block + r, rows);
    }
}

/* One panel for one block of rows; a constant R keeps all sums in registers. Meanwhile `ahead`, a share of the weights
 * that come next, is fetched from memory `step` bytes at a time, so that memory is never idle while cores multiply. */
static inline __attribute__((always_inline)) void multiply_tile(const int R, const Job *job, int64_t row, int64_t first,
                                                                const char *ahead, int64_t step) {
    const int8_t *w = job->panels + first * job->k;
    const int32_t *x = (const int32_t *)(job->rounded + row * job->k);
    __m256i sums[ROWS][2];
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
        sums[r][0] = sums[r][1] = _mm256_setzero_si256();
    for (int64_t pair = 0; pair < job->k / 2; pair++, x += R, w += PAIR, ahead += step) {
        _mm_prefetch(ahead, _MM_HINT_T1); /* no fault where it points beyond the end */
        __m256i low = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w));
        __m256i high = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(w + WIDTH)));
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
            __m256i both = _mm256_set1_epi32(x[r]);
            sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(both, low));
            sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(both, high));
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) { /* unrolled, or else the sums would be kept in memory all along */
            int64_t channel = first + 8 * half;
            __m256 scale = _mm256_mul_ps(_mm256_loadu_ps(job->scale + channel), _mm256_set1_ps(job->row_scale[row + r]));
            __m256 bias = job->bias ? _mm256_loadu_ps(job->bias + channel) : _mm256_setzero_ps();
            __m256 y = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[r][half]), scale, bias);
            _mm256_storeu_ps(job->y + (row + r) * job->channels + channel, y);
        }
}

static void multiply(void *data) {
    Job *job = data;
    int64_t step = PAIR / job->blocks;
    for (int64_t first = take(&job->next, job->chunk), next; first < job->channels; first = next) {
        next = take(&job->next, job->chunk); /* early: it is fetched while the one before is multiplied */
        int64_t end = least(first + job->chunk, job->channels);
        const char *ahead = (const char *)(job->panels + least(next, job->channels) * job->k);
        for (int64_t row = 0; row < job->rows; row += job->block)
            for (int64_t channel = first; channel < end; channel += WIDTH, ahead += job->k / 2 * step)
                switch (least(job->block, job->rows - row)) {
                case 1: multiply_tile(1, job, row, channel, ahead, step); break;
                case 2: multiply_tile(2, job, row, channel, ahead, step); break;
                case 3: multiply_tile(3, job, row, channel, ahead, step); break;
                case 4: multiply_tile(4, job, row, channel, ahead, step); break;
                case 5: multiply_tile(5, job, row, channel, ahead, step); break;
                case 6: multiply_tile(6, job, row, channel, ahead, step); break;
                }
    }
}

void int8_linear(const float *x, const int8_t *panels, const float *scale, const float *bias, float *y,
                 int16_t *rounded, float *row_scale, int64_t rows, int64_t k, int64_t channels, float steps,
                 int threads) {
    if (!rows)
        return;
    Job job = {x, panels, scale, bias, y, rounded, row_scale, rows, k, channels, .steps = steps};
    job.blocks = (rows + ROWS - 1) / ROWS;
    job.block = (rows + job.blocks - 1) / job.blocks; /* 8 rows are 4 and 4, not 6 and 2 */
    /* Few rows wait for the weights, which pass by once, panel by panel; many take the weights that a cache holds. */
    job.chunk = rows > FEW ? CHUNK / k / WIDTH * WIDTH : WIDTH;
    job.chunk = job.chunk < WIDTH ? WIDTH : job.chunk;
    if (rows > FEW)
        GOMP_parallel(round_rows, &job, threads, 0);
    else
        round_rows(&job);
    job.next = 0;
    GOMP_parallel(multiply, &job, threads, 0);
}

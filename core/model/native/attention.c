/* Attention of query rows over float16 keys and values. Each row names the conversation it belongs to and how much of it
 * it sees, so that decoding and prefill, of one conversation or many, are the same; no row depends on another.
 *
 * A layer's keys are (kv_heads, capacity, dim), its values follow in the same shape, then comes the next layer. All heads
 * that share a key head are done together, so that keys and values come from memory once.
 */
#include "work.h"
#include <math.h>
#include <string.h>

enum { SIDE_BY_SIDE = 4 }; /* keys at once: one sum alone would wait for each of its additions */
enum { TOGETHER = 2 };     /* queries at once: a key is turned into float32 for both */
enum { AHEAD = 2048 };     /* numbers; hardware looks ahead within one page only */

typedef struct {
    const float *queries;     /* (rows, heads, dim) */
    const int64_t (*seen)[3]; /* (rows,): address of the first layer's keys, capacity, rows seen */
    float *y;                 /* (rows, heads, dim) */
    float *scores;            /* (threads, TOGETHER, stride) */
    int64_t rows, heads, kv_heads, dim, layer, stride;
    int64_t next, next_thread;
} Attention;

static __m256 load_half(const uint16_t *x) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)x)); }

static float add_up(__m256 x) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

/* e^x for x <= 0, to 2e-7 of it: 2^n times a polynomial (Cephes). */
static __m256 exponential(__m256 x) {
    x = _mm256_max_ps(x, _mm256_set1_ps(-87.0f));
    __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    x = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
    x = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), x);
    const float factors[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f, 1, 1};
    __m256 y = _mm256_set1_ps(1.9875691500e-4f);
    for (int i = 0; i < 7; i++)
        y = _mm256_fmadd_ps(y, x, _mm256_set1_ps(factors[i]));
    __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(y, _mm256_castsi256_ps(power));
}

/* Scores of N keys that follow each other with Q queries; `inline` with constants keeps the sums in registers. */
static inline __attribute__((always_inline)) void score(const int Q, const int N, const float *queries, const uint16_t *keys,
                                                        int64_t dim, float scale, float *scores, int64_t stride) {
    __m256 sums[TOGETHER][SIDE_BY_SIDE];
#pragma GCC unroll 2
    for (int q = 0; q < Q; q++)
#pragma GCC unroll 4
        for (int n = 0; n < N; n++)
            sums[q][n] = _mm256_setzero_ps();
    for (int64_t i = 0; i < dim; i += 8) {
        _mm_prefetch((const char *)(keys + AHEAD + i * N), _MM_HINT_T0);
#pragma GCC unroll 4
        for (int n = 0; n < N; n++) {
            __m256 key = load_half(keys + n * dim + i);
#pragma GCC unroll 2
            for (int q = 0; q < Q; q++)
                sums[q][n] = _mm256_fmadd_ps(_mm256_loadu_ps(queries + q * dim + i), key, sums[q][n]);
        }
    }
#pragma GCC unroll 2
    for (int q = 0; q < Q; q++)
#pragma GCC unroll 4
        for (int n = 0; n < N; n++)
            scores[q * stride + n] = scale * add_up(sums[q][n]);
}

/* y += weights * values, of N values that follow each other, for Q queries */
static inline __attribute__((always_inline)) void add(const int Q, const int N, float *y, const float *weights, int64_t stride,
                                                      const uint16_t *values, int64_t dim) {
    for (int64_t i = 0; i < dim; i += 8) {
        __m256 sums[TOGETHER];
        _mm_prefetch((const char *)(values + AHEAD + i * N), _MM_HINT_T0);
#pragma GCC unroll 2
        for (int q = 0; q < Q; q++)
            sums[q] = _mm256_loadu_ps(y + q * dim + i);
#pragma GCC unroll 4
        for (int n = 0; n < N; n++) {
            __m256 value = load_half(values + n * dim + i);
#pragma GCC unroll 2
            for (int q = 0; q < Q; q++)
                sums[q] = _mm256_fmadd_ps(_mm256_set1_ps(weights[q * stride + n]), value, sums[q]);
        }
#pragma GCC unroll 2
        for (int q = 0; q < Q; q++)
            _mm256_storeu_ps(y + q * dim + i, sums[q]);
    }
}

/* In place; `count` is a multiple of 8 and ends with -INFINITY. */
static void softmax(float *scores, int64_t count) {
    float most = scores[0];
    for (int64_t i = 1; i < count; i++)
        most = scores[i] > most ? scores[i] : most;
    __m256 sum = _mm256_setzero_ps();
    for (int64_t i = 0; i < count; i += 8) {
        __m256 each = exponential(_mm256_sub_ps(_mm256_loadu_ps(scores + i), _mm256_set1_ps(most)));
        _mm256_storeu_ps(scores + i, each);
        sum = _mm256_add_ps(sum, each);
    }
    __m256 whole = _mm256_set1_ps(1 / add_up(sum));
    for (int64_t i = 0; i < count; i += 8)
        _mm256_storeu_ps(scores + i, _mm256_mul_ps(_mm256_loadu_ps(scores + i), whole));
}

/* Q query heads of one row that share a key head. */
static inline __attribute__((always_inline)) void attend_heads(const int Q, const float *queries, const uint16_t *keys,
                                                               const uint16_t *values, int64_t length, int64_t dim,
                                                               float *scores, int64_t stride, float *y) {
    float scale = 1 / sqrtf(dim);
    int64_t i, padded = (length + 7) / 8 * 8;
    for (i = 0; i + SIDE_BY_SIDE <= length; i += SIDE_BY_SIDE)
        score(Q, SIDE_BY_SIDE, queries, keys + i * dim, dim, scale, scores + i, stride);
    for (; i < length; i++)
        score(Q, 1, queries, keys + i * dim, dim, scale, scores + i, stride);
    for (int q = 0; q < Q; q++) {
        for (i = length; i < padded; i++)
            scores[q * stride + i] = -INFINITY;
        softmax(scores + q * stride, padded);
    }
    memset(y, 0, Q * dim * sizeof(float));
    for (i = 0; i + SIDE_BY_SIDE <= length; i += SIDE_BY_SIDE)
        add(Q, SIDE_BY_SIDE, y, scores + i, stride, values + i * dim, dim);
    for (; i < length; i++)
        add(Q, 1, y, scores + i, stride, values + i * dim, dim);
}

/* All query heads of one row that share the key head. */
static void attend_row(const Attention *job, int64_t row, int64_t head, float *scores) {
    int64_t dim = job->dim, groups = job->heads / job->kv_heads, stride = job->stride;
    int64_t capacity = job->seen[row][1], length = job->seen[row][2];
    const uint16_t *layer = (const uint16_t *)job->seen[row][0] + job->layer * 2 * job->kv_heads * capacity * dim;
    const uint16_t *keys = layer + head * capacity * dim, *values = keys + job->kv_heads * capacity * dim;
    const float *queries = job->queries + (row * job->heads + head * groups) * dim;
    float *y = job->y + (row * job->heads + head * groups) * dim;
    int64_t group = 0;
    for (; group + TOGETHER <= groups; group += TOGETHER)
        attend_heads(TOGETHER, queries + group * dim, keys, values, length, dim, scores, stride, y + group * dim);
    for (; group < groups; group++)
        attend_heads(1, queries + group * dim, keys, values, length, dim, scores, stride, y + group * dim);
}

static void attend_rows(void *data) {
    Attention *job = data;
    float *scores = job->scores + take(&job->next_thread, 1) * TOGETHER * job->stride;
    for (int64_t piece; (piece = take(&job->next, 1)) < job->rows * job->kv_heads;)
        attend_row(job, piece % job->rows, piece / job->rows, scores); /* one head's keys stay in the cache */
}

/* dim is a multiple of 8, and so is stride, which no row may see more than. */
void attend(const float *queries, const int64_t (*seen)[3], float *y, float *scores, int64_t rows, int64_t heads,
            int64_t kv_heads, int64_t dim, int64_t layer, int64_t stride, int threads) {
    Attention job = {queries, seen, y, scores, rows, heads, kv_heads, dim, layer, stride, 0, 0};
    GOMP_parallel(attend_rows, &job, threads, 0);
}

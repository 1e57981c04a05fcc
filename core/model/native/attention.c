/* Attention of query rows over float16 keys and values. Each row names the conversation it belongs to and how much of it
 * it sees, so that decoding and prefill, of one conversation or many, are the same; no row depends on another.
 *
 * A layer's keys are (kv_heads, capacity, dim), its values follow in the same shape, then comes the next layer. All heads
 * that share a key head are done together, so that keys and values come from memory once.
 */
#include "exponential.h"
#include "work.h"
#include <math.h>
#include <string.h>

enum { SIDE_BY_SIDE = 4 }; /* keys at once: one sum alone would wait for each of its additions */
enum { TOGETHER = 2 };     /* queries at once: a key is turned into float32 for both */
enum { AHEAD = 2048 };     /* numbers to fetch ahead; hardware looks ahead within one page only */

typedef struct {
    const float *queries;     /* (rows, heads, dim), rows `apart` numbers from each other */
    const int64_t (*seen)[3]; /* (rows,): address of the first layer's keys, capacity, rows seen */
    float *y;                 /* (rows, heads, dim) */
    float *scores;            /* (threads, TOGETHER, stride) */
    int64_t rows, apart, heads, kv_heads, dim, layer, stride;
    int64_t next, next_thread;
} Attention;

/* How far ahead to fetch where so many numbers are left to read; see `multiply` in linear.c. */
static inline int64_t reach(int64_t left, int64_t dim) { return left < AHEAD + SIDE_BY_SIDE * dim ? 0 : AHEAD; }

/* Scores of N keys that follow each other with Q queries; `inline` with constants keeps the sums in registers. */
static inline __attribute__((always_inline)) void score(const int Q, const int N, const float *queries, const uint16_t *keys,
                                                        int64_t dim, int64_t ahead, float scale, float *scores,
                                                        int64_t stride) {
    f8 total[TOGETHER][SIDE_BY_SIDE];
    UNROLL(2)
    for (int q = 0; q < Q; q++)
        UNROLL(4)
        for (int n = 0; n < N; n++)
            total[q][n] = f8_all(0);
    for (int64_t i = 0; i < dim; i += 8) {
        __builtin_prefetch(keys + ahead + i * N, 0, 3);
        UNROLL(4)
        for (int n = 0; n < N; n++) {
            f8 key = f8_load_half(keys + n * dim + i);
            UNROLL(2)
            for (int q = 0; q < Q; q++)
                total[q][n] = f8_fma(f8_load(queries + q * dim + i), key, total[q][n]);
        }
    }
    UNROLL(2)
    for (int q = 0; q < Q; q++)
        UNROLL(4)
        for (int n = 0; n < N; n++)
            scores[q * stride + n] = scale * f8_sum(total[q][n]);
}

/* y += weights * values, of N values that follow each other, for Q queries */
static inline __attribute__((always_inline)) void add(const int Q, const int N, float *y, const float *weights, int64_t stride,
                                                      const uint16_t *values, int64_t dim, int64_t ahead) {
    for (int64_t i = 0; i < dim; i += 8) {
        f8 total[TOGETHER];
        __builtin_prefetch(values + ahead + i * N, 0, 3);
        UNROLL(2)
        for (int q = 0; q < Q; q++)
            total[q] = f8_load(y + q * dim + i);
        UNROLL(4)
        for (int n = 0; n < N; n++) {
            f8 value = f8_load_half(values + n * dim + i);
            UNROLL(2)
            for (int q = 0; q < Q; q++)
                total[q] = f8_fma(f8_all(weights[q * stride + n]), value, total[q]);
        }
        UNROLL(2)
        for (int q = 0; q < Q; q++)
            f8_store(y + q * dim + i, total[q]);
    }
}

/* Q query heads of one row that share a key head. */
static inline __attribute__((always_inline)) void attend_heads(const int Q, const float *queries, const uint16_t *keys,
                                                               const uint16_t *values, int64_t length, int64_t dim,
                                                               float *scores, int64_t stride, float *y) {
    float scale = 1 / sqrtf(dim);
    int64_t i, padded = (length + 7) / 8 * 8;
    for (i = 0; i + SIDE_BY_SIDE <= length; i += SIDE_BY_SIDE)
        score(Q, SIDE_BY_SIDE, queries, keys + i * dim, dim, reach((length - i) * dim, dim), scale, scores + i, stride);
    for (; i < length; i++)
        score(Q, 1, queries, keys + i * dim, dim, 0, scale, scores + i, stride);
    for (float *own = scores; own < scores + Q * stride; own += stride) {
        for (i = length; i < padded; i++)
            own[i] = -INFINITY;
        f8 whole = f8_all(1 / exponentials(own, padded));
        for (i = 0; i < padded; i += 8)
            f8_store(own + i, f8_mul(f8_load(own + i), whole));
    }
    memset(y, 0, Q * dim * sizeof(float));
    for (i = 0; i + SIDE_BY_SIDE <= length; i += SIDE_BY_SIDE)
        add(Q, SIDE_BY_SIDE, y, scores + i, stride, values + i * dim, dim, reach((length - i) * dim, dim));
    for (; i < length; i++)
        add(Q, 1, y, scores + i, stride, values + i * dim, dim, 0);
}

/* All query heads of one row that share the key head. */
static void attend_row(const Attention *job, int64_t row, int64_t head, float *scores) {
    int64_t dim = job->dim, groups = job->heads / job->kv_heads, stride = job->stride;
    int64_t capacity = job->seen[row][1], length = job->seen[row][2];
    const uint16_t *layer = (const uint16_t *)job->seen[row][0] + job->layer * 2 * job->kv_heads * capacity * dim;
    const uint16_t *keys = layer + head * capacity * dim, *values = keys + job->kv_heads * capacity * dim;
    const float *queries = job->queries + row * job->apart + head * groups * dim;
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

static int fits(const Attention *job) {
    if (job->rows < 0 || job->kv_heads < 1 || job->heads < 1 || job->heads % job->kv_heads || job->dim < 8 ||
        job->dim % 8 || job->stride % 8 || job->layer < 0)
        return 0;
    for (int64_t row = 0; row < job->rows; row++)
        if (job->seen[row][2] < 1 || job->seen[row][2] > job->stride || job->seen[row][2] > job->seen[row][1])
            return 0;
    return 1;
}

/* Returns BAD_SHAPE and does nothing where dim or stride is not a multiple of 8, where heads is not one of kv_heads, and
 * where a row sees nothing, more than `stride`, or more than its conversation has room for. */
int attend(const float *queries, const int64_t (*seen)[3], float *y, float *scores, int64_t rows, int64_t apart,
           int64_t heads, int64_t kv_heads, int64_t dim, int64_t layer, int64_t stride, int threads) {
    Attention job = {queries, seen, y, scores, rows, apart, heads, kv_heads, dim, layer, stride, 0, 0};
    if (threads < 1 || !fits(&job))
        return BAD_SHAPE;
    GOMP_parallel(attend_rows, &job, threads, 0);
    return OK;
}

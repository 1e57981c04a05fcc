/* What lies between a layer's first product and its attention: queries and keys are normalized and rotated in place, and
 * keys and values go to the conversations that their rows belong to, as attention.c reads them. */
#include "prologue.h"
#include "work.h"

typedef struct {
    float *x;                 /* (rows, heads + 2 kv_heads, dim): queries, keys, values */
    const float *norm;        /* (heads + kv_heads, dim) */
    const float *cos, *sin;   /* (rows, dim); the first half of the sine is negated */
    const int64_t (*seen)[3]; /* as in attention.c; a row sees itself last */
    int64_t rows, heads, kv_heads, dim, layer;
    int64_t next;
    float eps;
} Rotation;

static void rotate_row(const Rotation *job, int64_t row) {
    int64_t dim = job->dim, half = dim / 2, turning = job->heads + job->kv_heads, capacity = job->seen[row][1];
    const float *cos = job->cos + row * dim, *sin = job->sin + row * dim;
    float *x = job->x + row * (turning + job->kv_heads) * dim;
    for (int64_t head = 0; head < turning; head++) {
        float *first = x + head * dim, *second = first + half; /* each number of one half turns with one of the other */
        rms_norm(first, dim, job->norm + head * dim, job->eps, first);
        for (int64_t i = 0; i < half; i += 8) {
            f8 low = f8_load(first + i), high = f8_load(second + i);
            f8_store(first + i, f8_fma(high, f8_load(sin + i), f8_mul(low, f8_load(cos + i))));
            f8_store(second + i, f8_fma(low, f8_load(sin + half + i), f8_mul(high, f8_load(cos + half + i))));
        }
    }
    uint16_t *layer = (uint16_t *)job->seen[row][0] + job->layer * 2 * job->kv_heads * capacity * dim;
    for (int64_t head = 0; head < 2 * job->kv_heads; head++) /* of keys, then of values */
        for (int64_t i = 0; i < dim; i += 8)
            f8_store_half(layer + (head * capacity + job->seen[row][2] - 1) * dim + i,
                          f8_load(x + (job->heads + head) * dim + i));
}

static void rotate_rows(void *data) {
    Rotation *job = data;
    for (int64_t row; (row = take(&job->next, 1)) < job->rows;)
        rotate_row(job, row);
}

/* Returns BAD_SHAPE and does nothing where dim is not a multiple of 16, or where a row has no room. */
int rotate(float *x, const float *norm, const float *cos, const float *sin, const int64_t (*seen)[3], int64_t rows,
           int64_t heads, int64_t kv_heads, int64_t dim, int64_t layer, float eps, int threads) {
    if (rows < 0 || heads < 1 || kv_heads < 1 || dim < 16 || dim % 16 || layer < 0 || threads < 1)
        return BAD_SHAPE;
    for (int64_t row = 0; row < rows; row++)
        if (seen[row][2] < 1 || seen[row][2] > seen[row][1])
            return BAD_SHAPE;
    Rotation job = {x, norm, cos, sin, seen, rows, heads, kv_heads, dim, layer, 0, eps};
    GOMP_parallel(rotate_rows, &job, rows > 4 ? threads : 1, 0); /* few are done before cores agree */
    return OK;
}

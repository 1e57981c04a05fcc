/* Attention of rows over all keys in float32, as in the vision encoder; no row depends on the others.
 *
 * Keys lie in panels of WIDTH keys, (heads, panels, dim, WIDTH), and values in panels of WIDTH columns,
 * (heads, dim / WIDTH, WIDTH * panels, WIDTH), so that both products read them from front to back. Zeros fill the last panel.
 */
#include "exponential.h"
#include "work.h"
#include <math.h>
#include <string.h>

typedef struct {
    const float *queries, *keys, *values; /* queries are (rows, heads, dim) */
    float *y, *room;                      /* (rows, heads, dim), (threads, MOST_ROWS, 2 dim + WIDTH panels) */
    int64_t rows, heads, dim, length, panels;
    int64_t next, next_thread;
} FullAttention;

enum { MOST_ROWS = 12 }; /* of a tile with any instruction set */

/* y (ROWS, WIDTH) = a (ROWS, count) times a panel (count, WIDTH) */
static void multiply(const float *a, int64_t a_stride, const float *panel, int64_t count, float *y, int64_t y_stride) {
    wide sum[ROWS];
    UNROLL(12)
    for (int r = 0; r < ROWS; r++)
        sum[r] = wide_zero();
    for (int64_t i = 0; i < count; i++, panel += WIDTH) {
        wide b = wide_load(panel);
        UNROLL(12)
        for (int r = 0; r < ROWS; r++)
            sum[r] = wide_add(sum[r], a[r * a_stride + i], b);
    }
    UNROLL(12)
    for (int r = 0; r < ROWS; r++)
        wide_store(y + r * y_stride, sum[r]);
}

/* ROWS rows of one head from `first` on, or those that are left. */
static void attend_tile(const FullAttention *job, int64_t head, int64_t first, float *room) {
    int64_t dim = job->dim, stride = job->panels * WIDTH, rows = least(ROWS, job->rows - first);
    float *queries = room, *y = queries + ROWS * dim, *scores = y + ROWS * dim, scale = 1 / sqrtf(dim);
    memset(queries, 0, ROWS * dim * sizeof(float)); /* where fewer rows are left */
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < dim; i++)
            queries[r * dim + i] = scale * job->queries[((first + r) * job->heads + head) * dim + i];
    for (int64_t panel = 0; panel < job->panels; panel++)
        multiply(queries, dim, job->keys + (head * job->panels + panel) * WIDTH * dim, dim, scores + panel * WIDTH, stride);
    float whole[ROWS];
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = job->length; i < stride; i++)
            scores[r * stride + i] = -INFINITY;
        whole[r] = 1 / exponentials(scores + r * stride, stride);
    }
    for (int64_t i = 0; i < dim; i += WIDTH)
        multiply(scores, stride, job->values + (head * dim + i) * stride, job->length, y + i, dim);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < dim; i++)
            job->y[((first + r) * job->heads + head) * dim + i] = whole[r] * y[r * dim + i];
}

static void attend_tiles(void *data) {
    FullAttention *job = data;
    float *room = job->room + take(&job->next_thread, 1) * MOST_ROWS * (2 * job->dim + job->panels * WIDTH);
    int64_t tiles = (job->rows + ROWS - 1) / ROWS;
    for (int64_t tile; (tile = take(&job->next, 1)) < tiles * job->heads;)
        attend_tile(job, tile / tiles, tile % tiles * ROWS, room); /* one head's keys stay in the cache */
}

/* Returns BAD_SHAPE and does nothing where dim is not a multiple of WIDTH, or there are no keys. */
int full_attention(const float *queries, const float *keys, const float *values, float *y, float *room, int64_t rows,
                   int64_t heads, int64_t dim, int64_t length, int threads) {
    if (rows < 0 || heads < 1 || dim < WIDTH || dim % WIDTH || length < 1 || threads < 1)
        return BAD_SHAPE;
    FullAttention job = {queries, keys, values, y, room, rows, heads, dim, length, (length + WIDTH - 1) / WIDTH, 0, 0};
    GOMP_parallel(attend_tiles, &job, threads, 0);
    return OK;
}

/* y = f(x) W^T + bias, or y += the same, for int8 weights W, one scale per output channel; x and y are float32, and f is
 * one of prologue.h.
 *
 * Each row of x is rounded to int16 with a scale of its own. Products of 16 and 8 bits are added up in 32 bits, exactly:
 * `steps`, the largest rounded value, is chosen with the weights so that no sum can overflow. A row's result therefore
 * never depends on the other rows, and all instruction sets give the same bits.
 *
 * Weights lie in panels of CHANNELS channels: (panels, k / INPUTS, CHANNELS, INPUTS). Rounded rows lie in blocks of at most
 * BLOCK, so that the inner loop reads both from front to back.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-pre", "no-schedule-insns") /* with these, gcc keeps the running sums of a tile in memory */
#endif
#include "product.h"

enum { FOUR = 4 * CHANNELS }; /* panels */
enum { SOON = 1 << 15 };      /* numbers that one core rounds sooner than two can agree */

#if defined(AMX)
#include "amx.h"
#else
#include "tiles.h"
#endif

const int32_t panel[] = {CHANNELS, INPUTS}; /* for those who pack weights */

/* NaN for a row with something that is no number: rounded, it would be one again, and garbage. */
static float largest(const float *x, int64_t k) {
    f8 most = f8_all(1e-20f); /* a row of zeros stays one */
    f8 nothing = f8_all(0);   /* 0 times infinity and 0 times NaN are NaN */
    for (int64_t i = 0; i < k; i += 8) {
        f8 eight = f8_load(x + i);
        most = f8_max(f8_abs(eight), most);
        nothing = f8_fma(eight, f8_all(0), nothing);
    }
    return f8_largest(most) + f8_sum(nothing);
}

/* Returns the row as it is multiplied, in `room` where it is another one. */
static const float *prepare(const Job *job, int64_t row, float *room) {
    const Linear *linear = &job->linear;
    const float *x = job->x + row * linear->k * (linear->prologue == SWIGLU ? 2 : 1);
    switch (linear->prologue) {
    case RMS_NORM: rms_norm(x, linear->k, linear->weight, linear->eps, room); return room;
    case GELU: gelu(x, linear->k, room); return room;
    case SWIGLU: swiglu(x, linear->k, room); return room;
    default: return x;
    }
}

static void round_rows(void *data) {
    Job *job = data;
    int64_t k = job->linear.k;
    float *room = job->prepared + take(&job->next_thread, 1) * k, steps = job->linear.steps;
    for (int64_t first; (first = take(&job->next, job->block)) < job->rows;)
        for (int64_t row = first; row < least(first + job->block, job->rows); row++) {
            const float *x = prepare(job, row, room);
            float top = largest(x, k);
            round_row(job, row, x, steps / top);
            job->row_scale[row] = top / steps;
        }
}

static void multiply(void *data) {
    Job *job = data;
    int64_t k = job->linear.k, channels = job->linear.channels;
    tiles_begin(job);
    const char *panels = (const char *)job->linear.panels;
    for (int64_t first = take(&job->next, job->chunk), next; first < channels; first = next) {
        next = take(&job->next, job->chunk); /* early: it is fetched while the one before is multiplied */
        int more = next + job->chunk <= channels; /* see `fetch` */
        const char *ahead = panels + (more ? next : first) * k;
        multiply_chunk(job, (Chunk){first, least(first + job->chunk, channels), ahead, more ? PIECE / job->blocks : 0});
    }
    tiles_end();
}

/* `room` holds (rows + 11) * k / 2 + rows + threads * k numbers. Returns BAD_SHAPE and does nothing where k or channels are not
 * multiples of 16. More steps than MOST_STEPS count as these. */
int int8_linear(const Linear *linear, const float *x, float *y, float *room, int64_t rows, int add, int threads) {
    int64_t k = linear->k, channels = linear->channels;
    if (rows < 0 || k < 16 || k % 16 || channels < 16 || channels % 16 || threads < 1)
        return BAD_SHAPE;
    if (!rows)
        return OK;
    Job job = {.linear = *linear, .x = x, .y = y, .rounded = (int16_t *)room, .rows = rows, .add = add};
    job.linear.steps = linear->steps < MOST_STEPS ? linear->steps : MOST_STEPS;
    job.blocks = (rows + BLOCK - 1) / BLOCK;
    job.block = (rows + job.blocks - 1) / job.blocks; /* 8 rows are 4 and 4, not 6 and 2 */
    job.row_scale = room + job.blocks * job.block * k / 2; /* behind the rounded rows, whose lines begin where memory's do */
    job.prepared = job.row_scale + rows;
    /* Few rows wait for the weights, which pass by once, four panels at a time; many take the weights that a cache holds. */
    int64_t most = least(CHUNK / k, channels / threads / 2); /* two pieces for each core */
    job.chunk = rows > FEW && most > FOUR ? most / FOUR * FOUR : FOUR;
    if (rows * k > SOON)
        GOMP_parallel(round_rows, &job, threads, 0);
    else
        round_rows(&job);
    job.next = 0;
    GOMP_parallel(multiply, &job, threads, 0);
    return OK;
}

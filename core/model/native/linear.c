/* y = f(x) W^T + bias, or y += the same, for int8 weights W, one scale per output channel; x and y are float32, and f is
 * one of prologue.h.
 *
 * Each row of x is rounded to int16 with a scale of its own. Products of 16 and 8 bits are added up in 32 bits, exactly:
 * `steps`, the largest rounded value, is chosen with the weights so that no sum can overflow. A row's result therefore
 * never depends on the other rows, and all instruction sets give the same bits.
 *
 * Weights lie in panels of CHANNELS channels: (panels, k / INPUTS, CHANNELS, INPUTS). Rounded rows lie in blocks of at most
 * ROWS: (blocks, k / INPUTS, rows of the block, INPUTS), so that the inner loop reads both from front to back.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-pre", "no-schedule-insns") /* with these, gcc keeps the running sums of a tile in memory */
#endif
#include "prologue.h"
#include "work.h"

enum { FEW = 16 };             /* rows that wait for the weights, not the weights for them */
enum { SOON = 1 << 15 };       /* numbers that one core rounds sooner than two can agree */
enum { CHUNK = 1 << 18 };      /* bytes of weights a core takes at once for many rows: half its second cache */
enum { CACHE_LINE = 64 };

const int32_t panel[] = {CHANNELS, INPUTS}; /* for those who pack weights */

typedef struct { /* as core/model/kernel.py has it */
    const int8_t *panels;
    const float *scale, *bias; /* (channels,), both up to whole panels; bias may be NULL */
    const float *weight;       /* (k,), of a norm */
    int64_t k, channels, prologue;
    float steps, eps;
} Linear;

typedef struct {
    Linear linear;
    const float *x;              /* (rows, k), or (rows, 2 k) for SWIGLU */
    float *y;                    /* (rows, channels) */
    float *row_scale, *prepared; /* (rows,), (threads, k) */
    int16_t *rounded;
    int64_t rows, block, blocks, chunk;
    int64_t next, next_thread; /* piece of work that is not taken yet */
    int add;                   /* to what y holds */
} Job;

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

/* INPUTS neighbours go to `rounded`, the next ones `stride` further on; returns the row's scale. */
static float round_row(const float *x, int64_t k, float steps, int16_t *rounded, int64_t stride) {
    float top = largest(x, k);
    f8 factor = f8_all(steps / top);
    for (int64_t i = 0; i < k; i += 8) {
        int16_t eight[8];
        round_eight(f8_mul(f8_load(x + i), factor), eight);
        UNROLL(4)
        for (int next = 0; next < 8; next += INPUTS, rounded += stride)
            memcpy(rounded, eight + next, INPUTS * sizeof *rounded);
    }
    return top / steps;
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
    float *room = job->prepared + take(&job->next_thread, 1) * k;
    for (int64_t row; (row = take(&job->next, job->block)) < job->rows;) {
        int64_t rows = least(job->block, job->rows - row);
        int16_t *block = job->rounded + row * k;
        for (int64_t r = 0; r < rows; r++)
            job->row_scale[row + r] =
                round_row(prepare(job, row + r, room), k, job->linear.steps, block + r * INPUTS, rows * INPUTS);
    }
}

/* Eight sums of a row become numbers of y. */
static inline void finish(const Job *job, int64_t row, int64_t channel, f8 sum) {
    const Linear *linear = &job->linear;
    float *y = job->y + row * linear->channels + channel;
    f8 scale = f8_mul(f8_load(linear->scale + channel), f8_all(job->row_scale[row]));
    f8 each = f8_fma(sum, scale, linear->bias ? f8_load(linear->bias + channel) : f8_all(0));
    f8_store(y, job->add ? f8_add(each, f8_load(y)) : each);
}

/* One panel for one block of rows; a constant R keeps all sums in registers. Meanwhile `ahead`, a share of the weights
 * that come next, is fetched from memory `step` bytes at a time, so that memory is never idle while cores multiply. */
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

static void multiply(void *data) {
    Job *job = data;
    int64_t k = job->linear.k, channels = job->linear.channels;
    for (int64_t first = take(&job->next, job->chunk), next; first < channels; first = next) {
        next = take(&job->next, job->chunk); /* early: it is fetched while the one before is multiplied */
        int64_t end = least(first + job->chunk, channels);
        /* Nothing comes after the end: fetching from where no memory is costs a search of the page table each time. */
        int more = next + job->chunk <= channels;
        int64_t step = more ? PIECE / job->blocks : 0;
        const char *ahead = (const char *)(job->linear.panels + (more ? next : first) * k);
        for (int64_t row = 0; row < job->rows; row += job->block)
            for (int64_t channel = first; channel < end; channel += CHANNELS, ahead += k / INPUTS * step)
#define TILE(R) case R: multiply_tile(R, job, row, channel, ahead, step); break;
                switch (least(job->block, job->rows - row)) {
                    TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if ROWS == 12
                    TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#endif
                }
    }
}

/* `room` holds rows * (k / 2 + 1) + threads * k numbers. Returns BAD_SHAPE and does nothing where k or channels are not
 * multiples of 16. More steps than MOST_STEPS count as these. */
int int8_linear(const Linear *linear, const float *x, float *y, float *room, int64_t rows, int add, int threads) {
    int64_t k = linear->k, channels = linear->channels;
    if (rows < 0 || k < 16 || k % 16 || channels < 16 || channels % 16 || threads < 1)
        return BAD_SHAPE;
    if (!rows)
        return OK;
    Job job = {.linear = *linear, .x = x, .y = y, .row_scale = room, .rows = rows, .add = add};
    job.linear.steps = linear->steps < MOST_STEPS ? linear->steps : MOST_STEPS;
    job.prepared = job.row_scale + rows;
    job.rounded = (int16_t *)(job.prepared + threads * k);
    job.blocks = (rows + ROWS - 1) / ROWS;
    job.block = (rows + job.blocks - 1) / job.blocks; /* 8 rows are 4 and 4, not 6 and 2 */
    /* Few rows wait for the weights, which pass by once, panel by panel; many take the weights that a cache holds. */
    job.chunk = rows > FEW ? CHUNK / k / CHANNELS * CHANNELS : CHANNELS;
    job.chunk = job.chunk < CHANNELS ? CHANNELS : job.chunk;
    if (rows * k > SOON)
        GOMP_parallel(round_rows, &job, threads, 0);
    else
        round_rows(&job);
    job.next = 0;
    GOMP_parallel(multiply, &job, threads, 0);
    return OK;
}

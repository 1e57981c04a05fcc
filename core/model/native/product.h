/* What a product is, and how its sums become numbers; see linear.c. */
#include "prologue.h"
#include "work.h"

enum { CACHE_LINE = 64 };

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
    int16_t *rounded;            /* (rows up to whole blocks, k), as the tiles read them */
    int64_t rows, block, blocks, chunk;
    int64_t next, next_thread; /* piece of work that is not taken yet */
    int add;                   /* to what y holds */
} Job;

/* A piece of the weights. While many rows are multiplied by it, the piece after it is fetched from memory: a share of it,
 * `step` bytes for each PIECE and block of rows, so that memory is never idle while cores multiply. */
typedef struct {
    int64_t first, end; /* channels */
    const char *ahead;
    int64_t step;
} Chunk;

enum { FEW = 16 };    /* rows that wait for the weights, not the weights for them */
enum { NEAR = 2048 }; /* bytes ahead in the same panel, where few rows are multiplied by several */

/* What is fetched each time `size` bytes of each panel are multiplied: `bytes` from here on, and as many `apart` from these for
 * each further panel. Next time all of it lies `advance` further on. */
typedef struct {
    const char *from;
    int64_t bytes, apart, advance;
} Fetch;

static inline Fetch fetch(const Job *job, const Chunk *chunk, int64_t channel, int64_t blocks, int64_t panels, int64_t size) {
    int64_t k = job->linear.k, bytes = blocks * size / PIECE * chunk->step;
    if (job->rows > FEW || panels == 1)
        return (Fetch){chunk->ahead, bytes, bytes, panels * bytes};
    /* Nothing comes after the end: fetching from where no memory is costs a search of the page table each time. */
    int more = (channel + panels * CHANNELS) * k + NEAR <= job->linear.channels * k;
    return (Fetch){(const char *)job->linear.panels + channel * k + (more ? NEAR : 0), size, CHANNELS * k, size};
}

/* Eight sums of a row become numbers of y. */
static inline void finish(const Job *job, int64_t row, int64_t channel, f8 sum) {
    const Linear *linear = &job->linear;
    float *y = job->y + row * linear->channels + channel;
    f8 scale = f8_mul(f8_load(linear->scale + channel), f8_all(job->row_scale[row]));
    f8 each = f8_fma(sum, scale, linear->bias ? f8_load(linear->bias + channel) : f8_all(0));
    f8_store(y, job->add ? f8_add(each, f8_load(y)) : each);
}

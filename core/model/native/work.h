/* Work that all cores take from one heap, piece by piece: whoever is disturbed by other programs takes less. */
#include <stdint.h>

/* Of the OpenMP runtime that torch has loaded: a second one would fight with it for the cores. */
void GOMP_parallel(void (*work)(void *), void *data, unsigned threads, unsigned flags);

enum { OK = 0, BAD_SHAPE = -1 }; /* what the kernels return */

/* The first of `size` pieces that nobody has taken yet. */
static inline int64_t take(int64_t *next, int64_t size) { return __atomic_fetch_add(next, size, __ATOMIC_RELAXED); }

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

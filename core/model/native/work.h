/* Work that all cores take from one pool, piece by piece: a core that other programs disturb takes less. */
#include <stdint.h>

/* From the OpenMP runtime that torch has loaded: a second one would compete with it for the cores. */
void GOMP_parallel(void (*work)(void *), void *data, unsigned threads, unsigned flags);

enum { OK = 0, BAD_SHAPE = -1, REFUSED = -2 }; /* what the kernels return */

/* Take the first `size` pieces that are left, and return the index of the first. */
static inline int64_t take(int64_t *next, int64_t size) { return __atomic_fetch_add(next, size, __ATOMIC_RELAXED); }

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

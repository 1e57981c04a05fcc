/* What becomes of a row x of k numbers before it is multiplied; core/model/prologue.py computes the same with torch. */
#include "exponential.h"
#include <math.h>

enum { NOTHING, RMS_NORM, GELU, SWIGLU };

/* `weight` and `eps` are those of the mean of squares, times sqrt(k) and k. */
static inline void rms_norm(const float *x, int64_t k, const float *weight, float eps, float *y) {
    f8 squares = f8_all(0);
    for (int64_t i = 0; i < k; i += 8)
        squares = f8_fma(f8_load(x + i), f8_load(x + i), squares);
    f8 factor = f8_all(1 / sqrtf(f8_sum(squares) + eps));
    for (int64_t i = 0; i < k; i += 8)
        f8_store(y + i, f8_mul(f8_mul(f8_load(x + i), factor), f8_load(weight + i)));
}

/* x / (1 + e^-z); what is no number stays none */
static inline f8 gated(f8 x, f8 z) {
    return f8_div(x, f8_add(f8_all(1), exponential(f8_sub(f8_all(0), f8_max(f8_all(-87.0f), z)))));
}

/* As approximated by tanh: (1 + tanh(u)) / 2 = 1 / (1 + e^-2u). */
static inline void gelu(const float *x, int64_t k, float *y) {
    for (int64_t i = 0; i < k; i += 8) {
        f8 each = f8_load(x + i), cubic = f8_fma(f8_mul(each, each), f8_all(0.044715f), f8_all(1));
        f8_store(y + i, gated(each, f8_mul(f8_mul(each, f8_all(2 * 0.79788456f)), cubic)));
    }
}

/* x has 2 k numbers: gates, and what they let through. */
static inline void swiglu(const float *x, int64_t k, float *y) {
    for (int64_t i = 0; i < k; i += 8)
        f8_store(y + i, f8_mul(gated(f8_load(x + i), f8_load(x + i)), f8_load(x + k + i)));
}

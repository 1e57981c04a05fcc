/* What softmax and activations are made of. */
#include "simd.h"

/* e^x for x up to 87, to 2e-7 of it: 2^n times a polynomial (Cephes). NaN stays NaN: AVX's maximum is its second operand then. */
static inline f8 exponential(f8 x) {
    x = f8_max(f8_all(-87.0f), x);
    f8 n = f8_round(f8_mul(x, f8_all(1.44269504f)));
    x = f8_fnma(n, f8_all(0.693359375f), x);
    x = f8_fnma(n, f8_all(-2.12194440e-4f), x);
    const float factors[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f, 1, 1};
    f8 y = f8_all(1.9875691500e-4f);
    for (int i = 0; i < 7; i++)
        y = f8_fma(y, x, f8_all(factors[i]));
    return f8_mul(y, f8_power_of_two(n));
}

/* Each score becomes e^(score - the largest); returns their sum. `count` is a multiple of 8. */
static inline float exponentials(float *scores, int64_t count) {
    f8 most = f8_load(scores), sum = f8_all(0);
    for (int64_t i = 8; i < count; i += 8)
        most = f8_max(most, f8_load(scores + i));
    f8 largest = f8_all(f8_largest(most));
    for (int64_t i = 0; i < count; i += 8) {
        f8 each = exponential(f8_sub(f8_load(scores + i), largest));
        f8_store(scores + i, each);
        sum = f8_add(sum, each);
    }
    return f8_sum(sum);
}

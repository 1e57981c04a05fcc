/* Products with AVX2: vpmaddwd multiplies 16 pairs of 16 bits at once and adds neighbours, twice as many as float32 has. */
#include "avx.h"

#define ROWS 6 /* 12 sums, 2 of weights, 1 of x and a product: all 16 registers */
enum { CHANNELS = 16, INPUTS = 2 };
typedef struct {
    __m256i low, high;
} weights, sums;

static inline weights weights_load(const int8_t *w) {
    return (weights){_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w)),
                     _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(w + 16)))};
}
static inline sums sums_zero(void) { return (sums){_mm256_setzero_si256(), _mm256_setzero_si256()}; }
static inline sums sums_add(sums s, weights w, inputs x) {
    __m256i all = _mm256_set1_epi32(x);
    return (sums){_mm256_add_epi32(s.low, _mm256_madd_epi16(all, w.low)),
                  _mm256_add_epi32(s.high, _mm256_madd_epi16(all, w.high))};
}
static inline f8 sums_eight(sums s, int which) { return _mm256_cvtepi32_ps(which ? s.high : s.low); }

#include "wide.h"

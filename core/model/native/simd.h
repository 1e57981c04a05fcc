/* The few vector operations that the kernels are made of. Each instruction set has them in a file of its own, and nothing
 * else of the kernels depends on it:
 *
 *   f8       eight float32 numbers
 *   wide     WIDTH float32 numbers
 *   inputs   INPUTS neighbouring inputs of one row, rounded to 16 bits
 *   weights  int8 weights of CHANNELS channels for INPUTS inputs, as they lie in a panel
 *   sums     CHANNELS int32 sums of one row; exact, so that all instruction sets give the same integers
 *   ROWS     so many rows of one panel fit into the registers, with all of this
 *   SUMS     so many sums do, of few rows and several panels
 */
#include <stdint.h>
#include <string.h>

/* A loop with so many rounds at most, unrolled, so that its arrays become registers. */
#if defined(__clang__)
#define UNROLL(most) _Pragma("clang loop unroll(full)")
#else
#define UNROLL(most) _Pragma(TEXT(GCC unroll most))
#define TEXT(words) #words
#endif

enum { WIDTH = 16 };
enum { MOST_STEPS = 127 * 256 + 127 }; /* of a rounded input: what two signed bytes hold */

#if defined(__AVX2__) && defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include "avx512.h"
#elif defined(__AVX2__)
#include "avx2.h"
#elif defined(__aarch64__) && defined(__ARM_FEATURE_MATMUL_INT8)
#include "i8mm.h"
#elif defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#include "dotprod.h"
#elif defined(__aarch64__)
#include "neon.h"
#else
#error "the kernels need AVX2 with FMA and F16C, or a 64-bit ARM"
#endif

#if !defined(SUMS)
#define SUMS ROWS
#endif

enum { PIECE = CHANNELS * INPUTS }; /* bytes of `weights` in a panel */

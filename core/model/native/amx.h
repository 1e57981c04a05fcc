/* Tiles of a product in AMX's registers: one instruction multiplies 16 rows of 64 bytes by 64 inputs of a panel.
 *
 * As on ARM, an input of 16 bits is two signed bytes, 256 high + low, with sums of their own: a register takes the high
 * bytes of a block's rows, then their low bytes. Its rows are as long as divides k, so that nothing is left over:
 * (blocks, k / depth, 2, rows of the block, depth). Rows that a last block lacks are multiplied all the same, and left.
 */
#include <sys/syscall.h>
#include <unistd.h>

enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* of arch_prctl: a process has to ask for its 8 KB of registers */
enum { SUM_REGISTERS = 4, BYTES = 64 };               /* registers for sums; of a row of a register */
enum { BLOCK = 8 };
enum { CHUNK = 1 << 20 }; /* as in tiles.h: all processors with AMX have a second cache of 2 MB */

int permit(void) { return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) ? REFUSED : OK; }

static inline int64_t depth_of(int64_t k) {
    int64_t depth = BYTES;
    while (k % depth)
        depth -= 16;
    return depth;
}

/* Registers 0 to 3 are for sums, 4 and 5 for rows, 6 and 7 for weights. */
static void tiles_begin(const Job *job) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        shape.bytes[i] = i == 4 || i == 5 ? depth_of(job->linear.k) : BYTES;
        shape.rows[i] = i < 6 ? 2 * job->block : depth_of(job->linear.k) / INPUTS;
    }
    __asm__ volatile("" : : "r"(&shape) : "memory"); /* gcc believes that only the first bytes are read */
    _tile_loadconfig(&shape);
}
static void tiles_end(void) { _tile_release(); } /* or else each switch of threads would save them */

static void round_row(const Job *job, int64_t row, const float *x, float factor) {
    int64_t k = job->linear.k, depth = depth_of(k), own = row % job->block;
    int8_t *high = (int8_t *)(job->rounded + (row - own) * k) + own * depth;
    for (int64_t i = 0; i < k; i += depth, high += 2 * job->block * depth)
        for (int64_t j = 0; j < depth; j += 16) {
            __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i + j), _mm512_set1_ps(factor)));
            __m512i upper = _mm512_srai_epi32(_mm512_add_epi32(whole, _mm512_set1_epi32(128)), 8);
            _mm_storeu_si128((__m128i *)(high + j), _mm512_cvtepi32_epi8(upper));
            _mm_storeu_si128((__m128i *)(high + job->block * depth + j), _mm512_cvtepi32_epi8(whole));
        }
}

/* The sums of one block and panel. */
static void finish_tile(const Job *job, int64_t row, int64_t channel, int32_t (*sums)[16]) {
    int64_t rows = least(job->block, job->rows - row);
    for (int64_t r = 0; r < rows; r++) {
        __m512i high = _mm512_load_si512(sums[r]), low = _mm512_load_si512(sums[job->block + r]);
        __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high, 8), low); /* wraps around, and back */
        finish(job, row + r, channel, sums_eight(sum, 0));
        finish(job, row + r, channel + 8, sums_eight(sum, 1));
    }
}

/* One or two blocks of rows by one or two panels: each register that is loaded is multiplied twice where there are two. One
 * block by four panels, for the reason in tiles.h. */
static inline __attribute__((always_inline)) void multiply_tile(const int blocks, const int panels, const Job *job, int64_t row,
                                                                int64_t channel, Fetch ahead) {
    int64_t k = job->linear.k, depth = depth_of(k), piece = CHANNELS * depth, rows = 2 * job->block * depth;
    int64_t next_panel = CHANNELS * k, next_block = 2 * job->block * k;
    const int8_t *w = job->linear.panels + channel * k, *x = (const int8_t *)(job->rounded + row * k);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t i = 0; i < k; i += depth, x += rows, w += piece, ahead.from += ahead.advance) {
        for (int p = 0; p < panels; p++)
            for (int64_t byte = 0; byte < ahead.bytes; byte += CACHE_LINE)
                __builtin_prefetch(ahead.from + p * ahead.apart + byte, 0, 2);
        _tile_loadd(4, x, depth);
        _tile_loadd(6, w, BYTES);
        _tile_dpbssd(0, 4, 6);
        if (panels > 1) {
            _tile_loadd(7, w + next_panel, BYTES);
            _tile_dpbssd(1, 4, 7);
        }
        if (panels == 4) {
            _tile_loadd(6, w + 2 * next_panel, BYTES);
            _tile_dpbssd(2, 4, 6);
            _tile_loadd(7, w + 3 * next_panel, BYTES);
            _tile_dpbssd(3, 4, 7);
        }
        if (blocks == 2) {
            _tile_loadd(5, x + next_block, depth);
            _tile_dpbssd(2, 5, 6);
            if (panels == 2)
                _tile_dpbssd(3, 5, 7);
        }
    }
    int32_t sums[SUM_REGISTERS][16][16] __attribute__((aligned(CACHE_LINE)));
    _tile_stored(0, sums[0], BYTES);
    _tile_stored(1, sums[1], BYTES);
    _tile_stored(2, sums[2], BYTES);
    _tile_stored(3, sums[3], BYTES);
    for (int b = 0; b < blocks; b++)
        for (int p = 0; p < panels; p++)
            finish_tile(job, row + b * job->block, channel + p * CHANNELS, sums[2 * b + p]);
}

static void multiply_chunk(const Job *job, Chunk chunk) {
    for (int64_t row = 0, blocks; row < job->rows; row += blocks * job->block) {
        blocks = row + job->block < job->rows ? 2 : 1;
        for (int64_t channel = chunk.first, panels; channel < chunk.end; channel += panels * CHANNELS) {
            int64_t left = (chunk.end - channel) / CHANNELS;
            panels = blocks == 1 && left >= 4 ? 4 : left >= 2 ? 2 : 1;
            Fetch ahead = fetch(job, &chunk, channel, blocks, panels, CHANNELS * depth_of(job->linear.k));
#define TILE(B, P) if (blocks == B && panels == P) multiply_tile(B, P, job, row, channel, ahead);
            TILE(1, 1) TILE(1, 2) TILE(1, 4) TILE(2, 1) TILE(2, 2)
            chunk.ahead += blocks * panels * job->linear.k / INPUTS * chunk.step;
        }
    }
}

/* XXH64 of some bytes: as fast as memory, where a cyclic sum takes a second for the weights of a 2B model. */
#include <stdint.h>
#include <string.h>

static const uint64_t A = 0x9E3779B185EBCA87, B = 0xC2B2AE3D27D4EB4F, C = 0x165667B19E3779F9, D = 0x85EBCA77C2B2AE63,
                      E = 0x27D4EB2F165667C5; /* the primes of its description */

static uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static uint64_t mix(uint64_t sum, uint64_t word) { return rotate(sum + word * B, 31) * A; }

/* Little-endian, as all processors that the kernels are for. */
static uint64_t word_at(const uint8_t *bytes, int size) {
    uint64_t word = 0;
    memcpy(&word, bytes, size);
    return word;
}

uint64_t checksum(const uint8_t *bytes, int64_t size, uint64_t seed) {
    uint64_t sums[4] = {seed + A + B, seed + B, seed, seed - A}, sum = seed + E;
    int64_t i = 0;
    if (size >= 32) {
        for (; i + 32 <= size; i += 32)
            for (int lane = 0; lane < 4; lane++)
                sums[lane] = mix(sums[lane], word_at(bytes + i + 8 * lane, 8));
        sum = rotate(sums[0], 1) + rotate(sums[1], 7) + rotate(sums[2], 12) + rotate(sums[3], 18);
        for (int lane = 0; lane < 4; lane++)
            sum = (sum ^ mix(0, sums[lane])) * A + D;
    }
    sum += size;
    for (; i + 8 <= size; i += 8)
        sum = rotate(sum ^ mix(0, word_at(bytes + i, 8)), 27) * A + D;
    for (; i + 4 <= size; i += 4)
        sum = rotate(sum ^ word_at(bytes + i, 4) * A, 23) * B + C;
    for (; i < size; i++)
        sum = rotate(sum ^ bytes[i] * E, 11) * A;
    sum = (sum ^ sum >> 33) * B;
    sum = (sum ^ sum >> 29) * C;
    return sum ^ sum >> 32;
}

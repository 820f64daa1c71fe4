// A U-Net's layers, and what becomes of its masks, for several instruction sets from one text; the caller chooses (see
// binding.py).
//
// A map (h, w, channels) has its channels last and a border of zeros, 1 before and 2 behind: it is
// (h + BORDER, w + BORDER, channels), contiguous, channels a multiple of 16. All is float32.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#define BORDER 3
#define PANEL 32  // outputs that a kernel has side by side
#define TILES 32  // that are transformed before they are multiplied: they stay in a core's second cache
#define INLINE static inline __attribute__((always_inline))
#define METHOD inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define LANES 16
#define ROWS 8  // with PANEL / LANES vectors each, and what they are made from, they fill the registers
#define NAME(layer) layer##_avx512
namespace avx512 {
#include "layers.h"
}
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LANES 8
#define ROWS 2
#define NAME(layer) layer##_avx2
namespace avx2 {
#include "layers.h"
}
#pragma GCC pop_options
#endif

#define LANES 4
#define ROWS 2
#define NAME(layer) layer##_any
namespace any {
#include "layers.h"
}

// The best set that this processor has: 2 avx512, 1 avx2, 0 neither.
extern "C" int best_instruction_set() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return 2;
    if (__builtin_cpu_supports("x86-64-v3")) return 1;
#endif
    return 0;
}

// A U-Net's layers, and what becomes of its masks, for several instruction sets from one text; the caller chooses (see
// binding.py). For GCC and Clang.
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

// How each compiler is told that a text is for other instructions than it may take for granted.
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define FOR_INSTRUCTIONS(names) \
    _Pragma("clang attribute push(__attribute__((min_vector_width(512))), apply_to = function)") \
    WITH_PRAGMA(clang attribute push(__attribute__((target(names))), apply_to = function))
#define FOR_ALL _Pragma("clang attribute pop") _Pragma("clang attribute pop")
#else
#define UNROLL _Pragma("GCC unroll 32")
#define FOR_INSTRUCTIONS(names) _Pragma("GCC push_options") WITH_PRAGMA(GCC target(names ",prefer-vector-width=512"))
#define FOR_ALL _Pragma("GCC pop_options")
#endif
#define WITH_PRAGMA(text) _Pragma(#text)

// Of each set: LANES, the floats of a vector; BY_LANE, whether an instruction multiplies a vector by one value of another;
// ROWS and VECTORS, the tile of a product whose sums stay in registers (product.h).

#if defined(__x86_64__)
FOR_INSTRUCTIONS("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,bmi,bmi2,fma")
#define LANES 16
#define BY_LANE 0
#define ROWS 8  // 16 sums and 2 vectors of the kernel, of 32 registers
#define VECTORS 2
#define NAME(layer) layer##_avx512
namespace avx512 {
#include "layers.h"
}
FOR_ALL

FOR_INSTRUCTIONS("avx2,bmi,bmi2,fma")
#define LANES 8
#define BY_LANE 0
#define ROWS 2  // 8 sums and 4 vectors of the kernel, of 16 registers
#define VECTORS 4
#define NAME(layer) layer##_avx2
namespace avx2 {
#include "layers.h"
}
FOR_ALL
#endif

#if defined(__aarch64__)
#define LANES 4
#define BY_LANE 1
#define ROWS 4  // 16 sums, 4 vectors of the inputs and 4 of the kernel, of 32 registers
#define VECTORS 4
#define NAME(layer) layer##_neon
namespace neon {
#include "layers.h"
}
#else
#define LANES 4
#define BY_LANE 0
#define ROWS 2
#define VECTORS 8
#define NAME(layer) layer##_any
namespace any {
#include "layers.h"
}
#endif

// The sets that this processor has, the best last.
extern "C" const char *instruction_sets() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") ||
        !__builtin_cpu_supports("bmi2"))
        return "any";
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return "any avx2";
    return "any avx2 avx512";
#elif defined(__aarch64__)
    return "neon";
#else
    return "any";
#endif
}

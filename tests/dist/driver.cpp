// Calls a library of kernels for somebody whose processor is another: calls come in, and what they have made goes out.
//
// A call: the function's name and a newline, then its arguments in order, each as the function takes it; an array as its
// size in bytes (8) and these. The answer: all arrays, as they are afterwards.

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tuple>
#include <vector>

static void take(void *to, size_t size) {
    if (size && fread(to, size, 1, stdin) != 1) exit(3);
}

struct Arrays : std::vector<std::vector<char>> {
    float *add() {
        uint64_t size;
        take(&size, sizeof size);
        emplace_back(size);
        take(back().data(), size);
        return reinterpret_cast<float *>(back().data());
    }
};

template <class T> T argument(Arrays &) {
    T value;
    take(&value, sizeof value);
    return value;
}

template <> float *argument<float *>(Arrays &arrays) { return arrays.add(); }

// Several arrays: how many (8), then each.
static std::vector<std::vector<float *>> lists;
template <> float **argument<float **>(Arrays &arrays) {
    const uint64_t count = argument<uint64_t>(arrays);
    lists.emplace_back();
    for (uint64_t i = 0; i < count; i++) lists.back().push_back(arrays.add());
    return lists.back().data();
}

template <class... T> static void call(void *function, void (*)(T...)) {
    Arrays arrays;
    arrays.reserve(64);
    std::tuple<T...> arguments{argument<T>(arrays)...};
    std::apply(reinterpret_cast<void (*)(T...)>(function), arguments);
    for (const auto &array : arrays) fwrite(array.data(), 1, array.size(), stdout);
    fflush(stdout);
}

using F = float *;
using N = size_t;
using I = int;

template <class... T> static auto takes() -> void (*)(T...) { return nullptr; }

int main(int, char **arguments) {
    void *const library = dlopen(arguments[1], RTLD_NOW);
    if (!library) return fputs(dlerror(), stderr), 2;
    puts(reinterpret_cast<const char *(*)()>(dlsym(library, "instruction_sets"))());
    fflush(stdout);
    char line[80];
    while (fgets(line, sizeof line, stdin)) {
        const std::string symbol(line, std::string(line).size() - 1), name = symbol.substr(0, symbol.rfind('_'));
        void *const function = dlsym(library, symbol.c_str());
        if (!function) return 4;
        if (name == "outermost_down") call(function, takes<F, F, F, N, N, N, I, F, F>());
        else if (name == "down") call(function, takes<F, N, F, F, N, N, N, I, F, F, F>());
        else if (name == "innermost_down") call(function, takes<F, N, F, F, N, N, N, F, F>());
        else if (name == "innermost_up") call(function, takes<F, N, F, F, N, N, N, I, F, F>());
        else if (name == "up") call(function, takes<F, F, N, F, F, N, N, N, I, F, F>());
        else if (name == "outermost_up") call(function, takes<F, F, N, F, F, N, N, I, F, F>());
        else if (name == "dilated") call(function, takes<F, F, F, N, N, F>());
        else if (name == "ratio_masks") call(function, takes<float **, N, F, N, I, I, float, F>());
        else if (name == "overlap_add") call(function, takes<F, F, N, N, N, N, F, F, F, F, F>());
        else return 5;
    }
}

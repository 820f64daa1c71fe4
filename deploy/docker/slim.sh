#!/bin/sh
# Takes out of a folder of Python packages what no running program reads: symbols for debuggers, headers and libraries for
# compilers, stubs for type checkers, and packages' own tests.
set -eu
find "$1" -name '*.so' -type f -exec strip --strip-debug {} +
find "$1" -type d \( -name tests -o -name SelfTest \) -prune -exec rm -rf {} +
find "$1" -type f \( -name '*_tests.*.so' -o -name '_simd.*.so' \) -delete # numpy's
find "$1" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.[ach]' -o -name '*.hpp' \) -delete

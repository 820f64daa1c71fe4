// Everything, for the LANES, BY_LANE, ROWS, VECTORS and NAME that are defined. Each takes what it needs from those above it.

#include "vectors.h"

#include "filtering.h"
#include "product.h"

#include "fourier.h"
#include "loudness.h"
#include "masks.h"
#include "outermost.h"
#include "winograd.h"

#undef LANES
#undef BY_LANE
#undef ROWS
#undef VECTORS
#undef NAME

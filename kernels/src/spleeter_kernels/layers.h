// Everything, for the LANES, ROWS and NAME that are defined.

#include "vectors.h"

#include "product.h"

#include "winograd.h"

#include "innermost.h"

#include "outermost.h"

#include "masks.h"

#undef LANES
#undef ROWS
#undef NAME

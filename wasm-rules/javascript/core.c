/* QuickJS as policies have it. */
#include "alone.h"

#include "cutils.h"

/* QuickJS looks at its stack, so that a script that calls itself for ever gets an exception and not a trap; but not
 * where __wasi__ is defined. The headers need that name, and they are read by now. There is one thread. */
#undef __wasi__
#define __STDC_NO_ATOMICS__ 1

#include "quickjs.c"

/* QuickJS as policies have it. */
#include "alone.h"

#include "cutils.h"

/* QuickJS looks at its stack, so that a script that calls itself for ever gets an exception and not a trap; but not
 * where __wasi__ is defined. The headers need that name, and they are read by now. There is one thread. */
#undef __wasi__
#define __STDC_NO_ATOMICS__ 1

#include "quickjs.c"

/* -- where a script is ------------------------------------------------------------------------------------------ */

/* Looks at a script at each place where QuickJS may stop it (a loop's end, a call), and not at each ten thousandth. */
static uint32_t seen, last;

static int look(JSRuntime *runtime, void *opaque) {
  ((JSContext *)opaque)->interrupt_counter = 1;
  return ++seen == last;
}

uint32_t stop_at(JSContext *context, uint32_t place) {
  uint32_t before = seen;
  seen = 0;
  last = place;
  context->interrupt_counter = 1;
  JS_SetInterruptHandler(JS_GetRuntime(context), look, context);
  return before;
}

/* Reads the input of a call. */
#pragma once
#include "quickjs.h"

/* The JSON text at `text`, whose byte at `length` is the caller's as well, as a value; or an exception. */
JSValue read_input(JSContext *context, char *text, size_t length);

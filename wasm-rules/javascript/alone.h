/* What the C library would ask an operating system for. There is none: nothing is printed, and no time passes. */
#pragma once
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define abort() __builtin_trap()
#define printf(...) ((void)0)
#define fprintf(...) ((void)0)
#define vfprintf(...) ((void)0)
#undef putchar
#define putchar(byte) ((void)(byte))
#undef fwrite
#define fwrite(...) ((void)0)
#define gettimeofday(now, zone) ((now)->tv_sec = 0, (now)->tv_usec = 0, 0)
#define clock_gettime(clock, now) ((now)->tv_sec = 0, (now)->tv_nsec = 0, 0)
/* Everybody's time zone. */
#define localtime_r(when, broken_down) gmtime_r(when, broken_down)

/* The C library reads numbers in quadruple precision, which costs a policy thousands of instructions for each moment
 * in its input. Fifteen digits are exact as they are. */
static inline double number_of(const char *text, char **end) {
  const char *at = text + (*text == '-');
  int64_t whole = 0;
  int digits = 0;
  while (at[digits] >= '0' && at[digits] <= '9' && digits < 16) whole = whole * 10 + (at[digits++] - '0');
  char next = at[digits];
  if (digits == 0 || digits > 15 || whole == 0 || next == '.' || (next | 0x20) == 'e') return strtod(text, end);
  if (end) *end = (char *)at + digits;
  return (double)(*text == '-' ? -whole : whole);
}
#define strtod(text, end) number_of(text, end)

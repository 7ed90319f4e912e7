/* What a policy in C needs of the contract: a reader of the input, a writer of the answer, the exports.
 *
 * One header, no library: the module has no imports. Include it once and write
 *     static void merge(cursor in, answer *out);
 * An answer that is left empty is no opinion: the built-in merge stands.
 */
#ifndef PRESENCE_H
#define PRESENCE_H

#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

/* ---- memory: an instance lives for one call, so nothing is ever freed ---- */

extern unsigned char __heap_base;

static uintptr_t heap_next;

static void *take(size_t length) {
  uintptr_t start = (heap_next ? heap_next : (uintptr_t)&__heap_base) + 7 & ~(uintptr_t)7;
  uintptr_t end = start + length;
  uintptr_t have = __builtin_wasm_memory_size(0) * 65536;
  if (end < start) return NULL;
  if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) / 65536) == (size_t)-1) return NULL;
  heap_next = end;
  return (void *)start;
}

/* ---- text that lies in the input ---- */

typedef struct { const char *at; const char *end; } text;

static int is(text a, const char *b) {
  const char *at = a.at;
  while (at < a.end && *b && *at == *b) at++, b++;
  return at == a.end && !*b;
}

/* ---- the reader: walks over members and items, builds nothing, and goes no deeper than it is asked ----
 *
 *     cursor devices = in;
 *     if (member(&devices, "publications"))
 *       for (each(&devices); more(&devices); skip(&devices)) ... devices stands at one of them ...
 */

typedef struct { const char *at; const char *end; } cursor;

static int peek(cursor *c) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t')) c->at++;
  return c->at < c->end ? *c->at : -1;
}

static int eat(cursor *c, int byte) {
  if (peek(c) != byte) return 0;
  c->at++;
  return 1;
}

/* The string that is here, as it is written: escapes are left alone. Empty where there is none. */
static text string(cursor *c) {
  text none = {c->at, c->at};
  if (!eat(c, '"')) return none;
  text found = {c->at, c->at};
  while (c->at < c->end && *c->at != '"') c->at += *c->at == '\\' ? 2 : 1;
  if (c->at >= c->end) return none;
  found.end = c->at++;
  return found;
}

static int64_t integer(cursor *c) {
  int64_t value = 0;
  int negative = eat(c, '-');
  while (c->at < c->end && *c->at >= '0' && *c->at <= '9') value = value * 10 + (*c->at++ - '0');
  return negative ? -value : value;
}

/* Over a whole value, however deep: brackets are counted, not recursed into. */
static void skip(cursor *c) {
  int depth = 0;
  do {
    int byte = peek(c);
    if (byte < 0) return;
    if (byte == '"') string(c);
    else {
      c->at++;
      if (byte == '{' || byte == '[') depth++;
      else if (byte == '}' || byte == ']') depth--;
      else if (byte != ',' && byte != ':')
        while (c->at < c->end && *c->at != ',' && *c->at != '}' && *c->at != ']') c->at++;
    }
  } while (depth > 0);
}

/* Steps into a list; `more` is true as long as an item follows. */
static void each(cursor *c) { eat(c, '['); }

static int more(cursor *c) {
  eat(c, ',');
  return peek(c) >= 0 && peek(c) != ']';
}

/* From an object to the value of a member; false, and nowhere, where there is none. */
static int member(cursor *c, const char *name) {
  if (eat(c, '{'))
    while (peek(c) == '"') {
      text found = string(c);
      eat(c, ':');
      if (is(found, name)) return peek(c) >= 0;
      skip(c);
      eat(c, ',');
    }
  c->at = c->end;
  return 0;
}

/* Whether a list of words, which is a member of this object, holds this one. */
static int lists(cursor object, const char *name, const char *word) {
  if (!member(&object, name)) return 0;
  for (each(&object); more(&object);)
    if (peek(&object) == '"' ? is(string(&object), word) : (skip(&object), 0)) return 1;
  return 0;
}

/* ---- the writer ---- */

typedef struct { char *start; char *at; char *end; } answer;

static void put(answer *out, const char *literal) {
  while (*literal && out->at < out->end) *out->at++ = *literal++;
}

/* A text of the input between quotes: it was escaped there, and goes out as it came. */
static void quote(answer *out, text t) {
  put(out, "\"");
  while (t.at < t.end && out->at < out->end) *out->at++ = *t.at++;
  put(out, "\"");
}

/* ---- the exports of the contract ---- */

static void merge(cursor in, answer *out);

EXPORT("presence_policy_abi_1") void presence_policy_abi_1(void) {}

EXPORT("pp_alloc") void *pp_alloc(size_t length) { return take(length); }

EXPORT("pp_merge") uint64_t pp_merge(const char *input, size_t length) {
  enum { MOST = 16384 };
  char *start = take(MOST);
  if (!start) __builtin_trap();
  answer out = {start, start, start + MOST};
  merge((cursor){input, input + length}, &out);
  return out.at == start ? 0 : (uint64_t)(uintptr_t)start << 32 | (uint64_t)(out.at - start);
}

#endif

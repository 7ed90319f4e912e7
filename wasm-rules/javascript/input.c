/* Reads the input of a call: JSON that the host wrote, without spaces between its parts and with whole numbers only.
 * QuickJS's own reader takes twice the fuel; what is not so plain goes to that one, which knows all of JSON. */
#include "input.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The grammar of the contract has no more levels. */
#define MOST_LEVELS 64

struct reader {
  JSContext *context;
  char *at;
  char *end;
  int levels;
};

static JSValue value(struct reader *in);

static bool take(struct reader *in, char byte) {
  if (in->at >= in->end || *in->at != byte) return false;
  in->at++;
  return true;
}

/* The end of the string that begins after `at`, at its closing quote; whether something in it is escaped. NULL where it
 * does not end. */
static char *string_end(char *at, char *end, bool *escaped) {
  *escaped = false;
  for (; at < end && *at != '"'; at++)
    if (*at == '\\') {
      *escaped = true;
      at++;
    }
  return at < end ? at : NULL;
}

static JSValue broken(struct reader *in) { return JS_ThrowSyntaxError(in->context, "the input is no JSON"); }

static JSValue string(struct reader *in) {
  char *start = in->at;
  bool escaped;
  char *quote = string_end(start + 1, in->end, &escaped);
  if (!quote) return broken(in);
  in->at = quote + 1;
  if (!escaped) return JS_NewStringLen(in->context, start + 1, (size_t)(quote - start - 1));
  char kept = *in->at;
  *in->at = 0;
  JSValue text = JS_ParseJSON(in->context, start, (size_t)(in->at - start), "input");
  *in->at = kept;
  return text;
}

static JSValue number(struct reader *in) {
  bool negative = take(in, '-');
  const char *first = in->at;
  int64_t whole = 0;
  for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++) {
    if (in->at - first == 17) return broken(in);
    whole = whole * 10 + (*in->at - '0');
  }
  if (in->at == first || (*first == '0' && in->at - first > 1)) return broken(in);
  if (negative && whole == 0) return JS_NewFloat64(in->context, -0.0);
  return JS_NewInt64(in->context, negative ? -whole : whole);
}

static JSValue list(struct reader *in) {
  JSValue array = JS_NewArray(in->context);
  in->at++;
  if (take(in, ']')) return array;
  for (uint32_t count = 0;; count++) {
    JSValue item = value(in);
    if (JS_IsException(item) || JS_DefinePropertyValueUint32(in->context, array, count, item, JS_PROP_C_W_E) < 0)
      return JS_EXCEPTION;
    if (take(in, ']')) return array;
    if (!take(in, ',')) return broken(in);
  }
}

static JSValue object(struct reader *in) {
  JSValue made = JS_NewObject(in->context);
  in->at++;
  if (take(in, '}')) return made;
  do {
    if (in->at >= in->end || *in->at != '"') return broken(in);
    bool escaped;
    char *name = in->at + 1, *quote = string_end(name, in->end, &escaped);
    if (!quote) return broken(in);
    JSAtom member;
    if (escaped) {
      JSValue text = string(in);
      if (JS_IsException(text)) return text;
      member = JS_ValueToAtom(in->context, text);
    } else {
      member = JS_NewAtomLen(in->context, name, (size_t)(quote - name));
      in->at = quote + 1;
    }
    if (member == JS_ATOM_NULL || !take(in, ':')) return broken(in);
    JSValue item = value(in);
    if (JS_IsException(item) || JS_DefinePropertyValue(in->context, made, member, item, JS_PROP_C_W_E) < 0)
      return JS_EXCEPTION;
    JS_FreeAtom(in->context, member);
  } while (take(in, ','));
  return take(in, '}') ? made : broken(in);
}

static JSValue word(struct reader *in, const char *text, JSValue meaning) {
  size_t length = strlen(text);
  if ((size_t)(in->end - in->at) < length || memcmp(in->at, text, length) != 0) return broken(in);
  in->at += length;
  return meaning;
}

static JSValue value(struct reader *in) {
  if (in->at >= in->end || in->levels == MOST_LEVELS) return broken(in);
  in->levels++;
  JSValue read;
  switch (*in->at) {
  case '"':
    read = string(in);
    break;
  case '{':
    read = object(in);
    break;
  case '[':
    read = list(in);
    break;
  case 't':
    read = word(in, "true", JS_TRUE);
    break;
  case 'f':
    read = word(in, "false", JS_FALSE);
    break;
  case 'n':
    read = word(in, "null", JS_NULL);
    break;
  default:
    read = number(in);
  }
  in->levels--;
  return read;
}

JSValue read_input(JSContext *context, char *text, size_t length) {
  struct reader in = {context, text, text + length, 0};
  JSValue read = value(&in);
  if (!JS_IsException(read) && in.at == in.end) return read;
  /* Spaces, an exponent: somebody wrote this by hand. */
  JS_FreeValue(context, JS_GetException(context));
  text[length] = 0;
  return JS_ParseJSON(context, text, length, "input");
}

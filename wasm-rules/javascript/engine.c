/* The engine that runs a policy written in JavaScript: QuickJS behind the ABI of CONTRACT.md.
 *
 * It lives twice. First the host hands it the script (`pp_script`), which is compiled and run as an ES module, up
 * to where its functions are defined; then the host lays the memory as it is by then into a copy of this module.
 * That copy is the policy: each call of it begins with the script compiled.
 *
 * What a script may use is ECMAScript without a clock, without randomness, and without anything to import. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "quickjs.h"

#define EXPORT(name) __attribute__((export_name(#name), used))
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

IMPORT("presence", "log") void presence_log(const char *text, uint32_t length);

/* core.c */
uint32_t stop_at(JSContext *context, uint32_t place);

/* What scripts are called in error texts. */
#define FILE_NAME "policy.js"
/* Of the 192 KiB that the linker lays out: the rest is for what QuickJS calls between two looks at the stack. */
#define STACK_BYTES (96 * 1024)
/* Grown once, while the script is loaded: growing in a call costs fuel. */
#define ROOM_BYTES (1024 * 1024)

static JSContext *context;
static JSValue merge_hook, view_hook, params_hook;

/* What JavaScript says better than C. Fixed errors where a policy would stop being a function of its input. */
static const char PRELUDE[] =
    "(log => {\n"
    "  const refuse = advice => () => { throw new Error(advice); };\n"
    "  const clock = refuse('policies have no clock: use input.now_ms, and input.local_time for the time of day');\n"
    "  Math.random = refuse('policies have no randomness: the same input gives the same answer');\n"
    "  const RealDate = Date;\n"
    "  globalThis.Date = class Date extends RealDate {\n"
    "    constructor(...given) { if (given.length === 0) clock(); super(...given); }\n"
    "    static now() { clock(); }\n"
    "  };\n"
    "  RealDate.prototype.constructor = globalThis.Date;\n"
    "  const word = value => typeof value === 'string' ? value\n"
    "    : value instanceof Error || typeof value !== 'object' ? String(value) : JSON.stringify(value);\n"
    "  const line = (...words) => log(words.map(word).join(' '));\n"
    "  globalThis.console = { log: line, info: line, debug: line, warn: line, error: line };\n"
    "})";

/* -- answers ---------------------------------------------------------------------------------------------------- */

static uint64_t answer(JSValue text) {
  size_t length;
  /* Kept until the instance is dropped. */
  const char *bytes = JS_ToCStringLen(context, &length, text);
  if (!bytes) __builtin_trap();
  return (uint64_t)(uintptr_t)bytes << 32 | length;
}

static uint64_t answer_json(JSValue value) {
  JSValue text = JS_JSONStringify(context, value, JS_UNDEFINED, JS_UNDEFINED);
  if (JS_IsException(text) || JS_IsUndefined(text)) __builtin_trap();
  return answer(text);
}

/* The last "policy.js:LINE:COLUMN" before the end of the first line of the stack that has one: where it was thrown. */
static bool place_of(const char *stack, long *line, long *column) {
  const char *found = strstr(stack, FILE_NAME ":");
  if (!found) return false;
  char *end;
  *line = strtol(found + sizeof FILE_NAME, &end, 10);
  *column = *end == ':' ? strtol(end + 1, NULL, 10) : 0;
  return *line > 0;
}

static void set_text(JSValue object, const char *name, const char *text) {
  JS_SetPropertyStr(context, object, name, JS_NewString(context, text));
}

/* {"abi":1,"error":{"code":..,"message":..}}, with line and column where they are known. */
static uint64_t failure(const char *code, const char *message, long line, long column) {
  JSValue error = JS_NewObject(context), whole = JS_NewObject(context);
  set_text(error, "code", code);
  set_text(error, "message", message);
  if (line) {
    JS_SetPropertyStr(context, error, "line", JS_NewInt32(context, (int32_t)line));
    JS_SetPropertyStr(context, error, "column", JS_NewInt32(context, (int32_t)column));
  }
  JS_SetPropertyStr(context, whole, "abi", JS_NewInt32(context, 1));
  JS_SetPropertyStr(context, whole, "error", error);
  return answer_json(whole);
}

/* The pending exception as an answer: "TypeError: not a function (line 3, column 14)". */
static uint64_t exception(const char *code) {
  JSValue thrown = JS_GetException(context);
  const char *text = JS_ToCString(context, thrown);
  if (!text) {
    JS_FreeValue(context, JS_GetException(context));
    text = "something that cannot be shown was thrown";
  }
  long line = 0, column = 0;
  if (JS_IsError(thrown)) {
    JSValue stack = JS_GetPropertyStr(context, thrown, "stack");
    const char *lines = JS_ToCString(context, stack);
    if (lines) place_of(lines, &line, &column);
  }
  if (!line) return failure(code, text, 0, 0);
  size_t most = strlen(text) + 64;
  char *message = malloc(most);
  if (!message) __builtin_trap();
  char number[2][12];
  for (int at = 0; at < 2; at++) {
    long value = at ? column : line;
    char *end = number[at] + sizeof number[at] - 1;
    *end = 0;
    do *--end = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    memmove(number[at], end, strlen(end) + 1);
  }
  strcpy(message, text);
  strcat(message, " (line ");
  strcat(message, number[0]);
  strcat(message, ", column ");
  strcat(message, number[1]);
  strcat(message, ")");
  return failure(code, message, line, column);
}

/* -- the script ------------------------------------------------------------------------------------------------- */

static JSValue log_line(JSContext *of, JSValueConst this_value, int count, JSValueConst *given) {
  size_t length;
  const char *text = JS_ToCStringLen(of, &length, count ? given[0] : JS_UNDEFINED);
  if (!text) return JS_EXCEPTION;
  presence_log(text, (uint32_t)length);
  JS_FreeCString(of, text);
  return JS_UNDEFINED;
}

static JSModuleDef *no_module(JSContext *of, const char *name, void *opaque) {
  JS_ThrowSyntaxError(of, "a policy stands alone: '%s' cannot be imported", name);
  return NULL;
}

static bool boot(void) {
  JSRuntime *runtime = JS_NewRuntime();
  if (!runtime) return false;
  JS_SetMaxStackSize(runtime, STACK_BYTES);
  JS_SetModuleLoaderFunc(runtime, NULL, no_module, NULL);
  context = JS_NewContextRaw(runtime);
  if (!context || JS_AddIntrinsicBaseObjects(context) || JS_AddIntrinsicDate(context) ||
      JS_AddIntrinsicEval(context) || JS_AddIntrinsicRegExp(context) || JS_AddIntrinsicJSON(context) ||
      JS_AddIntrinsicMapSet(context) || JS_AddIntrinsicPromise(context))
    return false;
  JSValue prelude = JS_Eval(context, PRELUDE, sizeof PRELUDE - 1, "prelude", JS_EVAL_TYPE_GLOBAL);
  JSValue log = JS_NewCFunction(context, log_line, "log", 1);
  JSValue done = JS_Call(context, prelude, JS_UNDEFINED, 1, (JSValueConst *)&log);
  JS_FreeValue(context, prelude);
  JS_FreeValue(context, log);
  return !JS_IsException(done);
}

/* Compiles and runs the module; its namespace, or an exception. */
static JSValue load(const char *script, size_t length) {
  JSValue compiled =
      JS_Eval(context, script, length, FILE_NAME, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(compiled)) return compiled;
  JSModuleDef *module = JS_VALUE_GET_PTR(compiled);
  JSValue done = JS_EvalFunction(context, compiled);
  if (JS_IsException(done)) return done;
  JSContext *of;
  while (JS_ExecutePendingJob(JS_GetRuntime(context), &of) > 0) {
  }
  switch (JS_PromiseState(context, done)) {
  case JS_PROMISE_REJECTED:
    return JS_Throw(context, JS_PromiseResult(context, done));
  case JS_PROMISE_PENDING:
    return JS_ThrowTypeError(context, "the script waits for something that never comes: there is nothing to await");
  default:
    return JS_GetModuleNamespace(context, module);
  }
}

static bool hook(JSValue exports, const char *name, JSValue *place) {
  *place = JS_GetPropertyStr(context, exports, name);
  return JS_IsFunction(context, *place);
}

/* {"abi":1,"hooks":["pp_merge",..],"manifest":..}, or an error. */
EXPORT(pp_script) uint64_t pp_script(char *script, uint32_t length) {
  if (!boot()) __builtin_trap();
  script[length] = 0;
  JSValue exports = load(script, length);
  if (JS_IsException(exports)) return exception("script");
  const char *const names[] = {"merge", "view", "params"};
  JSValue *const places[] = {&merge_hook, &view_hook, &params_hook};
  JSValue said = JS_NewObject(context), hooks = JS_NewArray(context);
  uint32_t found = 0;
  for (int at = 0; at < 3; at++) {
    if (hook(exports, names[at], places[at])) {
      char export[16] = "pp_";
      strcat(export, names[at]);
      JS_SetPropertyUint32(context, hooks, found++, JS_NewString(context, export));
    } else if (!JS_IsUndefined(*places[at])) {
      return failure("script", "`merge`, `view` and `params` are functions where they are exported", 0, 0);
    }
  }
  JS_SetPropertyStr(context, said, "abi", JS_NewInt32(context, 1));
  JS_SetPropertyStr(context, said, "hooks", hooks);
  JS_SetPropertyStr(context, said, "manifest", JS_GetPropertyStr(context, exports, "manifest"));
  /* From here on what a call allocates goes with its instance; cycles are not worth looking for. */
  JS_RunGC(JS_GetRuntime(context));
  JS_SetGCThreshold(JS_GetRuntime(context), (size_t)-1);
  void *volatile room = malloc(ROOM_BYTES);
  free(room);
  JSValue text = JS_JSONStringify(context, said, JS_UNDEFINED, JS_UNDEFINED);
  if (JS_IsException(text)) return exception("script");
  return answer(text);
}

/* Has the next call stopped at the so many-th place where that is possible, none for 0, with an exception that tells
 * where it is. Returns how many places the calls since the last time came by: so a host finds where one that it stopped
 * itself was, by calling twice. */
EXPORT(pp_stop_at) uint32_t pp_stop_at(uint32_t place) { return stop_at(context, place); }

/* -- the contract ----------------------------------------------------------------------------------------------- */

EXPORT(presence_policy_abi_1) void presence_policy_abi_1(void) {}

/* One byte more: QuickJS wants its texts to end in 0. */
EXPORT(pp_alloc) char *pp_alloc(uint32_t length) { return malloc((size_t)length + 1); }

/* An answer that left "abi" out, with it. */
static uint64_t with_abi(uint64_t whole) {
  static const char head[] = "{\"abi\":1,";
  const char *text = (const char *)(uintptr_t)(whole >> 32);
  uint32_t length = (uint32_t)whole, before = sizeof head - 1;
  char *made = malloc(before + length);
  if (!made) __builtin_trap();
  memcpy(made, head, before);
  memcpy(made + before, text + 1, length - 1);
  uint32_t all = before + length - 1;
  /* Nothing else in it. */
  if (length == 2) made[--all - 1] = '}';
  return (uint64_t)(uintptr_t)made << 32 | all;
}

/* Calls a hook. 0 for no opinion (null, undefined), or its answer. */
static uint64_t call(JSValue function, JSValue given) {
  if (JS_IsException(given)) return exception("input");
  JSValue said = JS_Call(context, function, JS_UNDEFINED, 1, (JSValueConst *)&given);
  if (JS_IsException(said)) return exception("exception");
  if (JS_IsNull(said) || JS_IsUndefined(said)) return 0;
  if (JS_IsPromise(said)) return failure("exception", "an async function answers too late: return the answer itself", 0, 0);
  if (!JS_IsObject(said) || JS_IsArray(said) || JS_IsFunction(context, said))
    return failure("exception", "the answer is no object: return { set: ... }, or null for the built-in merge", 0, 0);
  JSValue abi = JS_GetPropertyStr(context, said, "abi");
  JSValue text = JS_JSONStringify(context, said, JS_UNDEFINED, JS_UNDEFINED);
  if (JS_IsException(text)) return exception("exception");
  uint64_t whole = answer(text);
  return JS_IsUndefined(abi) ? with_abi(whole) : whole;
}

EXPORT(pp_merge) uint64_t pp_merge(char *input, uint32_t length) {
  return call(merge_hook, read_input(context, input, length));
}

EXPORT(pp_view) uint64_t pp_view(char *input, uint32_t length) {
  return call(view_hook, read_input(context, input, length));
}

/* `params(params)` throws, or returns a text, where the parameters are not good. */
EXPORT(pp_params) uint64_t pp_params(char *input, uint32_t length) {
  JSValue given = read_input(context, input, length);
  if (JS_IsException(given)) return exception("input");
  JSValue params = JS_GetPropertyStr(context, given, "params");
  JSValue said = JS_Call(context, params_hook, JS_UNDEFINED, 1, (JSValueConst *)&params);
  if (JS_IsException(said)) return exception("params");
  if (!JS_IsString(said)) return 0;
  return failure("params", JS_ToCString(context, said), 0, 0);
}

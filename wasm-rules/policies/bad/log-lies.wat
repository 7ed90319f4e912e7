;; Logs from places outside its memory; a log line changes no answer.
;; expect: call none
(module
  (import "presence" "log" (func $log (param i32 i32)))
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (call $log (i32.const -1) (i32.const -1))
    (call $log (i32.const 262143) (i32.const 100))
    (i64.const 0))
)

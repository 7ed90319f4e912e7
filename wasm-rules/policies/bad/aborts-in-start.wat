;; Calls abort before it is asked anything.
;; expect: call E201
(module
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func $now (call $abort (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
  (start $now)
  (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
)

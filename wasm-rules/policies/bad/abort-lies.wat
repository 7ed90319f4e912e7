;; Aborts with pointers that lead nowhere.
;; expect: call E201
(module
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (call $abort (i32.const -1) (i32.const 3) (i32.const 0) (i32.const 0))
    (i64.const 0))
)

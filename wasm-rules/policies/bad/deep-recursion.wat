;; Calls itself until the stack is gone.
;; expect: call E201
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func $deeper (param i64 i64 i64 i64) (result i64)
    (i64.add
      (call $deeper (local.get 1) (local.get 2) (local.get 3) (i64.add (local.get 0) (i64.const 1)))
      (local.get 0)))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (call $deeper (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)))
)

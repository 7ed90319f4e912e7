;; Copies from beyond the end of its memory.
;; expect: call E201
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (memory.copy (i32.const 0) (i32.const 65000) (i32.const 100000))
    (i64.const 0))
)

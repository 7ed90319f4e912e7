;; Lays its data outside of its memory, which shows when an instance is made.
;; expect: call E201
(module
  (memory (export "memory") 1 4)
  (data (i32.const 65530) "too far out")
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
)

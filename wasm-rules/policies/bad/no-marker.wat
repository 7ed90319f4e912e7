;; Does not say which contract it keeps.
;; expect: check E132
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_one"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
)

;; Has a table of a million places.
;; expect: check E140
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (table 1000000 funcref)
  (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
)

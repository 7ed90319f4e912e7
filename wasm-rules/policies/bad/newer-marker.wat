;; Keeps a contract that this host does not know.
;; expect: check E132
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_2"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
)

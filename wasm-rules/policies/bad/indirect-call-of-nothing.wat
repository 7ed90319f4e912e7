;; Calls a place of its table that is empty.
;; expect: call E201
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (type $hook (func (param i32 i32) (result i64)))
  (table 4 funcref)
  (func (export "pp_merge") (param i32 i32) (result i64)
    (call_indirect (type $hook) (local.get 0) (local.get 1) (i32.const 2)))
)

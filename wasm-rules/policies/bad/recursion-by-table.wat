;; Calls itself through its table, where no compiler sees that it does.
;; expect: call E201
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (type $hook (func (param i32 i32) (result i64)))
  (table funcref (elem $merge))
  (func $merge (export "pp_merge") (param i32 i32) (result i64)
    (i64.add (i64.const 1) (call_indirect (type $hook) (local.get 0) (local.get 1) (i32.const 0))))
)

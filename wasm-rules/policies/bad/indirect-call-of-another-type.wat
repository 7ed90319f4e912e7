;; Calls a function of its table as if it had another type.
;; expect: call E201
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (type $other (func (result f64)))
  (table funcref (elem $merge))
  (func $merge (export "pp_merge") (param i32 i32) (result i64)
    (drop (call_indirect (type $other) (i32.const 0)))
    (i64.const 0))
)

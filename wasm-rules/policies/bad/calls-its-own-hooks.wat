;; Asks for room and merges inside of a merge.
;; expect: call E201
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func $alloc (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func $merge (export "pp_merge") (param i32 i32) (result i64)
    (call $merge (call $alloc (local.get 1)) (local.get 1)))
)

;; Makes a reference out of a number, which some engines take with that feature off.
;; expect: check E110
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (drop (ref.i31 (i32.const 1)))
    (i64.const 0))
)

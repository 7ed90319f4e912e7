;; Throws.
;; expect: check E110
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (tag $oops)
  (func (export "pp_merge") (param i32 i32) (result i64) (throw $oops))
)

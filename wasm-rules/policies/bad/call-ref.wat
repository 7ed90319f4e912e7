;; Calls through a typed reference, which some engines take with that feature off.
;; expect: check E110
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (type $f (func (result i64)))
  (elem declare func $zero)
  (func $zero (type $f) (i64.const 0))
  (func (export "pp_merge") (param i32 i32) (result i64) (call_ref $f (ref.func $zero)))
)

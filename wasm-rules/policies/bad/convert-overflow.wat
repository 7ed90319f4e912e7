;; Makes an integer of a number that is none.
;; expect: call E201
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (i64.trunc_f64_s (f64.div (f64.const 0) (f64.const 0))))
)

;; Traps in pp_merge, one function down.
;; expect: call E201
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func $divide (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
  (func (export "pp_merge") (param i32 i32) (result i64) (i64.extend_i32_u (call $divide (i32.const 0))))
)

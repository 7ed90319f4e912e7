;; Wants to share a memory with its host.
;; expect: check E120
(module
  (import "env" "memory" (memory 1 4))
  (export "memory" (memory 0))
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
)

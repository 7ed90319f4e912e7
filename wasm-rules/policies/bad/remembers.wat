;; Counts its calls in its memory and traps on the second: no instance lives that long.
;; expect: call none
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (if (i32.load (i32.const 512)) (then (unreachable)))
    (i32.store (i32.const 512) (i32.const 1))
    (i64.const 0))
)

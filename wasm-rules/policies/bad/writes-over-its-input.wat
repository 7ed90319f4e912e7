;; Writes over the input it was given, the whole memory long.
;; expect: call none
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (memory.fill (i32.const 0) (i32.const 255) (i32.const 65536))
    (i64.const 0))
)

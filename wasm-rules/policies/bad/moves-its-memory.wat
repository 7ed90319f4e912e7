;; Grows its memory between the copy in and the copy out.
;; expect: call none
(module
  (memory (export "memory") 1 64)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (drop (memory.grow (i32.const 63)))
    (i64.const 0))
)

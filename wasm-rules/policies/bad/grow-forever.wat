;; Asks for memory that it never gets, again and again.
;; expect: call E204
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (loop $again
      (drop (memory.grow (i32.const 65535)))
      (br $again))
    (i64.const 0))
)

;; Fills four megabytes again and again: cheap to write, dear to run.
;; expect: call E204
(module
  (memory (export "memory") 64 64)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 4194304))
      (br $again))
    (i64.const 0))
)

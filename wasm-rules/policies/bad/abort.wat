;; Gives up the way AssemblyScript does, with a message that tries to break a log line.
;; expect: call E201
(module
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (data (i32.const 16) "\0a\00\00\00n\00o\00\0a\00w\00!\00")
  (func (export "pp_merge") (param i32 i32) (result i64)
    (call $abort (i32.const 20) (i32.const 0) (i32.const 3) (i32.const 7))
    (i64.const 0))
)

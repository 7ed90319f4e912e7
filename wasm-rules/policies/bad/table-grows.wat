;; Grows its table, for which references are needed.
;; expect: check E110
(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (table $t 1 1024 funcref)
  (func (export "pp_merge") (param i32 i32) (result i64)
    (loop $again
      (drop (table.grow $t (ref.null func) (i32.const 1)))
      (br $again))
    (i64.const 0))
)

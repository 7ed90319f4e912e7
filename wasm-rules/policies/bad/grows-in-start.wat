;; Takes all the memory there is before it is asked anything; it is gone with the instance.
;; expect: call none
(module
  (memory (export "memory") 1 64)
  (func (export "presence_policy_abi_1"))
  (func $greedy (drop (memory.grow (i32.const 63))))
  (start $greedy)
  (func (export "pp_alloc") (param i32) (result i32)
    ;; Refuses, should anybody have been here before.
    (select (i32.const 1024) (i32.const 0) (i32.eq (memory.size) (i32.const 64))))
  (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
)

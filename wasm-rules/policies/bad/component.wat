;; A component, which is another kind of file.
;; expect: check E102
(component)

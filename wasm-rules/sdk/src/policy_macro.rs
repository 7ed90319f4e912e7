//! The macro that makes a function a policy.

/// Declares the crate to be a policy.
///
/// `name`, `summary` and `merge` are needed (a `merge` that does nothing leaves that to the server). The others may
/// stand in this order: `version`, `license`, `privacy` (`true` where the policy hides things, so that its failure
/// must not fail open), `view_key` (`"identity"` for a view of each watcher, by name), `needs` (the members of the
/// input that `merge` uses, `["now_ms", "dialogs"]`: the host sends no others), `params_schema` (a JSON schema as a
/// string literal); and behind `merge` `view` (a function that takes away from what a class of watchers sees) and
/// `params` (a function that looks at the operator's parameters and returns `Err` with a sentence for them).
#[macro_export]
macro_rules! policy {
    (
        name: $name:literal,
        summary: $summary:literal,
        $(version: $version:literal,)?
        $(license: $license:literal,)?
        $(privacy: $privacy:literal,)?
        $(view_key: $view_key:literal,)?
        $(needs: [$need:literal $(, $more:literal)* $(,)?],)?
        $(params_schema: $schema:literal,)?
        merge: $merge:ident
        $(, view: $view:ident)?
        $(, params: $params:ident)?
        $(,)?
    ) => {
        #[doc(hidden)]
        #[cfg_attr(not(target_family = "wasm"), allow(dead_code, reason = "the exports are for wasm"))]
        mod presence_policy {
            const MANIFEST: &str = ::core::concat!(
                "{\"name\":\"", $name, "\"",
                $(",\"version\":\"", $version, "\"",)?
                ",\"abi\":1,\"input_minor\":0,\"hooks\":[\"pp_merge\"",
                $($crate::policy!(@hook_view $view),)?
                $($crate::policy!(@hook $params),)?
                "]",
                $(",\"privacy\":", $privacy,)?
                $(",\"view_key\":\"", $view_key, "\"",)?
                $(",\"needs\":[\"", $need, "\"", $(",\"", $more, "\"",)* "]",)?
                ",\"summary\":\"", $summary, "\"",
                $(",\"license\":\"", $license, "\"",)?
                $(",\"params_schema\":", $schema,)?
                ",\"build\":\"policy-sdk\"}"
            );

            #[cfg(target_family = "wasm")]
            #[used]
            #[unsafe(link_section = "presence-policy")]
            static SECTION: [u8; MANIFEST.len()] = $crate::guest::bytes(MANIFEST);

            #[cfg(target_family = "wasm")]
            #[global_allocator]
            static ALLOCATOR: $crate::guest::Bump = $crate::guest::Bump;

            #[cfg(target_family = "wasm")]
            #[panic_handler]
            fn panic(_: &::core::panic::PanicInfo<'_>) -> ! {
                $crate::guest::trap()
            }

            #[cfg(target_family = "wasm")]
            #[unsafe(no_mangle)]
            extern "C" fn presence_policy_abi_1() {}

            #[cfg(target_family = "wasm")]
            #[unsafe(no_mangle)]
            extern "C" fn pp_alloc(length: usize) -> *mut u8 {
                $crate::guest::alloc(length)
            }

            /// # Safety
            /// The host calls this with what `pp_alloc` returned, filled.
            #[cfg(target_family = "wasm")]
            #[unsafe(no_mangle)]
            unsafe extern "C" fn pp_merge(pointer: *const u8, length: usize) -> u64 {
                // SAFETY: handed through from the host, which keeps the contract.
                unsafe { $crate::guest::merge(pointer, length, super::$merge) }
            }

            $($crate::policy!(@view $view);)?
            $($crate::policy!(@params $params);)?
        }
    };
    (@hook $params:ident) => { ",\"pp_params\"" };
    (@hook_view $view:ident) => { ",\"pp_view\"" };
    (@view $view:ident) => {
        /// # Safety
        /// The host calls this with what `pp_alloc` returned, filled.
        #[cfg(target_family = "wasm")]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn pp_view(pointer: *const u8, length: usize) -> u64 {
            // SAFETY: handed through from the host, which keeps the contract.
            unsafe { $crate::guest::view(pointer, length, super::$view) }
        }
    };
    (@params $params:ident) => {
        /// # Safety
        /// The host calls this with what `pp_alloc` returned, filled.
        #[cfg(target_family = "wasm")]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn pp_params(pointer: *const u8, length: usize) -> u64 {
            // SAFETY: handed through from the host, which keeps the contract.
            unsafe { $crate::guest::params(pointer, length, super::$params) }
        }
    };
}

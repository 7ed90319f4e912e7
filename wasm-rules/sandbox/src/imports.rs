//! The two functions a policy may import: `presence.log` and `env.abort`.

use merge_core::policy::limits;
use policy_check::prices::LOG_CALL;
use wasmtime::{Caller, Engine, Extern, Linker, Trap};

/// What the host keeps of one call.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) log: Vec<String>,
    log_bytes: usize,
    /// What the guest gave to `abort`.
    pub(crate) aborted: Option<String>,
}

/// What ends a call that went to `env.abort`.
#[derive(Debug, thiserror::Error)]
#[error("the policy aborted")]
pub(crate) struct Aborted;

pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("presence", "log", log)?;
    linker.func_wrap("env", "abort", abort)?;
    Ok(linker)
}

/// Takes a line, or drops it: too many, too long, outside the memory or not UTF-8 are all no
/// failure, because a log line must not change what a policy answers. It does cost fuel.
fn log(mut caller: Caller<'_, Host>, pointer: i32, length: i32) -> wasmtime::Result<()> {
    let wanted = (length as u32 as usize).min(limits::LOG_BYTES);
    let left = caller.get_fuel()?.checked_sub(LOG_CALL + wanted as u64);
    caller.set_fuel(left.unwrap_or(0))?;
    if left.is_none() {
        return Err(Trap::OutOfFuel.into());
    }
    let room = limits::LOG_BYTES.saturating_sub(caller.data().log_bytes).min(wanted);
    if room == 0 || caller.data().log.len() >= limits::LOG_LINES {
        return Ok(());
    }
    let Some(bytes) = guest_bytes(&mut caller, pointer as u32, room) else { return Ok(()) };
    let line = kept(&bytes, room);
    let host = caller.data_mut();
    host.log_bytes += line.len().max(1);
    host.log.push(line);
    Ok(())
}

/// What is kept of a line where there is room for so many bytes.
fn kept(bytes: &[u8], room: usize) -> String {
    let mut line = policy_check::plain_text(&String::from_utf8_lossy(bytes));
    // A byte that is not UTF-8 has become the three of U+FFFD.
    line.truncate(line.floor_char_boundary(room));
    line
}

/// AssemblyScript's way to fail: two strings in UTF-16, their lengths in the four bytes before.
fn abort(
    mut caller: Caller<'_, Host>,
    message: i32,
    file: i32,
    line: i32,
    column: i32,
) -> wasmtime::Result<()> {
    let message = utf16(&mut caller, message as u32).unwrap_or_else(|| "no message".into());
    let text = match utf16(&mut caller, file as u32) {
        Some(file) => format!("{message} ({file}:{}:{})", line as u32, column as u32),
        None => message,
    };
    caller.data_mut().aborted = Some(text);
    Err(Aborted.into())
}

fn utf16(caller: &mut Caller<'_, Host>, pointer: u32) -> Option<String> {
    let header = guest_bytes(caller, pointer.checked_sub(4)?, 4)?;
    let length = u32::from_le_bytes(header.try_into().ok()?) as usize;
    let bytes = guest_bytes(caller, pointer, length.min(2 * limits::LOG_BYTES) & !1)?;
    let (units, _) = bytes.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    Some(policy_check::plain_text(&String::from_utf16_lossy(&units)))
}

fn guest_bytes(caller: &mut Caller<'_, Host>, pointer: u32, length: usize) -> Option<Vec<u8>> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory)?;
    let start = pointer as usize;
    memory.data(&caller).get(start..start.checked_add(length)?).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn a_line_of_bytes_that_are_no_text_keeps_to_the_room_as_it_is_kept() {
        let check = |bytes: &[u8], room: usize, expect: &str| assert_eq!(kept(bytes, room), expect);
        check(b"\xff\xff\xff\xff", 4, "\u{fffd}");
        check(b"ab\xff", 3, "ab");
        check("aé".as_bytes(), 2, "a");
        check(b"abc", 3, "abc");
    }
}

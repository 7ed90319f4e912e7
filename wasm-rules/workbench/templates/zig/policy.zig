//! Somebody who is in a call is on the phone, whatever the other devices say.
//! The parameter `note` is shown during a call: {"note": "Back at 16:30"}.
const presence = @import("presence.zig");
const Cursor = presence.Cursor;

fn callIsUp(input: Cursor) bool {
    const dialogs = input.member("dialogs") orelse return false;
    var items = dialogs.items();
    while (items.next()) |dialog| {
        var state = dialog.member("state") orelse continue;
        if (presence.equal(state.string(), "confirmed")) return true;
    }
    return false;
}

fn deviceSaysSo(input: Cursor) bool {
    const publications = input.member("publications") orelse return false;
    var items = publications.items();
    while (items.next()) |publication| {
        const person = publication.member("person") orelse continue;
        if (person.lists("activities", "on-the-phone")) return true;
    }
    return false;
}

fn merge(input: Cursor, out: *presence.Answer) void {
    const call = callIsUp(input);
    if (!call and !deviceSaysSo(input)) return;

    out.put("{\"abi\":1,\"base\":\"builtin\",\"set\":{\"activities\":[\"on-the-phone\"]");
    if (input.member("params")) |params| {
        if (params.member("note")) |found| {
            var note = found;
            if (note.peek() == '"') {
                out.put(",\"note\":[{\"text\":");
                out.quote(note.string());
                out.put("}]");
            }
        }
    }
    out.put(if (call) "},\"explain\":[\"a call is up\"]}" else "},\"explain\":[\"a device says so\"]}");
}

// The contract's exports. An instance lives for one call, so nothing is ever freed.

var input_bytes: [65536]u8 align(8) = undefined;
var answer: presence.Answer = .{};

export fn presence_policy_abi_1() void {}

export fn pp_alloc(length: usize) ?[*]u8 {
    return if (length <= input_bytes.len) &input_bytes else null;
}

export fn pp_merge(pointer: [*]const u8, length: usize) u64 {
    merge(.{ .json = pointer[0..length] }, &answer);
    if (answer.length == 0) return 0;
    return @as(u64, @intFromPtr(&answer.bytes)) << 32 | answer.length;
}

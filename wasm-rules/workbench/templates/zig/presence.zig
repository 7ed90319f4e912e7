//! What a policy in Zig needs of the contract: a reader of the input and a writer of the answer.

/// A place in the input. Walks over members and items, builds nothing, and goes no deeper than it is asked.
pub const Cursor = struct {
    json: []const u8,
    at: usize = 0,

    pub fn peek(self: *Cursor) ?u8 {
        while (self.at < self.json.len) : (self.at += 1) {
            switch (self.json[self.at]) {
                ' ', '\n', '\r', '\t' => {},
                else => |byte| return byte,
            }
        }
        return null;
    }

    fn eat(self: *Cursor, byte: u8) bool {
        if (self.peek() != byte) return false;
        self.at += 1;
        return true;
    }

    /// The string that is here, as it is written: escapes are left alone. Empty where there is none.
    pub fn string(self: *Cursor) []const u8 {
        if (!self.eat('"')) return "";
        const start = self.at;
        while (self.at < self.json.len and self.json[self.at] != '"') {
            self.at += if (self.json[self.at] == '\\') 2 else 1;
        }
        if (self.at >= self.json.len) return "";
        self.at += 1;
        return self.json[start .. self.at - 1];
    }

    pub fn integer(self: *Cursor) i64 {
        const negative = self.eat('-');
        var value: i64 = 0;
        while (self.at < self.json.len) : (self.at += 1) {
            const digit = self.json[self.at];
            if (digit < '0' or digit > '9') break;
            value = value *% 10 +% (digit - '0');
        }
        return if (negative) -%value else value;
    }

    /// Over a whole value, however deep: brackets are counted, not recursed into.
    pub fn skip(self: *Cursor) void {
        var depth: usize = 0;
        while (self.peek()) |byte| {
            if (byte == '"') {
                _ = self.string();
            } else {
                self.at += 1;
                switch (byte) {
                    '{', '[' => depth += 1,
                    '}', ']' => depth -|= 1,
                    ',', ':' => {},
                    else => while (self.at < self.json.len) : (self.at += 1) {
                        const next = self.json[self.at];
                        if (next == ',' or next == '}' or next == ']') break;
                    },
                }
            }
            if (depth == 0) return;
        }
    }

    /// The value of a member of the object that is here.
    pub fn member(self: Cursor, name: []const u8) ?Cursor {
        var here = self;
        if (!here.eat('{')) return null;
        while (here.peek() == '"') {
            const found = here.string();
            _ = here.eat(':');
            if (equal(found, name)) return here;
            here.skip();
            _ = here.eat(',');
        }
        return null;
    }

    /// The items of the list that is here.
    pub fn items(self: Cursor) Items {
        var list = self;
        return .{ .list = list, .open = list.eat('[') };
    }

    /// Whether a list of words, which is a member of this object, holds this one.
    pub fn lists(self: Cursor, name: []const u8, word: []const u8) bool {
        const list = self.member(name) orelse return false;
        var words = list.items();
        while (words.next()) |item| {
            var text = item;
            if (equal(text.string(), word)) return true;
        }
        return false;
    }
};

pub const Items = struct {
    list: Cursor,
    open: bool,
    begun: bool = false,

    pub fn next(self: *Items) ?Cursor {
        if (!self.open) return null;
        if (self.begun) self.list.skip() else _ = self.list.eat('[');
        self.begun = true;
        _ = self.list.eat(',');
        const byte = self.list.peek() orelse return null;
        if (byte == ']') return null;
        return self.list;
    }
};

pub fn equal(a: []const u8, b: []const u8) bool {
    if (a.len != b.len) return false;
    for (a, b) |x, y| if (x != y) return false;
    return true;
}

/// The answer. One that is left empty is no opinion: the built-in merge stands.
pub const Answer = struct {
    bytes: [16384]u8 = undefined,
    length: usize = 0,

    pub fn put(self: *Answer, text: []const u8) void {
        for (text) |byte| {
            if (self.length == self.bytes.len) return;
            self.bytes[self.length] = byte;
            self.length += 1;
        }
    }

    /// A text of the input between quotes: it was escaped there, and goes out as it came.
    pub fn quote(self: *Answer, text: []const u8) void {
        self.put("\"");
        self.put(text);
        self.put("\"");
    }
};

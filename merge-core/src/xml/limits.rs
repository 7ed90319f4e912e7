//! What a document may cost. One table; a refusal names the row that was exceeded.

use super::tree::Spelling;

/// The bounds that a document is read under. Each is inclusive: a document of exactly that size is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole document.
    pub bytes: usize,
    /// Elements open at once; the root is at depth 1.
    pub depth: usize,
    /// Elements in the document.
    pub nodes: usize,
    /// Attributes of one element, namespace declarations not counted.
    pub attributes: usize,
    /// Namespace declarations in scope at one element.
    pub namespaces: usize,
    /// Bytes of one name, prefix and colon included.
    pub name: usize,
}

impl Limits {
    /// 64 KiB, depth 64, 8,192 elements, 64 attributes, 64 namespace bindings, names of 256 bytes.
    pub const DEFAULT: Limits =
        Limits { bytes: 64 * 1024, depth: 64, nodes: 8192, attributes: 64, namespaces: 64, name: 256 };

    /// As much as the arena can address: for what this crate wrote itself, of many documents within
    /// [`DEFAULT`](Self::DEFAULT).
    pub const WRITTEN: Limits = Limits {
        bytes: usize::MAX,
        depth: usize::MAX,
        nodes: usize::MAX,
        attributes: usize::MAX,
        namespaces: usize::MAX,
        name: usize::MAX,
    };

    /// The same limits, none above what the arena can address.
    pub(crate) fn capped(self) -> Limits {
        Limits {
            bytes: self.bytes.min(16 * 1024 * 1024),
            depth: self.depth.min(1024),
            nodes: self.nodes.min(60_000),
            attributes: self.attributes.min(250),
            namespaces: self.namespaces.min(240),
            name: self.name.min(Spelling::MAX),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

//! What each instruction costs, in fuel.
//!
//! The table is our own and has a version, because fuel is part of a policy's outcome: with an
//! engine's defaults, an update of the engine could make a policy fail that ran before, and two
//! nodes of a rolling upgrade could disagree. One unit is about what one simple instruction takes;
//! what costs the machine much more than that is priced by what it was measured to take.
//!
//! Two read it: the sandbox, whose engine counts by it, and `policy-meter`, which has a policy count by
//! itself where the engine cannot.

/// The version of the table. A change of any price raises it.
pub const COST_VERSION: u32 = 1;

/// Each function that is entered, before its first instruction.
pub const ENTRY: u64 = 1;

/// `memory.copy` and `memory.fill`: each byte, on top of the instruction.
pub const BULK_BYTE: u8 = 1;

/// A call to `presence.log`, before what each byte adds.
pub const LOG_CALL: u64 = 200;

/// An instruction that the table does not name.
pub const SIMPLE: u64 = 1;

/// The table: gives `OPERATOR = PRICE, ...` to the macro that it is called with. The operators have the names
/// that `wasmparser` and wasmtime both have for them; all others cost [`SIMPLE`].
#[macro_export]
macro_rules! prices {
    ($then:ident) => {
        $then! {
            // They make no code, or only say where a branch goes.
            Nop = 0,
            Drop = 0,
            Block = 0,
            Loop = 0,
            Unreachable = 0,
            Return = 0,
            Else = 0,
            End = 0,

            // A growth asks the operating system, and a refused one still leaves the compiled code: at the
            // price of an addition, ten million refused growths took 66 ms. It pays by the call alone: a price
            // per page would let `memory.grow(2^32 - 1)` run out of fuel where a browser answers -1.
            MemoryGrow = 250,
            MemoryCopy = 20,
            MemoryFill = 20,

            // Calls save registers and check the stack; an indirect one checks the table and the type too.
            Call = 4,
            CallIndirect = 8,
            BrTable = 3,

            // Division and square root take tens of cycles, and NaN canonicalisation follows each of the
            // floating-point operations.
            I32DivS = 8,
            I32DivU = 8,
            I32RemS = 8,
            I32RemU = 8,
            I64DivS = 12,
            I64DivU = 12,
            I64RemS = 12,
            I64RemU = 12,
            F32Div = 8,
            F64Div = 12,
            F32Sqrt = 8,
            F64Sqrt = 12,
            F32Add = 2,
            F64Add = 2,
            F32Sub = 2,
            F64Sub = 2,
            F32Mul = 2,
            F64Mul = 2,
            F32Ceil = 4,
            F32Floor = 4,
            F32Trunc = 4,
            F32Nearest = 4,
            F64Ceil = 4,
            F64Floor = 4,
            F64Trunc = 4,
            F64Nearest = 4,
        }
    };
}

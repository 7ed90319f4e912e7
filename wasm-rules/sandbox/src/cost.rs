//! What each instruction costs, in fuel.
//!
//! The table is our own and has a version, because fuel is part of a policy's outcome: with an
//! engine's defaults, an update of the engine could make a policy fail that ran before, and two
//! nodes of a rolling upgrade could disagree. One unit is about what one simple instruction takes;
//! what costs the machine much more than that is priced by what it was measured to take.

use wasmtime::OperatorCost;

/// The version of the table. A change of any price raises it.
pub const COST_VERSION: u32 = 1;

/// Fuel of a call to `presence.log`, before what each byte adds.
pub(crate) const LOG_CALL: u64 = 200;

/// The table.
pub(crate) fn operator_cost() -> OperatorCost {
    let mut cost = OperatorCost::new();

    // A growth asks the operating system, and a refused one still leaves the compiled code: at the
    // price of an addition, ten million refused growths took 66 ms.
    cost.MemoryGrow = 250;
    // Growing pays by the call alone: a price per page would let `memory.grow(2^32 - 1)` run out of
    // fuel where a browser answers -1.
    cost.variable.memory_grow_per_page = 0;
    // Bulk copies pay per byte on top of this.
    cost.MemoryCopy = 20;
    cost.MemoryFill = 20;
    cost.variable.memory_copy_per_byte = 1;
    cost.variable.memory_fill_per_byte = 1;

    // Calls save registers and check the stack; an indirect one checks the table and the type too.
    cost.Call = 4;
    cost.CallIndirect = 8;
    cost.BrTable = 3;

    // Division and square root take tens of cycles, and NaN canonicalisation follows each of the
    // floating-point operations.
    cost.I32DivS = 8;
    cost.I32DivU = 8;
    cost.I32RemS = 8;
    cost.I32RemU = 8;
    cost.I64DivS = 12;
    cost.I64DivU = 12;
    cost.I64RemS = 12;
    cost.I64RemU = 12;
    cost.F32Div = 8;
    cost.F64Div = 12;
    cost.F32Sqrt = 8;
    cost.F64Sqrt = 12;
    cost.F32Add = 2;
    cost.F64Add = 2;
    cost.F32Sub = 2;
    cost.F64Sub = 2;
    cost.F32Mul = 2;
    cost.F64Mul = 2;
    cost.F32Ceil = 4;
    cost.F32Floor = 4;
    cost.F32Trunc = 4;
    cost.F32Nearest = 4;
    cost.F64Ceil = 4;
    cost.F64Floor = 4;
    cost.F64Trunc = 4;
    cost.F64Nearest = 4;
    cost
}

//! The prices of instructions, as the engine wants them.

use policy_check::prices;
use wasmtime::OperatorCost;

/// The table of `policy_check::prices`.
pub(crate) fn operator_cost() -> OperatorCost {
    let mut cost = OperatorCost::new();
    macro_rules! set {
        ($($operator:ident = $price:literal,)+) => { $(cost.$operator = $price;)+ };
    }
    policy_check::prices!(set);
    cost.variable.memory_grow_per_page = 0;
    cost.variable.memory_copy_per_byte = prices::BULK_BYTE;
    cost.variable.memory_fill_per_byte = prices::BULK_BYTE;
    cost
}

//! One function, its instructions as they are, with what counts them in between.

use policy_check::prices;
use wasm_encoder::{BlockType, Encode, Instruction};
use wasmparser::{BinaryReaderError, FunctionBody, Operator};

use crate::SPENT;

/// A bulk operation whose length is a constant up to this is not checked: the server's engine takes it for cheap.
const SMALL_BULK: u32 = 128;

/// The globals that count.
#[derive(Clone, Copy)]
pub(crate) struct Counter {
    /// Minus the fuel that is left.
    pub(crate) fuel: u32,
    /// A bulk operation's length.
    length: u32,
}

impl Counter {
    /// The two globals behind a module's own.
    pub(crate) fn after(globals: u32) -> Self {
        Self { fuel: globals, length: globals.saturating_add(1) }
    }
}

/// The function's locals and instructions, without their length. `section` is what its offsets count in.
pub(crate) fn metered(
    body: &FunctionBody<'_>,
    section: &[u8],
    counter: Counter,
) -> Result<Vec<u8>, BinaryReaderError> {
    let mut operators = body.get_operators_reader()?;
    let first = operators.original_position();
    let mut out = Run { counter, price: prices::ENTRY, code: Vec::with_capacity(2 * body.as_bytes().len()) };
    out.copy(section, body.range().start, first);
    out.count();
    out.check();
    let mut constant = None;
    while !operators.eof() {
        let (operator, at) = operators.read_with_offset()?;
        out.price += price(&operator);
        match operator {
            // What leaves the run, or may: it is counted with it. Code behind a branch that is always taken is
            // never run, so it does not matter that it is counted too.
            Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
            | Operator::Call { .. }
            | Operator::CallIndirect { .. } => out.count(),
            Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } => {
                out.count_length();
                if constant.is_none_or(|length| length > SMALL_BULK) {
                    out.check();
                }
            }
            _ => {}
        }
        out.copy(section, at, operators.original_position());
        if matches!(operator, Operator::Loop { .. }) {
            out.check();
        }
        constant =
            if let Operator::I32Const { value } = operator { Some(value.cast_unsigned()) } else { None };
    }
    Ok(out.code)
}

fn price(operator: &Operator<'_>) -> u64 {
    macro_rules! table {
        ($($name:ident = $price:literal,)+) => {
            match operator {
                $(Operator::$name { .. } => $price,)+
                _ => prices::SIMPLE,
            }
        };
    }
    policy_check::prices!(table)
}

/// The code so far, and the price of what runs since it was last counted.
struct Run {
    counter: Counter,
    price: u64,
    code: Vec<u8>,
}

impl Run {
    fn copy(&mut self, section: &[u8], from: u64, to: u64) {
        self.code.extend_from_slice(section.get(from as usize..to as usize).unwrap_or_default());
    }

    fn write(&mut self, instructions: &[Instruction<'_>]) {
        instructions.iter().for_each(|instruction| instruction.encode(&mut self.code));
    }

    /// Counts the run that ends here.
    fn count(&mut self) {
        let price = std::mem::take(&mut self.price);
        if price > 0 {
            self.write(&[
                Instruction::GlobalGet(self.counter.fuel),
                Instruction::I64Const(price.cast_signed()),
                Instruction::I64Add,
                Instruction::GlobalSet(self.counter.fuel),
            ]);
        }
    }

    /// Counts the run, and the bytes whose number is on top of the stack, and leaves it there.
    fn count_length(&mut self) {
        self.count();
        self.write(&[
            Instruction::GlobalSet(self.counter.length),
            Instruction::GlobalGet(self.counter.length),
            Instruction::GlobalGet(self.counter.fuel),
            Instruction::GlobalGet(self.counter.length),
            Instruction::I64ExtendI32U,
            Instruction::I64Const(i64::from(prices::BULK_BYTE)),
            Instruction::I64Mul,
            Instruction::I64Add,
            Instruction::GlobalSet(self.counter.fuel),
        ]);
    }

    /// Ends the policy where all is used.
    fn check(&mut self) {
        self.write(&[
            Instruction::GlobalGet(self.counter.fuel),
            Instruction::I64Const(0),
            Instruction::I64GeS,
            Instruction::If(BlockType::Empty),
            Instruction::I64Const(SPENT),
            Instruction::GlobalSet(self.counter.fuel),
            Instruction::Unreachable,
            Instruction::End,
        ]);
    }
}
